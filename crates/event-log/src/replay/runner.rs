//! The loop that carries replays out. Every replica runs one; a lease says whose a replay is, and an epoch that it is
//! still theirs.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use omni_store::{
    Error, Kind,
    jobs::{self, JobRow, REPLAY},
};
use tokio::sync::Semaphore;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use uuid::Uuid;

use super::job::Carried;
use crate::{AppendError, EventLog, delivery::chain};

/// How often it looks for what others have asked for, or have left behind.
const TICK: Duration = Duration::from_secs(1);
/// How long a replay belongs to whoever carries it out without a sign of life.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often the lease is renewed; it may fail twice.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Replays that one process carries out at the same time, so that a long one holds up no other.
const JOBS_MAX: usize = 4;

/// Carries replays out.
#[derive(Debug)]
pub struct Runner {
    log: EventLog,
    room: Arc<Semaphore>,
    running: TaskTracker,
}

impl Runner {
    pub(super) fn new(log: EventLog) -> Self {
        let room = Arc::new(Semaphore::new(JOBS_MAX));
        Self { log, room, running: TaskTracker::new() }
    }

    /// Works until told to stop; what is unfinished goes on where it stopped, here or on another replica.
    pub async fn run(self, stop: CancellationToken) {
        let mut began = false;
        loop {
            if !began {
                began = self.begin().await;
            }
            if let Err(error) = self.take_up(&stop).await {
                tracing::warn!(error = %chain(&error), "replays cannot be read now");
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.log.counters.replays.notified() => {}
                () = self.log.parts.clock.sleep(TICK) => {}
            }
        }
        self.running.close();
        self.running.wait().await;
    }

    /// An embedded store has one process at a time, so at first whatever is taken up was left by a dead one.
    async fn begin(&self) -> bool {
        let store = &self.log.parts.store;
        if store.kind() != Kind::Sqlite {
            return true;
        }
        let released = async { jobs::release_all(&mut *store.write().await?, REPLAY).await };
        released.await.is_ok()
    }

    async fn take_up(&self, stop: &CancellationToken) -> Result<(), Error> {
        while let Ok(place) = self.room.clone().try_acquire_owned() {
            let Some(row) = self.claim().await? else { return Ok(()) };
            let (log, stop) = (self.log.clone(), stop.clone());
            self.running.spawn(async move {
                let _place = place;
                let key = (row.id, row.epoch);
                let _lease = AbortOnDropHandle::new(tokio::spawn(keep(log.clone(), key)));
                // Boxed: what it holds is large, and most of the time there is no replay.
                match stop.run_until_cancelled(Box::pin(carry_out(&log, row))).await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        tracing::warn!(replay = %key.0, error = %chain(&error), "a replay is interrupted and goes on later");
                    }
                    None => release(&log, key).await,
                }
            });
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<JobRow>, Error> {
        let parts = &self.log.parts;
        // Most of the time there is nothing, and asking for that needs no connection that writes.
        let mut conn = parts.store.read().await?;
        let is_free = jobs::is_free(&mut conn, REPLAY, parts.clock.now()).await?;
        drop(conn);
        if !is_free {
            return Ok(None);
        }
        let now = parts.clock.now();
        let mut conn = parts.store.write().await?;
        jobs::claim(&mut conn, REPLAY, now, now + LEASE).await
    }
}

/// Renews the lease, however long a step takes. That it is lost the replay learns by itself.
async fn keep(log: EventLog, key: (Uuid, i64)) {
    let parts = &log.parts;
    loop {
        parts.clock.sleep(RENEW_EVERY).await;
        let until = parts.clock.now() + LEASE;
        let renewed = async { jobs::renew(&mut *parts.store.write().await?, key, until).await };
        if matches!(renewed.await, Ok(false)) {
            return;
        }
    }
}

/// Lets another replica go on at once.
async fn release(log: &EventLog, key: (Uuid, i64)) {
    let store = &log.parts.store;
    let released = async { jobs::release(&mut *store.write().await?, key).await };
    if let Err(error) = released.await {
        tracing::warn!(replay = %key.0, error = %chain(&error), "a replay goes on when its lease is over");
    }
}

async fn carry_out(log: &EventLog, row: JobRow) -> Result<(), AppendError> {
    match Carried::new(log, row.clone()) {
        Ok(carried) => carried.run().await,
        // A later release may have written what this one cannot read; it says so and does not guess.
        Err(error) => {
            tracing::error!(replay = %row.id, error = %chain(&error), "a replay cannot be read and has failed");
            let mut conn = log.parts.store.write().await?;
            let (key, now) = ((row.id, row.epoch), log.parts.clock.now());
            jobs::finish(&mut conn, key, jobs::FAILED, Some(&error.to_string()), now).await?;
            Ok(())
        }
    }
}
