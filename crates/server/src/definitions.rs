//! The agent that hears from other processes that a definition has changed, and has it read again at once.
//!
//! It must stay true that a notice is no more than a reason to look: whatever it says, however often it comes, and whoever
//! sent it, what is in force is what the store holds.

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock, Random};
use omni_event_bus::{Consumer, ConsumerConfig, Error, EventBus};
use omni_event_log::DEFINITION_CHANGED;
use omni_events::SubjectPattern;
use omni_registry::Registry;
use tokio_util::sync::CancellationToken;

/// Notices that one reading answers.
const BATCH: usize = 256;
/// The pause before notices are asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server keeps the position of a process that was killed.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// Follows the notices for one process; every process has a position of its own.
#[derive(Debug)]
pub(crate) struct Definitions {
    bus: EventBus,
    registry: Registry,
    clock: Arc<dyn Clock>,
    name: String,
    is_shared: bool,
}

impl Definitions {
    /// On a bus of several processes the position is named by chance and ends with the process.
    pub(crate) fn new(
        bus: EventBus,
        registry: Registry,
        (clock, random): (&Arc<dyn Clock>, &Random),
        is_shared: bool,
    ) -> Self {
        let name = if is_shared {
            format!("definitions-{}", random.uuid_v7(clock.now()).simple())
        } else {
            "definitions".to_owned()
        };
        Self { bus, registry, clock: clock.clone(), name, is_shared }
    }

    /// Runs until stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(Box::pin(self.follow())).await;
        if self.is_shared
            && let Err(error) = self.bus.forget(&self.name).await
        {
            tracing::debug!(%error, "the server forgets the position by itself");
        }
    }

    async fn follow(&self) {
        loop {
            match self.open().await {
                Ok(consumer) => {
                    // What was told before somebody listened.
                    self.refresh().await;
                    self.hear(consumer).await;
                }
                Err(error) => tracing::debug!(%error, "changes are heard of by the clock only"),
            }
            self.clock.sleep(PAUSE).await;
        }
    }

    async fn open(&self) -> Result<Consumer, Error> {
        // The notices of all instances of all channels, though none has either.
        let filters = SubjectPattern::parse(&format!("{DEFINITION_CHANGED}.*.*"));
        let filters = filters.into_iter().collect();
        let forgotten_after = self.is_shared.then_some(FORGOTTEN_AFTER);
        let config = ConsumerConfig { forgotten_after, ..ConsumerConfig::new(&self.name, filters) };
        self.bus.consumer(config).await
    }

    /// Until the bus drains, or the position is gone.
    async fn hear(&self, mut consumer: Consumer) {
        loop {
            let notices = consumer.next_batch(BATCH).await;
            if notices.is_empty() {
                return;
            }
            // Not handed out again if the store is away: the clock also has it read.
            self.bus.ack_all(notices).await;
            self.refresh().await;
        }
    }

    async fn refresh(&self) {
        if let Err(error) = self.registry.refresh().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "event types not reread");
        }
    }
}

#[cfg(test)]
mod tests;
