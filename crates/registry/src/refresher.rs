//! The loop that reads the types again, so that a type defined through another replica is known here soon.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Registry;

/// How long another replica's change may stay unknown here.
const EVERY: Duration = Duration::from_secs(10);

/// Asks every ten seconds whether a type changed, and reads them again if so.
#[derive(Debug)]
pub struct Refresher {
    registry: Registry,
}

impl Refresher {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// Runs until stopped. A store that is away is reported and tried again: what is known stays in use.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.registry.clock().sleep(EVERY) => {}
            }
            if let Err(error) = self.registry.refresh().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "event types not reread");
            }
        }
    }
}
