//! Fills a store with the events of ninety days, by the commits of the product.
//!
//! One thread makes events and compresses them, another commits them: as many at once as memory takes, because filling
//! is not what is measured.

use std::{thread, time::Duration};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use omni_clock::{Clock, SystemClock};
use omni_store::{
    Store,
    events::{self, Committed, NewEvent},
    executions::{self, Done, NewOutcome},
    outbox,
};
use tokio::sync::mpsc;

use crate::events::Events;

/// What the events are spread over.
pub(crate) const DAYS: u64 = 90;
/// Events of one transaction.
const BATCH: u64 = 4096;
/// Batches that wait for their commit.
const AHEAD: usize = 3;
/// The newest have no outcome yet.
const PENDING: u64 = 200;

/// A filled store: which events are in it, and when each was received.
#[derive(Clone)]
pub(crate) struct Filled {
    pub(crate) events: Events,
    pub(crate) count: u64,
    pub(crate) now: DateTime<Utc>,
    /// Bytes of all payloads as they were sent, and of all events as JSON.
    pub(crate) raw_bytes: [u64; 2],
}

impl Filled {
    /// An extent that is not filled yet.
    pub(crate) fn plan(events: &Events, count: u64) -> Self {
        let now = SystemClock::new().now().trunc_subsecs(3);
        Self { events: events.clone(), count, now, raw_bytes: [0; 2] }
    }

    /// When an event was received: at even distances up to now.
    pub(crate) fn at(&self, number: u64) -> DateTime<Utc> {
        let span = TimeDelta::days(DAYS as i64).num_milliseconds() as f64;
        let back = span * (self.count - number) as f64 / self.count as f64;
        self.now - TimeDelta::milliseconds(back as i64)
    }

    fn batch(&self, first: u64) -> Vec<NewEvent> {
        let last = self.count.min(first + BATCH);
        (first..last)
            .map(|number| self.events.committed(number, self.at(number), self.now))
            .collect()
    }

    /// Commits all events, and an outcome for all but the newest.
    pub(crate) async fn fill(&mut self, name: &str, store: &Store) {
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let plan = self.clone();
        let maker = thread::spawn(move || {
            for first in (0..plan.count).step_by(BATCH as usize) {
                if sender.blocking_send(plan.batch(first)).is_err() {
                    return;
                }
            }
        });
        let bar = bar(name, self.count);
        let mut conn = store.write().await.unwrap();
        let writer = outbox::claim_writer(&mut conn, "bench", self.now).await.unwrap();
        let mut done = 0;
        while let Some(batch) = batches.recv().await {
            for new in &batch {
                self.raw_bytes[0] += new.event.payload.as_bytes().len() as u64;
                self.raw_bytes[1] += serde_json::to_vec(&new.event).unwrap().len() as u64;
            }
            let committed =
                events::commit_batch(&mut conn, writer, 0, self.now, &batch).await.unwrap();
            assert!(committed.iter().all(|one| matches!(one, Committed::New { .. })));
            let finished = (self.count - done).saturating_sub(PENDING).min(batch.len() as u64);
            let outcomes: Vec<Done> = batch[..finished as usize].iter().map(outcome).collect();
            executions::commit_batch(&mut conn, &outcomes).await.unwrap();
            done += batch.len() as u64;
            bar.set_position(done);
            // Whoever interrupts the run is heard between two batches.
            tokio::task::yield_now().await;
        }
        maker.join().unwrap();
        bar.finish();
        assert_eq!(done, self.count);
    }
}

/// One in a hundred failed.
fn outcome(new: &NewEvent) -> Done {
    let event = &new.event;
    let failed = event.id.as_u128().is_multiple_of(100);
    let outcome = NewOutcome {
        event_id: event.id,
        org: event.metadata.org.as_str().to_owned(),
        status: if failed { "failed" } else { "completed" }.to_owned(),
        retry_count: 0,
        processed_at: event.received_at + TimeDelta::milliseconds(4),
        executions: 1,
        error: failed.then(|| "the receiver answered 500 Internal Server Error".to_owned()),
        received_at: event.received_at,
    };
    Done { outcome, executions: Vec::new(), dead: Vec::new() }
}

fn bar(name: &str, count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    let form = "filling {msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta_precise}";
    bar.set_style(ProgressStyle::with_template(form).unwrap());
    bar.set_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
