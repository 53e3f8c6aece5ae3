//! The publisher: hands committed events to the bus in order, and reads from the store what it has missed.
//!
//! Batches come from the appender as a hint. Whenever a batch does not follow on what is published (one was dropped,
//! the bus was away, the process has just started) the store is read from the watermark on. So nothing here has to be
//! remembered, and an event may reach the bus twice but never not at all.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use omni_event_bus::Health;
use omni_store::{Kind, outbox};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Closing,
    appender::Batch,
    delivery::{PublishError, chain, deliver},
    healer::Healer,
    log::{Counters, Parts},
    recovery::Recovery,
};

/// Events read from the store at once while catching up; few, because each may be as large as a message may be.
const CATCH_UP_BATCH: i64 = 128;
/// How often the watermark is written and missed events are looked for without a hint.
const TICK: Duration = Duration::from_secs(1);
/// The longest pause between tries while the bus is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The loop that publishes; run exactly one per [`crate::open`].
#[derive(Debug)]
pub struct Publisher {
    parts: Arc<Parts>,
    writer: i64,
    pub(crate) batches: mpsc::Receiver<Batch>,
    counters: Arc<Counters>,
    recovery: Recovery,
    healer: Healer,
    health: watch::Receiver<Health>,
    /// While the bus is away: how many events were published before.
    waiting: Option<u64>,
    /// Up to where was published at some time, until that is safe.
    mark: (Duration, i64),
    /// The watermark as it stands in the store, and when it was written.
    written: (Duration, i64),
}

impl Publisher {
    pub(crate) fn new(
        parts: Arc<Parts>,
        writer: i64,
        batches: mpsc::Receiver<Batch>,
        counters: Arc<Counters>,
    ) -> Self {
        let recovery = Recovery::new(parts.clone(), writer);
        let healer = Healer::new(parts.clone(), writer, counters.clone());
        let health = parts.bus.health();
        let (mark, written) = ((Duration::ZERO, 0), (Duration::ZERO, 0));
        let waiting = None;
        Self { parts, writer, batches, counters, recovery, healer, health, waiting, mark, written }
    }

    /// Publishes until told to stop and the appender has ended; then publishes the rest.
    pub async fn run(mut self, stop: CancellationToken) -> Closing {
        let mut failures = 0u32;
        // What a crash left behind comes before what is new.
        let mut step = self.tick().await;
        // Kept over the rounds, so that a steady stream of batches cannot put the tick off for ever.
        let mut next_tick = self.parts.clock.sleep(TICK);
        loop {
            failures = self.note(step, failures, &stop).await;
            step = tokio::select! {
                biased;
                () = &mut next_tick => {
                    next_tick = self.parts.clock.sleep(TICK);
                    self.tick().await
                }
                Ok(()) = self.health.changed() => self.turn().await,
                batch = self.batches.recv() => match batch {
                    Some(batch) => self.publish(batch).await,
                    None => break,
                },
            };
        }
        let published = match self.tick().await {
            Ok(()) => {
                let (published, counters) = (self.published(), &self.counters);
                let all = published >= counters.committed_through.load(Ordering::Acquire)
                    && !counters.doubt.load(Ordering::Acquire);
                (all && self.parts.config.safe_when_drained).then_some(published)
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the rest will be published at the next start");
                None
            }
        };
        Closing { parts: self.parts, writer: self.writer, published }
    }

    /// Counts a failure and waits before the next try; returns how many there were in a row.
    async fn note(
        &mut self,
        step: Result<(), PublishError>,
        failures: u32,
        stop: &CancellationToken,
    ) -> u32 {
        let Err(error) = step else {
            self.say_caught_up();
            return 0;
        };
        self.counters.publish_failed.fetch_add(1, Ordering::Relaxed);
        // Some of it may have arrived, and the bus knows a repeat for two minutes only.
        self.counters.may_repeat.note(self.parts.clock.now());
        if !error.is_outage() {
            // A stream may be gone.
            self.healer.look_soon();
            tracing::warn!(error = %chain(&error), failures, "events wait in the store for the bus");
        } else if self.waiting.is_none() {
            tracing::warn!(error = %chain(&error), "the bus is away; events wait for it in the store");
        }
        self.waiting.get_or_insert(self.counters.published.load(Ordering::Relaxed));
        let pause = Duration::from_millis(50 << failures.min(7)).min(PAUSE_MAX);
        let away = *self.health.borrow() != Health::Up;
        tokio::select! {
            () = self.parts.clock.sleep(pause) => {}
            () = stop.cancelled() => {}
            // The change itself is seen by the loop.
            Ok(_) = self.health.wait_for(|health| *health == Health::Up), if away => {}
        }
        failures.saturating_add(1)
    }

    /// Says once that what waited is on the bus.
    fn say_caught_up(&mut self) {
        if self.published() < self.counters.committed_through.load(Ordering::Acquire) {
            return;
        }
        if let Some(before) = self.waiting.take() {
            let events = self.counters.published.load(Ordering::Relaxed) - before;
            tracing::info!(events, "the bus has everything that waited for it");
        }
    }

    /// The connection was lost or is there again.
    async fn turn(&mut self) -> Result<(), PublishError> {
        // What is in hand may be handed out again as if for the first time.
        self.counters.may_repeat.note(self.parts.clock.now());
        if *self.health.borrow_and_update() != Health::Up {
            return Ok(());
        }
        self.turn_back();
        self.tick().await
    }

    /// Goes back to what is safe: a server that was away may have been cut from its power, and has then lost what it had
    /// not synced. What was handled by now is not published again.
    fn turn_back(&mut self) {
        let safe = self.counters.safe_through.load(Ordering::Acquire);
        self.counters.published_through.store(safe, Ordering::Release);
        self.mark = (self.parts.clock.elapsed(), safe);
        self.healer.look_soon();
    }

    /// Publishes a batch, or everything since the watermark if the batch does not follow on it.
    pub(crate) async fn publish(&mut self, batch: Batch) -> Result<(), PublishError> {
        if self.recovery.goes_first() {
            return self.tick().await;
        }
        if batch.through <= self.published() {
            return Ok(());
        }
        if batch.previous != self.published() {
            return self.catch_up(false).await;
        }
        deliver(&self.parts, &batch.events).await?;
        self.advance(batch.through, batch.events.len());
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), PublishError> {
        let doubt = self.counters.doubt.swap(false, Ordering::AcqRel);
        let done = self.look(doubt).await;
        if done.is_err() && doubt {
            self.counters.doubt.store(true, Ordering::Release);
        }
        done
    }

    async fn look(&mut self, doubt: bool) -> Result<(), PublishError> {
        self.ripen();
        // First, because others must see that this process lives also while the bus is away. It waits for the row that
        // a commit of unknown outcome may still hold, so afterwards that commit is seen or will never be.
        self.write_watermark(doubt).await?;
        // What was lost comes before what a dead process left, and that before what is new.
        or_store(self.healer.run().await, "what the bus has lost cannot be read")?;
        or_store(self.recovery.run().await, "what a dead process left cannot be read")?;
        self.catch_up(doubt).await
    }

    /// Reads this process's events past the watermark from the store and publishes them. With `doubt` there may be some
    /// that this process does not know of.
    async fn catch_up(&mut self, doubt: bool) -> Result<(), PublishError> {
        let counters = self.counters.clone();
        let committed = || counters.committed_through.load(Ordering::Acquire);
        while doubt || self.published() < committed() {
            // Read before the store is: what is committed in between may not have been found.
            let all = committed();
            let mut conn = self.parts.store.read().await?;
            let missed =
                outbox::unpublished(&mut conn, self.writer, self.published(), CATCH_UP_BATCH)
                    .await?;
            drop(conn);
            let is_last = (missed.len() as i64) < CATCH_UP_BATCH;
            let mut through = missed.last().map_or(0, |(sequence, _)| *sequence);
            let events: Vec<_> = missed.into_iter().map(|(_, event)| event).collect();
            deliver(&self.parts, &events).await?;
            if is_last {
                // What comes after the last one found has an outcome.
                through = through.max(all).max(self.published());
            }
            self.advance(through, events.len());
            if is_last && doubt {
                return Ok(());
            }
            if self.parts.clock.elapsed().saturating_sub(self.written.0) >= TICK {
                self.ripen();
                self.write_watermark(false).await?;
            }
        }
        Ok(())
    }

    /// The bus may sync a little after it has answered. What was published some time ago is on its disk by now, so only
    /// that goes into the watermark: what a power cut takes from the bus is published again.
    fn ripen(&mut self) {
        let now = self.parts.clock.elapsed();
        if now.saturating_sub(self.mark.0) >= self.parts.config.safe_after {
            self.counters.safe_through.store(self.mark.1, Ordering::Release);
            self.mark = (now, self.published());
        }
    }

    fn published(&self) -> i64 {
        self.counters.published_through.load(Ordering::Acquire)
    }

    fn advance(&self, through: i64, events: usize) {
        self.counters.published_through.store(through, Ordering::Release);
        self.counters.published.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Writes the watermark when no commit carries it; also the sign of life of this writer.
    async fn write_watermark(&mut self, always: bool) -> Result<(), PublishError> {
        let safe = self.counters.safe_through.load(Ordering::Acquire);
        if !always && safe == self.written.1 && self.parts.store.kind() == Kind::Sqlite {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let mut conn = self.parts.store.write().await?;
        outbox::set_published(&mut conn, self.writer, safe, now).await?;
        self.written = (self.parts.clock.elapsed(), safe);
        Ok(())
    }
}

/// What cannot be read of the past must not keep back what is new.
fn or_store(done: Result<(), PublishError>, what: &str) -> Result<(), PublishError> {
    match done {
        Err(PublishError::Store(error)) => {
            tracing::error!(error = %chain(&error), "{what}");
            Ok(())
        }
        done => done,
    }
}
