//! Whether the server can be reached, from what the connections say. It must stay true that the bus is up only while all
//! of its connections are.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::Health;

/// The connections of one bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Consumers, buckets, and questions to the server.
    Main,
    /// Publishing.
    Publishing,
}

/// Watches the connections of one bus. Clones are the same monitor.
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// By [`Line`]: tries in a row that failed; nothing while it is connected.
    failed: Mutex<[Option<u32>; 2]>,
    health: watch::Sender<Health>,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        let shared = Shared { failed: Mutex::default(), health: watch::Sender::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The state now, and whenever it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// Whether all connections are there.
    pub(crate) fn is_up(&self) -> bool {
        *self.shared.health.borrow() == Health::Up
    }

    /// Waits until a connection is lost.
    pub(crate) async fn lost(&self) {
        let mut health = self.watch();
        // It cannot end before this monitor does.
        let _ = health.wait_for(|health| *health != Health::Up).await;
    }

    /// Waits until all connections are there.
    pub(crate) async fn back(&self) {
        let mut health = self.watch();
        let _ = health.wait_for(|health| *health == Health::Up).await;
    }

    /// A connection is there.
    pub(crate) fn connected(&self, line: Line) {
        self.set(line, None);
    }

    /// A connection is lost, and so many tries to make it again have failed.
    pub(crate) fn failed(&self, line: Line, tries: u32) {
        self.set(line, Some(tries));
    }

    fn set(&self, line: Line, failed: Option<u32>) {
        let mut all = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        all[line as usize] = failed;
        let worst = all.iter().max().copied().flatten();
        let next = match worst {
            None => Health::Up,
            Some(0) => Health::Reconnecting { attempts: 0 },
            Some(tries) => Health::after(tries),
        };
        // Sent while the lock is held, so that the last word is the newest.
        self.shared.health.send_if_modified(|health| {
            let changed = *health != next;
            if changed {
                log(*health, next);
            }
            *health = next;
            changed
        });
    }
}

fn log(before: Health, now: Health) {
    match (before, now) {
        (Health::Up, _) => tracing::warn!("the connection to NATS is lost, it is being made again"),
        (Health::Reconnecting { .. }, Health::Degraded { attempts }) => tracing::error!(
            attempts,
            "NATS still cannot be reached: look whether it runs; publishing fails until it is back"
        ),
        (_, Health::Up) => tracing::info!("connected to NATS again"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_connection_decides() {
        let monitor = Monitor::new();
        let health = monitor.watch();
        let now = || *health.borrow();
        assert_eq!(now(), Health::Up);
        monitor.failed(Line::Main, 0);
        assert_eq!(now(), Health::Reconnecting { attempts: 0 });
        monitor.failed(Line::Publishing, 9);
        assert_eq!(now(), Health::Reconnecting { attempts: 9 });
        monitor.failed(Line::Main, 10);
        assert_eq!(now(), Health::Degraded { attempts: 10 });
        monitor.connected(Line::Main);
        assert_eq!(now(), Health::Reconnecting { attempts: 9 });
        monitor.connected(Line::Publishing);
        assert_eq!(now(), Health::Up);
    }
}
