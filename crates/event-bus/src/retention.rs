//! The agent that removes old messages.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{Error, EventBus};

/// How often it looks. Retention is counted in days, so a quarter of an hour keeps each purge small without being late.
const PURGE_EVERY: Duration = Duration::from_mins(15);

/// Removes messages past the age of their stream, and old dead letters, now and then.
///
/// Run it beside the bus. A stream that outgrows its size needs nobody: the bus sees that itself.
#[derive(Debug)]
pub struct Retention {
    bus: EventBus,
}

impl Retention {
    pub(crate) fn new(bus: EventBus) -> Self {
        Self { bus }
    }

    /// Runs until it is stopped or the bus is closed.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.bus.purge_expired().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed messages past their retention"),
                Err(Error::Closed) => return,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "old messages could not be removed");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bus.shared.clock.sleep(PURGE_EVERY) => {}
            }
        }
    }
}
