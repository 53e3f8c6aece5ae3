//! The publisher: hands committed events to the bus in order, and reads from the store what it has missed.
//!
//! Batches come from the appender as a hint. Whenever a batch does not follow on what is published (one was dropped,
//! the bus was away, the process has just started) the store is read from the watermark on. So nothing here has to be
//! remembered, and an event may reach the bus twice but never not at all.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use omni_event_bus::{Error as BusError, EventBus};
use omni_events::Event;
use omni_store::{Kind, outbox};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Closing,
    appender::Batch,
    log::{Counters, Parts},
    recovery::Recovery,
};

/// Events read from the store at once while catching up; few, because each may be as large as a message may be.
const CATCH_UP_BATCH: i64 = 128;
/// How often the watermark is written and missed events are looked for without a hint.
const TICK: Duration = Duration::from_secs(1);
/// What has been published for so long is on the disk of the bus: longer than the embedded bus takes to sync, shorter
/// than a tick.
const SAFE_AFTER: Duration = Duration::from_millis(750);
/// The longest pause between tries while the bus is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why a batch did not reach the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("the bus refused a batch")]
    Bus(#[from] BusError),
    #[error("the store could not be read")]
    Store(#[from] omni_store::Error),
}

/// The loop that publishes; run exactly one per [`crate::open`].
#[derive(Debug)]
pub struct Publisher {
    parts: Arc<Parts>,
    writer: i64,
    pub(crate) batches: mpsc::Receiver<Batch>,
    counters: Arc<Counters>,
    recovery: Recovery,
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
        let (mark, written) = ((Duration::ZERO, 0), (Duration::ZERO, 0));
        Self { parts, writer, batches, counters, recovery, mark, written }
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
                batch = self.batches.recv() => match batch {
                    Some(batch) => self.publish(batch).await,
                    None => break,
                },
            };
        }
        let published = match self.tick().await {
            Ok(()) => {
                let (published, counters) = (self.published(), &self.counters);
                let all = published >= counters.committed_through.load(Ordering::Acquire);
                (all && !counters.doubt.load(Ordering::Acquire)).then_some(published)
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
        &self,
        step: Result<(), PublishError>,
        failures: u32,
        stop: &CancellationToken,
    ) -> u32 {
        let Err(error) = step else { return 0 };
        self.counters.publish_failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %chain(&error), failures, "events wait in the store for the bus");
        let pause = Duration::from_millis(50 << failures.min(7)).min(PAUSE_MAX);
        tokio::select! {
            () = self.parts.clock.sleep(pause) => {}
            () = stop.cancelled() => {}
        }
        failures.saturating_add(1)
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
        deliver(&self.parts.bus, &batch.events).await?;
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
        match self.recovery.run().await {
            Err(PublishError::Store(error)) => {
                // What the dead have left must not keep back what the living do.
                tracing::error!(error = %chain(&error), "what a dead process left cannot be read");
            }
            done => done?,
        }
        self.catch_up(doubt).await
    }

    /// Reads this process's events past the watermark from the store and publishes them. With `doubt` there may be some
    /// that this process does not know of.
    async fn catch_up(&mut self, doubt: bool) -> Result<(), PublishError> {
        let counters = self.counters.clone();
        let committed = || counters.committed_through.load(Ordering::Acquire);
        while doubt || self.published() < committed() {
            let mut conn = self.parts.store.read().await?;
            let missed =
                outbox::unpublished(&mut conn, self.writer, self.published(), CATCH_UP_BATCH)
                    .await?;
            drop(conn);
            let Some((through, _)) = missed.last() else { return Ok(()) };
            let through = *through;
            let events: Vec<_> = missed.into_iter().map(|(_, event)| event).collect();
            deliver(&self.parts.bus, &events).await?;
            self.advance(through, events.len());
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
        if now.saturating_sub(self.mark.0) >= SAFE_AFTER {
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

/// Publishes events in order. One that the bus will never take is left out and said: it stays in the store, and holds up
/// nobody.
pub(crate) async fn deliver(bus: &EventBus, events: &[Event]) -> Result<(), BusError> {
    match bus.publish(events).await {
        Err(error) if is_for_ever(&error) => {}
        done => return done.map(drop),
    }
    for event in events {
        match bus.publish(std::slice::from_ref(event)).await {
            Err(error) if is_for_ever(&error) => {
                tracing::error!(event = %event.id, error = %chain(&error), "the bus cannot carry an event; it stays in the store and nothing will handle it");
            }
            done => drop(done?),
        }
    }
    Ok(())
}

/// Whether it is about the event, and not about the bus.
fn is_for_ever(error: &BusError) -> bool {
    matches!(
        error,
        BusError::UnknownDomain { .. } | BusError::TooLarge { .. } | BusError::Encode { .. }
    )
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
