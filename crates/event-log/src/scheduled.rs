//! Events that happen later: checked and kept now, appended when they are due, cancelled until then.
//!
//! It must stay true that what was accepted happens at most once, and happens unless it is cancelled, whoever dies
//! meanwhile: the event has its id from the beginning, so appending it a second time is a repeat.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use omni_events::Org;
use omni_store::{
    Error, Kind,
    events::Committed,
    scheduled::{self, Page, Scheduled},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{AppendError, Draft, EventLog, check::check_size, delivery::chain};

/// How far ahead an event may be scheduled.
pub const SCHEDULE_DAYS_MAX: i64 = 366;
/// How often it looks for what another replica has accepted.
const TICK: Duration = Duration::from_secs(1);
/// What was taken up so long ago and is still there was left by a process that died. Far more than an append takes.
const STALE_AFTER: TimeDelta = TimeDelta::seconds(15);
/// Events taken at once; few, because each may be as large as a message may be.
const BATCH: i64 = 16;

/// Why an event was not scheduled.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It would happen too late.
    #[error(
        "an event can be scheduled at most {SCHEDULE_DAYS_MAX} days ahead; choose an earlier time"
    )]
    TooFar,
    /// It would not be accepted now either.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl From<Error> for ScheduleError {
    fn from(error: Error) -> Self {
        Self::Append(error.into())
    }
}

/// What became of the wish to cancel an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancelled {
    /// It will not happen; also when it was cancelled before.
    Done(Box<Scheduled>),
    /// It has happened, or is happening.
    TooLate,
    /// There is no such event.
    Unknown,
}

impl EventLog {
    /// Accepts an event that happens at `at`, or at once if that is past. When this returns `Ok`, the wish is durable.
    ///
    /// The draft is checked now, as if it were appended. Its key is remembered from now on. The answer is the id that the
    /// event will have; for a repeat, that of the first.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn schedule(&self, draft: Draft, at: DateTime<Utc>) -> Result<Uuid, ScheduleError> {
        let now = self.parts.clock.now();
        if at > now + TimeDelta::days(SCHEDULE_DAYS_MAX) {
            return Err(ScheduleError::TooFar);
        }
        let at = at.trunc_subsecs(3);
        let draft = Draft { time: Some(at), ..draft };
        let schema_version = self.check_draft(&draft).await?;
        let _room = self.make_room(&draft)?;
        let new = self.accept(draft, schema_version);
        check_size(&new.event, self.parts.bus.message_size_max())?;
        let mut conn = self.parts.store.write().await?;
        let kept = scheduled::insert(&mut conn, &new.event, at, new.dedupe.as_ref(), now).await?;
        drop(conn);
        self.counters.scheduled.notify_one();
        match kept {
            Committed::New { .. } => Ok(new.event.id),
            Committed::Repeat { event_id, .. } => Ok(event_id),
            Committed::Conflict { event_id } => Err(AppendError::Conflict { event_id }.into()),
        }
    }

    /// Looks up an event that waits or was cancelled.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn scheduled(&self, org: &Org, id: Uuid) -> Result<Option<Scheduled>, Error> {
        let mut conn = self.parts.store.read().await?;
        scheduled::get(&mut conn, org.as_str(), id).await
    }

    /// Lists events that wait or were cancelled, the one that is due first first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_scheduled(&self, org: &Org, page: &Page) -> Result<Vec<Scheduled>, Error> {
        let mut conn = self.parts.store.read().await?;
        scheduled::list(&mut conn, org.as_str(), page).await
    }

    /// Cancels an event that waits. An event happens or is cancelled, never both.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel(&self, org: &Org, id: Uuid) -> Result<Cancelled, Error> {
        let mut conn = self.parts.store.write().await?;
        scheduled::cancel(&mut conn, org.as_str(), id, self.parts.clock.now()).await?;
        let found = scheduled::get(&mut conn, org.as_str(), id).await?;
        drop(conn);
        match found {
            Some(found) if found.status == scheduled::CANCELLED => {
                Ok(Cancelled::Done(Box::new(found)))
            }
            Some(_) => Ok(Cancelled::TooLate),
            None if self.get(org, id).await?.is_some() => Ok(Cancelled::TooLate),
            None => Ok(Cancelled::Unknown),
        }
    }

    /// The loop that appends what is due; any number of replicas may run it.
    pub fn timer(&self) -> Timer {
        Timer { log: self.clone(), began: false }
    }
}

/// Appends scheduled events when they are due.
#[derive(Debug)]
pub struct Timer {
    log: EventLog,
    began: bool,
}

impl Timer {
    /// Runs until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let pause = match stop.run_until_cancelled(Box::pin(self.fire())).await {
                None => return,
                Some(Ok(pause)) => pause,
                Some(Err(error)) => {
                    tracing::warn!(error = %chain(&error), "scheduled events cannot be read now");
                    TICK
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.log.counters.scheduled.notified() => {}
                () = self.log.parts.clock.sleep(pause) => {}
            }
        }
    }

    /// Appends everything that is due, and answers how long nothing will be, as far as is known.
    async fn fire(&mut self) -> Result<Duration, Error> {
        let parts = self.log.parts.clone();
        loop {
            let now = parts.clock.now();
            // An embedded store has one process at a time, so at first whatever was taken up was left by a dead one.
            let alone = !self.began && parts.store.kind() == Kind::Sqlite;
            let stale = if alone { now + TimeDelta::milliseconds(1) } else { now - STALE_AFTER };
            let mut conn = parts.store.read().await?;
            let due = scheduled::due(&mut conn, now, stale, BATCH).await?;
            drop(conn);
            self.began = true;
            if due.is_empty() {
                break;
            }
            let mut conn = parts.store.write().await?;
            let taken = scheduled::take(&mut conn, &due, now).await?;
            drop(conn);
            for (id, due) in taken {
                match due {
                    Ok(due) => self.append(due).await?,
                    Err(error) => {
                        tracing::error!(%id, error = %chain(&error), "a scheduled event cannot be read and does not happen");
                    }
                }
            }
        }
        let next = scheduled::next_due(&mut *parts.store.read().await?).await?;
        // One that has become due meanwhile is due now.
        let until = next.map(|due| (due - parts.clock.now()).to_std().unwrap_or_default());
        Ok(until.map_or(TICK, |until| until.min(TICK)))
    }

    /// Appends one; what fails now stays taken up and is tried again when that is stale.
    async fn append(&self, due: Scheduled) -> Result<(), Error> {
        let event = due.event;
        let draft = Draft {
            id: Some(event.id),
            event_type: event.event_type,
            source: event.source,
            payload: event.payload,
            time: Some(due.due_at),
            metadata: event.metadata,
            dedupe: None,
            capture: None,
        };
        // It was checked when it was accepted: a schema that has become stricter since does not take it back.
        match self.log.append_checked(draft, event.schema_version).await {
            Ok(_) => scheduled::fired(&mut *self.log.parts.store.write().await?, event.id).await,
            Err(error) => {
                tracing::error!(id = %event.id, error = %chain(&error), "a scheduled event could not be appended and is tried again");
                Ok(())
            }
        }
    }
}
