//! The agent that deletes what is over: captures that have expired, the rows of those deleted long ago, keys under
//! which no repeat is recognised any more, and refused requests that nobody released.
//!
//! It must stay true that it takes little at once, so that it keeps no event waiting, and that it may run in every
//! replica: what one is working on the others pass by.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use omni_clock::Clock;
use omni_store::{Error, Store, events::purge_keys, payloads, quarantine};
use tokio_util::sync::CancellationToken;

/// How often it looks.
const EVERY: Duration = Duration::from_mins(1);
/// Captures in one transaction: a few milliseconds of the one connection that writes to SQLite.
const CAPTURES: i64 = 256;
/// Keys in one transaction.
const KEYS: i64 = 1024;
/// Refused requests in one transaction; each may be as large as the largest body.
const REFUSED: i64 = 32;
/// How long a refused request waits for its source to be mended: a fortnight, holidays included.
const REFUSED_STAY: TimeDelta = TimeDelta::days(14);
/// The pause between transactions, for whoever wants to write.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the row of a deleted capture says when and why it was deleted.
const ROWS_STAY: TimeDelta = TimeDelta::days(30);

/// Deletes what is over.
#[derive(Debug)]
pub(crate) struct Housekeeping {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What one round did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    expired: usize,
    removed: usize,
    keys: usize,
    refused: usize,
}

impl Housekeeping {
    /// Runs until stopped; what it has not finished then is left for the next start.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            loop {
                match self.round().await {
                    Ok(done) if done == Done::default() => {}
                    Ok(Done { expired, removed, keys, refused }) => {
                        tracing::info!(expired, removed, keys, refused, "housekeeping is done");
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "housekeeping goes on in a minute");
                    }
                }
                self.clock.sleep(EVERY).await;
            }
        })
        .await;
    }

    async fn round(&self) -> Result<Done, Error> {
        let now = self.clock.now();
        let mut done = Done::default();
        loop {
            let mut conn = self.store.write().await?;
            let expired = payloads::expire(&mut conn, None, now, CAPTURES).await?;
            drop(conn);
            done.expired += expired;
            if self.is_last(expired, CAPTURES).await {
                break;
            }
        }
        loop {
            let mut conn = self.store.write().await?;
            let removed = payloads::remove(&mut conn, now - ROWS_STAY, CAPTURES).await?;
            drop(conn);
            done.removed += removed;
            if self.is_last(removed, CAPTURES).await {
                break;
            }
        }
        loop {
            let mut conn = self.store.write().await?;
            let keys = purge_keys(&mut conn, now, KEYS).await?;
            drop(conn);
            done.keys += keys;
            if self.is_last(keys, KEYS).await {
                break;
            }
        }
        loop {
            let mut conn = self.store.write().await?;
            let refused = quarantine::purge(&mut conn, now - REFUSED_STAY, REFUSED).await?;
            drop(conn);
            done.refused += refused;
            if self.is_last(refused, REFUSED).await {
                return Ok(done);
            }
        }
    }

    /// Whether nothing more is to be found; otherwise it makes a pause.
    async fn is_last(&self, found: usize, most: i64) -> bool {
        let is_last = (found as i64) < most;
        if !is_last {
            self.clock.sleep(PAUSE).await;
        }
        is_last
    }
}
