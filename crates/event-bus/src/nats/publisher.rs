//! The connection for publishing. It must stay true that a message which was not sent before the connection broke is never
//! sent by it later: it would come before the repeat of its predecessors, out of order.
//!
//! The client keeps what it was given while it connects again, and there is no way to take that back. So each connection
//! lives in a runtime of its own, which ends with it and takes everything along that waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    ConnectError, ConnectErrorKind, Event,
    jetstream::{Context, context::ContextBuilder},
};
use omni_clock::{Clock, SystemClock};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    connect::{REQUEST_TIMEOUT, Recipe},
    errors,
    health::{Line, Monitor},
};
use crate::Error;

/// Messages that may wait for their acks, of all publishers together.
const WINDOW: usize = 4096;
/// Bytes that may wait for their acks, of all publishers together.
pub(crate) const WINDOW_BYTES: u32 = 16 << 20;
/// What a small message counts in the window of bytes, so that it is a window of messages as well.
pub(crate) const COST_MIN: u32 = WINDOW_BYTES / WINDOW as u32;
/// The client must not try again by itself.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Where publishers find the connection of the moment.
#[derive(Debug)]
pub(crate) struct Publisher {
    current: watch::Receiver<Option<Arc<Served>>>,
    /// Bytes that may still be sent without waiting for acks.
    pub(crate) window: Semaphore,
}

impl Publisher {
    /// Connects, and keeps a connection until `closing`.
    pub(crate) async fn open(
        recipe: Recipe,
        monitor: Monitor,
        closing: CancellationToken,
    ) -> Result<Self, Error> {
        let first = Wire::connect(&recipe)
            .await
            .map_err(|error| errors::connect(&recipe.shown, &recipe.login, &error))?;
        let (sender, current) = watch::channel(Some(Arc::clone(&first.served)));
        tokio::spawn(keep(recipe, monitor, closing, first, sender));
        Ok(Self { current, window: Semaphore::new(WINDOW_BYTES as usize) })
    }

    /// The connection of the moment; nothing while there is none.
    pub(crate) fn current(&self) -> Option<Arc<Served>> {
        self.current.borrow().clone()
    }

    /// Whether this connection is still the one of the moment.
    pub(crate) fn is_current(&self, served: &Arc<Served>) -> bool {
        self.current.borrow().as_ref().is_some_and(|current| Arc::ptr_eq(current, served))
    }
}

/// A connection, and where it is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) context: Context,
    pub(crate) runtime: Handle,
}

/// Makes the connection again whenever it breaks.
async fn keep(
    recipe: Recipe,
    monitor: Monitor,
    closing: CancellationToken,
    first: Wire,
    sender: watch::Sender<Option<Arc<Served>>>,
) {
    let mut wire = first;
    loop {
        tokio::select! {
            () = wire.broken.cancelled() => {}
            () = closing.cancelled() => return,
        }
        monitor.failed(Line::Publishing, 0);
        sender.send_replace(None);
        drop(wire);
        wire = tokio::select! {
            next = again(&recipe, &monitor) => next,
            () = closing.cancelled() => return,
        };
        sender.send_replace(Some(Arc::clone(&wire.served)));
        monitor.connected(Line::Publishing);
    }
}

async fn again(recipe: &Recipe, monitor: &Monitor) -> Wire {
    // The network knows nothing of a clock that is moved by hand.
    let clock = SystemClock::new();
    let mut attempt = 1;
    loop {
        clock.sleep(recipe.backoff(attempt)).await;
        match Wire::connect(recipe).await {
            Ok(wire) => return wire,
            Err(error) => tracing::debug!(%error, attempt, "could not connect for publishing"),
        }
        monitor.failed(Line::Publishing, attempt);
        attempt = attempt.saturating_add(1);
    }
}

/// One connection, until it breaks.
#[derive(Debug)]
struct Wire {
    served: Arc<Served>,
    broken: CancellationToken,
    _runtime: Own,
}

impl Wire {
    async fn connect(recipe: &Recipe) -> Result<Self, ConnectError> {
        let io = |error| ConnectError::with_source(ConnectErrorKind::Io, error);
        let runtime = Own::new().map_err(io)?;
        let broken = CancellationToken::new();
        let there = Arc::new(AtomicBool::new(false));
        let options = recipe
            .options
            .clone()
            .reconnect_delay_callback({
                let there = Arc::clone(&there);
                move |_| if there.load(Ordering::Acquire) { NEVER } else { Duration::ZERO }
            })
            .event_callback({
                let broken = broken.clone();
                move |event| {
                    if matches!(event, Event::Disconnected | Event::Closed) {
                        broken.cancel();
                    }
                    std::future::ready(())
                }
            });
        let servers = recipe.servers.clone();
        let connecting = async move {
            let client = options.connect(servers.as_slice()).await?;
            there.store(true, Ordering::Release);
            let context = ContextBuilder::new()
                .timeout(REQUEST_TIMEOUT)
                .ack_timeout(REQUEST_TIMEOUT)
                // Our own window is the narrower one.
                .max_ack_inflight(2 * WINDOW)
                .build(client);
            Ok::<_, ConnectError>(Arc::new(Served { context, runtime: Handle::current() }))
        };
        let joined = runtime.spawn(connecting).await;
        let served = joined.map_err(|error| io(std::io::Error::other(error)))??;
        Ok(Self { served, broken, _runtime: runtime })
    }
}

/// A runtime with one thread. Its end does not wait for its tasks, it takes them along.
#[derive(Debug)]
struct Own(Option<Runtime>);

impl Own {
    fn new() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("omni-bus-publish").enable_all();
        Ok(Self(Some(builder.build()?)))
    }

    async fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Gone> {
        let Some(runtime) = &self.0 else {
            return Err(Gone);
        };
        runtime.spawn(task).await.map_err(|_| Gone)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The runtime ended while something ran in it.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed")]
struct Gone;
