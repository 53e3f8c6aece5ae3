//! The publisher: hands committed events to the bus in order, and reads from the store what it has missed.
//!
//! Batches come from the appender as a hint. Whenever a batch does not follow on what is published (one was dropped,
//! the bus was away, the process has just started) the store is read from the watermark on. So nothing here has to be
//! remembered, and an event may reach the bus twice but never not at all.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use omni_store::{Kind, outbox};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    appender::Batch,
    log::{Counters, Parts},
    recovery::Recovery,
};

/// Events read from the store at once while catching up.
const CATCH_UP_BATCH: i64 = 512;
/// How often the watermark is written and missed events are looked for without a hint. Longer than the embedded bus
/// takes to sync, which [`Publisher::tick`] relies on.
const TICK: Duration = Duration::from_secs(1);
/// The longest pause between tries while the bus is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why a batch did not reach the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("the bus refused a batch")]
    Bus(#[from] omni_event_bus::Error),
    #[error("the store could not be read")]
    Store(#[from] omni_store::Error),
}

/// The loop that publishes; run exactly one per [`crate::open`].
#[derive(Debug)]
pub struct Publisher {
    parts: Arc<Parts>,
    writer: i64,
    batches: mpsc::Receiver<Batch>,
    counters: Arc<Counters>,
    recovery: Recovery,
    /// Up to where was published at the last tick.
    published_at_tick: i64,
    /// The watermark as it stands in the store.
    written: i64,
}

impl Publisher {
    pub(crate) fn new(
        parts: Arc<Parts>,
        writer: i64,
        batches: mpsc::Receiver<Batch>,
        counters: Arc<Counters>,
    ) -> Self {
        let recovery = Recovery::new(parts.clone(), writer);
        Self { parts, writer, batches, counters, recovery, published_at_tick: 0, written: 0 }
    }

    /// Publishes until told to stop and the appender has ended; then publishes the rest and writes the watermark.
    pub async fn run(mut self, stop: CancellationToken) {
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
        if let Err(error) = self.tick().await {
            tracing::warn!(error = %chain(&error), "the rest will be published at the next start");
        }
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
    async fn publish(&mut self, batch: Batch) -> Result<(), PublishError> {
        if batch.through <= self.published() {
            return Ok(());
        }
        if batch.previous != self.published() {
            return self.catch_up().await;
        }
        self.parts.bus.publish(&batch.events).await?;
        self.advance(batch.through, batch.events.len());
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), PublishError> {
        self.catch_up().await?;
        self.recovery.run().await?;
        // The bus may sync a little after it has answered. What was published by the last tick is safe by now, so only
        // that goes into the watermark: what a power cut takes from the bus is published again.
        let published = self.published();
        let safe = std::mem::replace(&mut self.published_at_tick, published);
        self.counters.safe_through.store(safe, Ordering::Release);
        self.write_watermark(safe).await
    }

    /// Reads this process's events past the watermark from the store and publishes them.
    async fn catch_up(&mut self) -> Result<(), PublishError> {
        while self.published() < self.counters.committed_through.load(Ordering::Acquire) {
            let mut conn = self.parts.store.read().await?;
            let missed =
                outbox::unpublished(&mut conn, self.writer, self.published(), CATCH_UP_BATCH)
                    .await?;
            drop(conn);
            let Some((through, _)) = missed.last() else { return Ok(()) };
            let through = *through;
            let events: Vec<_> = missed.into_iter().map(|(_, event)| event).collect();
            self.parts.bus.publish(&events).await?;
            self.advance(through, events.len());
        }
        Ok(())
    }

    fn published(&self) -> i64 {
        self.counters.published_through.load(Ordering::Acquire)
    }

    fn advance(&self, through: i64, events: usize) {
        self.counters.published_through.store(through, Ordering::Release);
        self.counters.published.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Writes the watermark when no commit carries it; also the sign of life of this writer.
    async fn write_watermark(&mut self, safe: i64) -> Result<(), PublishError> {
        if safe == self.written && self.parts.store.kind() == Kind::Sqlite {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let mut conn = self.parts.store.write().await?;
        outbox::set_published(&mut conn, self.writer, safe, now).await?;
        self.written = safe;
        Ok(())
    }
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
