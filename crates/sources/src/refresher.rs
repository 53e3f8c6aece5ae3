//! The loop that follows changes which another replica made.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Sources;

/// How long a change made through another replica may stay unknown here; the question is one indexed row.
const EVERY: Duration = Duration::from_secs(1);

/// Asks every second whether a source changed, and reads them again if so.
#[derive(Debug)]
pub struct Refresher {
    sources: Sources,
}

impl Refresher {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { sources }
    }

    /// Runs until stopped. A store that is away is reported and asked again: what is known stays in use.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sources.clock().sleep(EVERY) => {}
            }
            if let Err(error) = self.sources.refresh().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "sources not reread");
            }
        }
    }
}
