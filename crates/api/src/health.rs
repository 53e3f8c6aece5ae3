//! Whether the process wants traffic. One switch for `/readyz`, gRPC health and the end of live streams.
//!
//! It only moves forward: starting, ready, draining. A process that drains never becomes ready again.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

/// How far the process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not everything runs yet.
    Starting,
    /// Traffic is welcome.
    Ready,
    /// No new traffic; what runs is being finished.
    Draining,
}

/// Whether the bus can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// Events come and go.
    Up,
    /// The connection is lost and is being made again; events wait in the store.
    Reconnecting,
    /// As `reconnecting`, for so long that somebody should look.
    Degraded,
}

/// The switch; clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<State>>, Arc<watch::Sender<Connection>>);

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A process that is starting.
    pub fn new() -> Self {
        let (state, bus) = (State::Starting, Connection::Up);
        Self(Arc::new(watch::Sender::new(state)), Arc::new(watch::Sender::new(bus)))
    }

    /// Everything runs: `/readyz` answers 200 from now on.
    pub fn set_ready(&self) {
        self.advance(State::Ready);
    }

    /// Stop has been asked for: `/readyz` answers 503 and live streams end, so that a graceful stop is not held up.
    pub fn set_draining(&self) {
        self.advance(State::Draining);
    }

    /// Says whether the bus can be reached. It is shown, and changes nothing else: events are taken all the same.
    pub fn set_bus(&self, connection: Connection) {
        self.1.send_replace(connection);
    }

    /// Whether the bus can be reached.
    pub fn bus(&self) -> Connection {
        *self.1.borrow()
    }

    /// How far the process has come.
    pub fn state(&self) -> State {
        *self.0.borrow()
    }

    /// Ends when the process begins to drain; at once if it does already.
    pub async fn drained(&self) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|state| *state == State::Draining).await;
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    fn advance(&self, to: State) {
        self.0.send_if_modified(|state| {
            let moved = *state < to;
            *state = (*state).max(to);
            moved
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_draining_process_stays_so() {
        let health = Health::new();
        health.set_ready();
        assert_eq!(health.state(), State::Ready);
        health.set_draining();
        health.set_ready();
        assert_eq!(health.state(), State::Draining);
        health.drained().await;
    }
}
