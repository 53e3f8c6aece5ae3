//! The loop of a subscription: pulls as many messages as handlers may run, and keeps alive what is being handled.

use std::{sync::Arc, time::Duration};

use omni_events::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::{Ended, Failure, Received, handling::Handling};
use crate::{
    Consumer, Delivery, bus::Shared, consumer::NoMore, ordered::HEARTBEATS, sleeping::sleep_until,
};

/// Messages that are pulled at once.
const BATCH_MAX: usize = 256;

/// Pulls for one subscription.
pub(super) struct Worker<C, H> {
    shared: Arc<Shared>,
    consumer: Consumer,
    handling: Arc<Handling<C, H>>,
    tasks: TaskTracker,
    /// One for each handler that may run.
    slots: Arc<Semaphore>,
    heartbeat: Duration,
    beat_at: Duration,
}

impl<C, H, F> Worker<C, H>
where
    C: Fn(&Event) -> Vec<String> + Send + Sync + 'static,
    H: Fn(Received) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    pub(super) fn new(
        shared: Arc<Shared>,
        consumer: Consumer,
        handling: Arc<Handling<C, H>>,
    ) -> Self {
        let config = consumer.config();
        let slots = config.max_in_flight.min(Semaphore::MAX_PERMITS);
        let heartbeat = config.ack_wait / HEARTBEATS;
        let beat_at = shared.clock.elapsed() + heartbeat;
        let (tasks, slots) = (TaskTracker::new(), Arc::new(Semaphore::new(slots)));
        Self { shared, consumer, handling, tasks, slots, heartbeat, beat_at }
    }

    /// Runs until it is told to stop or there is nothing more to come.
    pub(super) async fn run(mut self) {
        let control = Arc::clone(&self.handling.control);
        let ended = loop {
            tokio::select! {
                biased;
                () = control.stop.cancelled() => break Ended::Stopped,
                () = sleep_until(&*self.shared.clock, self.beat_at) => self.beat().await,
                batch = next(&mut self.consumer, &self.slots) => match batch {
                    Ok((batch, slot)) => self.start(batch, slot),
                    Err(NoMore::Drained) => break Ended::Stopped,
                    Err(NoMore::Forgotten) => break Ended::Forgotten,
                },
            }
        };
        self.tasks.close();
        loop {
            tokio::select! {
                biased;
                () = control.give_up.cancelled() => break,
                () = self.tasks.wait() => break,
                () = sleep_until(&*self.shared.clock, self.beat_at) => self.beat().await,
            }
        }
        if ended == Ended::Forgotten {
            tracing::warn!(consumer = control.name, "a subscription ended: its consumer is gone");
        }
        self.shared.subscriptions.remove(&control);
        // Nothing of the bus is held any more when the end is known.
        drop(self);
        control.ended.send_replace(Some(ended));
    }

    fn start(&mut self, batch: Vec<Delivery>, slot: OwnedSemaphorePermit) {
        let mut slot = Some(slot);
        for delivery in batch {
            let Some(work) = self.handling.take(delivery) else { continue };
            // Nobody else takes slots, and no more was pulled than there were.
            let free = slot.take().or_else(|| Arc::clone(&self.slots).try_acquire_owned().ok());
            if let Some(free) = free {
                self.tasks.spawn(Arc::clone(&self.handling).handle(work, free));
            }
        }
    }

    /// Keeps alive what is being handled.
    async fn beat(&mut self) {
        self.beat_at = self.shared.clock.elapsed() + self.heartbeat;
        let alive = self.handling.alive();
        if !alive.is_empty() {
            self.consumer.settle(alive).await;
        }
    }
}

/// Waits for a free slot and a message for it, and takes as many more as there are slots.
async fn next(
    consumer: &mut Consumer,
    slots: &Arc<Semaphore>,
) -> Result<(Vec<Delivery>, OwnedSemaphorePermit), NoMore> {
    // It is never closed.
    let slot = Arc::clone(slots).acquire_owned().await.map_err(|_| NoMore::Drained)?;
    let max = (1 + slots.available_permits()).min(BATCH_MAX);
    Ok((consumer.batch(max).await?, slot))
}
