//! The loop that fires: sleeps until something is due, has it decided, and has the events recorded.
//!
//! What must stay true: it may be stopped or die at every line. What was decided is pending in the store, and what is
//! pending is taken up by whoever lives; everything else was not begun.

mod keeping;

use std::{future::Future, time::Duration};

use chrono::{DateTime, Utc};
use omni_store::{
    Kind,
    schedules::{self as store, Decided, Due, PENDING},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Error, Schedules,
    judge::{LEASE, judge},
    recording::Taken,
    stats::add,
};

/// Schedules decided at once, and fires taken up at once.
const BATCH: i64 = 500;
/// Instants that one batch may make; what is beyond is left for the next, so that no transaction grows without bound.
const FIRES_MAX: usize = 4_000;
/// Batches whose events are being recorded while the next is decided.
const RECORDING_MAX: usize = 4;
/// Pause when something is due that another replica has in hand.
const PAUSE: Duration = Duration::from_millis(50);

/// Fires what is due; see [`Schedules::runner`].
#[derive(Debug)]
pub struct Runner {
    schedules: Schedules,
    recording: JoinSet<Result<(), Error>>,
    /// When it is looked again for work that is done.
    promote_at: Duration,
}

impl Runner {
    pub(crate) fn new(schedules: Schedules) -> Self {
        Self { schedules, recording: JoinSet::new(), promote_at: Duration::ZERO }
    }

    /// Runs until stopped, then finishes what it has taken up.
    pub async fn run(mut self, stop: CancellationToken) {
        let keeping = tokio::spawn(keeping::run(self.schedules.clone(), stop.clone()));
        if let Err(error) = self.begin().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "fires that were left are taken up when their lease is over");
        }
        while !stop.is_cancelled() {
            let pause = match self.turn(&stop).await {
                Ok(pause) => pause,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "schedules wait for the store");
                    self.schedules.0.config.check_every
                }
            };
            let inner = &self.schedules.0;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = inner.changed.notified() => {}
                () = inner.clock.sleep(pause) => {}
                Some(done) = self.recording.join_next() => report(done),
            }
        }
        while let Some(done) = self.recording.join_next().await {
            report(done);
        }
        if keeping.await.is_err() {
            tracing::error!("looking after schedules ended badly");
        }
    }

    /// An embedded store has one process at a time, so whatever was taken up was left by a dead one.
    async fn begin(&self) -> Result<(), Error> {
        let inner = &self.schedules.0;
        keeping::compare_clocks(&self.schedules).await?;
        if inner.store.kind() == Kind::Sqlite {
            let mut conn = inner.store.write().await?;
            store::release(&mut conn, inner.now(), DateTime::UNIX_EPOCH).await?;
        }
        Ok(())
    }

    /// Does everything that is due, and answers how long nothing will be, as far as is known.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, Error> {
        loop {
            while let Some(done) = self.recording.try_join_next() {
                report(done);
            }
            let wake = {
                let mut conn = self.schedules.0.store.read().await?;
                store::wake(&mut conn).await?
            };
            let now = self.schedules.0.now();
            let is_due = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
            let mut has_done = false;
            if is_due(wake.due) {
                has_done |= self.decide().await?;
            }
            if is_due(wake.ready) {
                has_done |= self.take().await?;
            }
            let elapsed = self.schedules.0.clock.elapsed();
            if wake.waits && elapsed >= self.promote_at {
                self.promote().await?;
                self.promote_at = elapsed + self.schedules.0.config.check_every;
            }
            if has_done && !stop.is_cancelled() {
                continue;
            }
            if is_due(wake.due) || is_due(wake.ready) {
                return Ok(PAUSE.min(self.schedules.0.config.check_every));
            }
            let now = self.schedules.0.now();
            let next = wake.due.into_iter().chain(wake.ready).min();
            let until = next.map(|next| (next - now).to_std().unwrap_or_default());
            let check = self.schedules.0.config.check_every;
            return Ok(until.map_or(check, |until| until.min(check)));
        }
    }

    async fn decide(&mut self) -> Result<bool, Error> {
        let decided = self.schedules.decide_due(None).await?;
        let has_done = !decided.is_empty();
        self.record(taken(decided)).await;
        Ok(has_done)
    }

    async fn take(&mut self) -> Result<bool, Error> {
        let inner = self.schedules.0.clone();
        let now = inner.now();
        let mut conn = inner.store.write().await?;
        let taken = store::take(&mut conn, now, now + LEASE, BATCH).await?;
        drop(conn);
        let has_done = !taken.is_empty();
        self.record(taken).await;
        Ok(has_done)
    }

    async fn promote(&mut self) -> Result<(), Error> {
        let inner = self.schedules.0.clone();
        let now = inner.now();
        let mut conn = inner.store.write().await?;
        let taken = store::promote(&mut conn, now, now + LEASE, BATCH).await?;
        drop(conn);
        self.record(taken).await;
        Ok(())
    }

    /// Has events recorded while the next batch is decided.
    async fn record(&mut self, taken: Vec<Taken>) {
        if taken.is_empty() {
            return;
        }
        while self.recording.len() >= RECORDING_MAX {
            if let Some(done) = self.recording.join_next().await {
                report(done);
            }
        }
        let schedules = self.schedules.clone();
        self.recording.spawn(async move { schedules.record(taken).await });
    }
}

impl Schedules {
    /// Decides a batch of what is due, or one schedule if it is.
    pub(crate) async fn decide_due(&self, only: Option<Uuid>) -> Result<Vec<Decided>, Error> {
        let inner = &self.0;
        let now = inner.now();
        let mut made = 0;
        let mut one = |due: Due| {
            if made > FIRES_MAX {
                return None;
            }
            let prepared = inner.ready.get(&due.row);
            let decided = judge(&prepared, due, now, &inner.random);
            made += decided.fires.len();
            Some(decided)
        };
        let mut conn = inner.store.write().await?;
        let decided = store::decide(&mut conn, now, (only, BATCH), &mut one).await?;
        drop(conn);
        let of = |status: &str| {
            let fires = decided.iter().flat_map(|one| &one.fires);
            fires.filter(|fire| fire.status == status).count()
        };
        add(&inner.counters.skipped, of(store::SKIPPED));
        add(&inner.counters.missed, of(store::MISSED));
        Ok(decided)
    }

    /// Decides one schedule, if it is due, and records what fires.
    pub(crate) async fn decide_one(&self, schedule: Uuid) -> Result<(), Error> {
        let decided = self.decide_due(Some(schedule)).await?;
        self.record(taken(decided)).await
    }
}

/// What was decided to fire now; the rest waits for its jitter or for work to be done.
fn taken(decided: Vec<Decided>) -> Vec<Taken> {
    let each = decided.into_iter().flat_map(|Decided { row, fires, .. }| {
        let now = fires.into_iter().filter(|fire| fire.status == PENDING && fire.fence > 0);
        now.map(move |fire| (row.clone(), fire))
    });
    each.collect()
}

fn report(done: Result<Result<(), Error>, tokio::task::JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "fires are not marked; they are taken up again");
        }
        Err(error) => {
            tracing::error!(error = %error, "recording fires ended badly; they are taken up again");
        }
    }
}

/// Runs something until told to stop.
async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    stop.run_until_cancelled(work).await
}
