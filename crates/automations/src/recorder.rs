//! The recorder: commits what was done for many events at once, then settles their bus messages.
//!
//! It must stay true that what was done is recorded or said to be unrecordable, and never forgotten while the process
//! lives; and that one event which cannot be recorded keeps back no other.

use std::{mem, sync::Arc, time::Duration};

use omni_clock::Clock;
use omni_event_bus::EventBus;
use omni_store::{
    Store,
    executions::{Done, commit_batch},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use crate::in_hand::InHand;

/// Events of one commit at most.
const BATCH_MAX: usize = 512;
/// How long a commit waits for company. Nobody waits for it: the effects have happened. But each commit is a sync of the
/// disk that the events coming in wait for, so at a moderate rate many small commits here are what slows those down.
/// Measured on the clock of the machine, since it paces the disk and decides nothing.
const GATHER: Duration = Duration::from_millis(5);
/// Events that may wait for their commit; beyond that the engine waits too. The bus is told of all of them that they are
/// in hand, however long the store is away.
pub(crate) const WAITING_MAX: usize = 2048;
/// The longest pause between tries while the store is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// After so many failures each event is tried by itself, because one of them may be the reason.
const TOGETHER_MAX: u32 = 3;
/// When so many fail by themselves and none goes, the store is away, and asking for each of many would take for ever.
const PROBES_MAX: usize = 3;
/// An event is given up when it could not be recorded so often while others could.
const STRIKES_MAX: u8 = 5;
/// Tries that are left when the engine has ended; then the events come again after the restart.
const LAST_TRIES: u32 = 3;

/// What was done for one event.
#[derive(Debug)]
pub(crate) struct Settled {
    event: Uuid,
    /// Nothing when all of it was recorded before.
    done: Option<Done>,
    /// How often it could not be recorded while others could.
    strikes: u8,
}

impl Settled {
    pub(crate) fn new(event: Uuid, done: Option<Done>) -> Self {
        Self { event, done, strikes: 0 }
    }
}

/// The loop that commits and settles; it ends when the engine has dropped every sender.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) store: Store,
    pub(crate) bus: EventBus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) waiting: mpsc::Receiver<Settled>,
}

impl Recorder {
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.gather(&mut batch).await {
            self.record(mem::take(&mut batch)).await;
        }
    }

    /// Takes what waits and what comes soon after; `false` when the engine has ended.
    async fn gather(&mut self, batch: &mut Vec<Settled>) -> bool {
        if self.waiting.recv_many(batch, BATCH_MAX).await == 0 {
            return false;
        }
        let until = Instant::now() + GATHER;
        while batch.len() < BATCH_MAX {
            let more = self.waiting.recv_many(batch, BATCH_MAX - batch.len());
            match timeout_at(until, more).await {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        true
    }

    /// Records a batch, again and again while the store is away: what was done has been done. Gives up only when the
    /// engine has ended.
    async fn record(&mut self, mut batch: Vec<Settled>) {
        let mut failures = 0u32;
        loop {
            match self.commit(&mut batch).await {
                Ok(()) => return self.settle(&batch).await,
                Err(error) => {
                    tracing::error!(error = %error, events = batch.len(), "what was done could not be recorded; trying again");
                }
            }
            failures += 1;
            if failures >= TOGETHER_MAX {
                batch = self.record_each(batch).await;
            }
            if batch.is_empty() || (self.waiting.is_closed() && failures > LAST_TRIES) {
                return;
            }
            let pause = Duration::from_millis(50 << failures.min(7)).min(PAUSE_MAX);
            self.clock.sleep(pause).await;
            // In the company of others it shows whether the store is away or an event is at fault.
            while batch.len() < BATCH_MAX
                && let Ok(next) = self.waiting.try_recv()
            {
                batch.push(next);
            }
        }
    }

    /// Records each event by itself and returns those that could not be; gives up those that are at fault.
    async fn record_each(&self, batch: Vec<Settled>) -> Vec<Settled> {
        let (mut untried, mut failed) = (Vec::new(), Vec::new());
        let mut recorded = false;
        for settled in batch {
            if !recorded && failed.len() >= PROBES_MAX {
                untried.push(settled);
                continue;
            }
            let mut alone = [settled];
            let committed = self.commit(&mut alone).await;
            match committed {
                Ok(()) => {
                    recorded = true;
                    self.settle(&alone).await;
                }
                Err(error) => failed.extend(alone.map(|settled| (settled, error.to_string()))),
            }
        }
        // Those that were not tried come first the next time, so that none hides behind others.
        let mut kept = untried;
        for (mut settled, reason) in failed {
            settled.strikes += u8::from(recorded);
            if settled.strikes < STRIKES_MAX {
                kept.push(settled);
                continue;
            }
            let reason = format!("what was done cannot be recorded: {reason}");
            tracing::error!(event = %settled.event, reason, "an event is given up");
            let mut deliveries = self.in_hand.release(settled.event).await;
            // One dead letter, however often it was published.
            if let Some(delivery) = deliveries.pop() {
                delivery.reject(&reason).await;
            }
            self.bus.ack_all(deliveries).await;
        }
        kept
    }

    async fn commit(&self, batch: &mut [Settled]) -> Result<(), omni_store::Error> {
        // Lent to the store as one piece, and given back whatever comes of it.
        let (owners, dones): (Vec<usize>, Vec<Done>) = batch
            .iter_mut()
            .enumerate()
            .filter_map(|(owner, settled)| Some((owner, settled.done.take()?)))
            .unzip();
        let committed = if dones.is_empty() { Ok(()) } else { self.commit_all(&dones).await };
        for (owner, done) in owners.into_iter().zip(dones) {
            batch[owner].done = Some(done);
        }
        committed
    }

    async fn commit_all(&self, dones: &[Done]) -> Result<(), omni_store::Error> {
        let mut conn = self.store.write().await?;
        commit_batch(&mut conn, dones).await
    }

    async fn settle(&self, batch: &[Settled]) {
        let events = batch.iter().map(|settled| settled.event);
        let deliveries = self.in_hand.release_all(events).await;
        self.bus.ack_all(deliveries).await;
    }
}
