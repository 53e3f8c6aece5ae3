//! The recorder: commits what was done for many events at once, then settles their bus messages.

use std::{sync::Arc, time::Duration};

use omni_clock::Clock;
use omni_event_bus::{Delivery, EventBus};
use omni_store::{
    Store,
    executions::{Done, commit_batch},
};
use tokio::sync::mpsc;

/// Events of one commit at most.
const BATCH_MAX: usize = 512;
/// Events that may wait for their commit; beyond that the engine waits too.
pub(crate) const WAITING_MAX: usize = 2048;
/// The longest pause between tries while the store is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What was done for one event, and the message that brought it.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) done: Option<Done>,
    pub(crate) delivery: Delivery,
}

/// The loop that commits and settles; it ends when the engine has dropped every sender.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) store: Store,
    pub(crate) bus: EventBus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) waiting: mpsc::Receiver<Settled>,
}

impl Recorder {
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let (dones, deliveries): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|settled| (settled.done, settled.delivery)).unzip();
            let dones: Vec<Done> = dones.into_iter().flatten().collect();
            if self.commit(&dones).await {
                self.bus.ack_all(deliveries).await;
            }
        }
    }

    /// Commits, and tries again while the store is away: what was done has been done, so nothing may be forgotten.
    /// Gives up only when the engine has ended; then the events come again after the restart.
    async fn commit(&self, dones: &[Done]) -> bool {
        let mut failures = 0u32;
        while let Err(error) = self.try_commit(dones).await {
            tracing::error!(error = %error, events = dones.len(), "what was done could not be recorded; trying again");
            if self.waiting.is_closed() && failures > 3 {
                return false;
            }
            let pause = Duration::from_millis(50 << failures.min(7)).min(PAUSE_MAX);
            self.clock.sleep(pause).await;
            failures += 1;
        }
        true
    }

    async fn try_commit(&self, dones: &[Done]) -> Result<(), omni_store::Error> {
        if dones.is_empty() {
            return Ok(());
        }
        let mut conn = self.store.write().await?;
        commit_batch(&mut conn, dones).await
    }
}
