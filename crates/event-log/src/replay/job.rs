//! One replay: reads originals from the store in their order, a bounded piece at a time, and appends each once more.
//!
//! It must stay true that the row says no more than was done: events are appended before the place behind them is written
//! down. Whoever goes on from there appends some a second time, and their keys make repeats of those.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use omni_events::{
    EventType, Org, Payload, Replay,
    payload::{ReplayCompleted, ReplayStarted},
};
use omni_store::{
    Error,
    events::{
        Filter,
        walk::{self, Step, Walk},
    },
    jobs::{self, Advanced, JobRow, Progress},
};
use serde::Serialize;

use super::{SCOPE, Spec, again::of_job, corrupt, pace::Pace, position::Position, runner::LEASE};
use crate::{AppendError, Draft, EventLog, delivery::chain};

/// Places that are read at once.
const STEPS: i64 = 256;
/// Bytes of rows, as they are kept, that are read at once; a larger row comes alone.
const ROWS_BYTES: i64 = 1 << 20;
/// Bytes of payloads that are appended at once; a larger one goes alone.
const GROUP_BYTES: usize = 2 << 20;
/// How often the row says how far it is, and learns whether it is to go on.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Pause when the log takes nothing more for a moment: live events come first.
const PAUSE: Duration = Duration::from_millis(50);

/// The schema that the payload of an original fitted, and the draft of its replay.
type Entry = (Option<i32>, Draft);

/// A replay that is carried out here.
pub(super) struct Carried<'a> {
    log: &'a EventLog,
    row: JobRow,
    spec: Spec,
    filter: Filter,
    position: Position,
    /// What was done behind the position; told together with the next one, so that whoever goes on counts nothing twice.
    piece: Tally,
    pace: Pace,
    told: Duration,
}

/// What became of some originals.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    done: i64,
    failed: i64,
    skipped: i64,
}

/// Why the work on a replay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled,
    /// It belongs to somebody else.
    Lost,
}

/// What the row said when it was told how far the replay is.
type Told = Result<(), End>;

impl<'a> Carried<'a> {
    pub(super) fn new(log: &'a EventLog, row: JobRow) -> Result<Self, Error> {
        let spec: Spec =
            serde_json::from_str(&row.spec).map_err(|error| corrupt("spec", &error))?;
        let filter = spec.selection.filter().map_err(|error| corrupt("spec", &error))?;
        let position = Position::read(row.position.as_deref())?;
        let now = log.parts.clock.elapsed();
        let pace = Pace::new(spec.rate_per_second, now);
        Ok(Self { log, row, spec, filter, position, piece: Tally::default(), pace, told: now })
    }

    /// Goes on until the end, or until somebody does not want it any more.
    ///
    /// # Errors
    /// When the store fails; the replay is taken up again when its lease is over.
    pub(super) async fn run(mut self) -> Result<(), AppendError> {
        let end = if self.row.status == jobs::CANCELLED {
            End::Cancelled
        } else {
            match self.begin().await? {
                Ok(()) => self.go_on().await?,
                Err(end) => end,
            }
        };
        self.finish(end).await
    }

    async fn begin(&mut self) -> Result<Told, AppendError> {
        if self.row.total.is_none() {
            let mut conn = self.log.parts.store.read().await?;
            let counts = walk::counts(&mut conn, self.walk()).await?;
            drop(conn);
            self.row.total = Some(counts.iter().map(|count| count.events).sum());
        }
        let told = self.tell().await?;
        if told.is_ok() {
            let events = self.row.total.and_then(|total| u64::try_from(total).ok());
            let started = ReplayStarted { replay_id: self.row.id.to_string(), events };
            self.say("system.replay.started", &started).await?;
        }
        Ok(told)
    }

    async fn go_on(&mut self) -> Result<End, AppendError> {
        loop {
            let mut conn = self.log.parts.store.read().await?;
            let steps = walk::steps(&mut conn, self.walk(), self.position.after, STEPS).await?;
            drop(conn);
            if steps.is_empty() {
                return Ok(End::Completed);
            }
            let mut steps = VecDeque::from(steps);
            while !steps.is_empty() {
                if let Err(end) = self.piece(&mut steps).await? {
                    return Ok(end);
                }
            }
        }
    }

    /// Reads as many rows as go together, and appends them.
    async fn piece(&mut self, steps: &mut VecDeque<Step>) -> Result<Told, AppendError> {
        let (mut places, mut bytes, mut last) = (Vec::new(), 0, self.position.after);
        while let Some(step) = steps.front() {
            let size = step.size.unwrap_or_default();
            if !places.is_empty()
                && (bytes + size > ROWS_BYTES || places.len() >= self.pace.group())
            {
                break;
            }
            bytes += size;
            last = Some(step.place);
            if step.size.is_some() {
                places.push(step.place);
            }
            steps.pop_front();
        }
        let mut conn = self.log.parts.store.read().await?;
        let rows = walk::packed(&mut conn, &places).await?;
        drop(conn);
        let (mut drafts, mut bytes) = (Vec::new(), 0);
        for row in rows {
            let id = row.id();
            let event = match row.open() {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(event = %id, error = %chain(&error), "an event cannot be read and is not replayed");
                    self.piece.failed += 1;
                    continue;
                }
            };
            let Some(event) = event else {
                self.piece.skipped += 1;
                continue;
            };
            let size = event.payload.as_bytes().len();
            if !drafts.is_empty() && bytes + size > GROUP_BYTES {
                if let Err(end) = self.append(&mut drafts).await? {
                    return Ok(Err(end));
                }
                bytes = 0;
            }
            bytes += size;
            drafts.push((event.schema_version, of_job(event, self.replay())));
        }
        if let Err(end) = self.append(&mut drafts).await? {
            return Ok(Err(end));
        }
        self.position.after = last;
        self.settle();
        self.tell_in_time().await
    }

    /// Appends a group in its order. What finds the log full waits, and everything after it.
    async fn append(&mut self, group: &mut Vec<Entry>) -> Result<Told, AppendError> {
        if group.is_empty() {
            return Ok(Ok(()));
        }
        let clock = self.log.parts.clock.clone();
        self.pace.take(group.len(), &*clock).await;
        while !group.is_empty() {
            // They are first polled in their order, and take their place in the queue then. What comes after one that
            // found it full does not try, or it would overtake.
            let (log, is_full) = (self.log, AtomicBool::new(false));
            let one = async |(schema_version, draft): &Entry| {
                if is_full.load(Ordering::Relaxed) {
                    return Err(AppendError::Overloaded);
                }
                let answer = log.append_checked(draft.clone(), *schema_version).await;
                is_full.fetch_or(matches!(answer, Err(AppendError::Overloaded)), Ordering::Relaxed);
                answer
            };
            let answers = join_all(group.iter().map(one));
            let mut gone = 0;
            for answer in answers.await {
                match answer {
                    Ok(_) => self.piece.done += 1,
                    Err(AppendError::Overloaded) => break,
                    Err(error @ (AppendError::Store(_) | AppendError::Stopped)) => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(replay = %self.row.id, error = %chain(&error), "an event cannot be replayed");
                        self.piece.failed += 1;
                    }
                }
                gone += 1;
            }
            group.drain(..gone);
            if !group.is_empty() {
                if let Err(end) = self.tell_in_time().await? {
                    return Ok(Err(end));
                }
                clock.sleep(PAUSE).await;
            }
        }
        Ok(Ok(()))
    }

    /// Counts what was done up to the position.
    fn settle(&mut self) {
        let Tally { done, failed, skipped } = std::mem::take(&mut self.piece);
        self.row.done += done;
        self.row.failed += failed;
        self.position.skipped += skipped;
    }

    async fn tell_in_time(&mut self) -> Result<Told, AppendError> {
        let now = self.log.parts.clock.elapsed();
        if now.saturating_sub(self.told) < TELL_EVERY { Ok(Ok(())) } else { self.tell().await }
    }

    /// Writes down how far it is.
    async fn tell(&mut self) -> Result<Told, AppendError> {
        let parts = &self.log.parts;
        let progress = Progress {
            total: self.row.total,
            done: self.row.done,
            failed: self.row.failed,
            position: Some(self.position.write()),
        };
        let now = parts.clock.now();
        let mut conn = parts.store.write().await?;
        let key = (self.row.id, self.row.epoch);
        let advanced = jobs::advance(&mut conn, key, &progress, now, now + LEASE).await?;
        drop(conn);
        self.told = parts.clock.elapsed();
        Ok(match advanced {
            Advanced::Going => Ok(()),
            Advanced::Cancelled => Err(End::Cancelled),
            Advanced::Lost => Err(End::Lost),
        })
    }

    async fn finish(mut self, end: End) -> Result<(), AppendError> {
        let status = match end {
            End::Completed => jobs::COMPLETED,
            End::Cancelled => jobs::CANCELLED,
            End::Lost => return Ok(()),
        };
        self.settle();
        // What was done last is counted, and whoever has lost it says nothing.
        if self.tell().await? == Err(End::Lost) {
            return Ok(());
        }
        // One that was cancelled before it began was never told of.
        if self.row.total.is_some() {
            let count = |count: i64| u64::try_from(count).unwrap_or(0);
            let completed = ReplayCompleted {
                replay_id: self.row.id.to_string(),
                events: count(self.row.done),
                failed: count(self.row.failed),
            };
            self.say("system.replay.completed", &completed).await?;
        }
        let parts = &self.log.parts;
        let mut conn = parts.store.write().await?;
        let key = (self.row.id, self.row.epoch);
        jobs::finish(&mut conn, key, status, None, parts.clock.now()).await?;
        tracing::info!(replay = %self.row.id, status, done = self.row.done, failed = self.row.failed, "a replay has ended");
        Ok(())
    }

    /// Tells of the replay by an event, once however often it is said.
    async fn say(&self, event_type: &str, payload: &impl Serialize) -> Result<(), AppendError> {
        let payload = serde_json::to_vec(payload).unwrap_or_default();
        let (Ok(org), Ok(event_type), Ok(payload)) = (
            Org::parse(&self.row.org),
            EventType::parse(event_type),
            Payload::parse(payload.into()),
        ) else {
            return Ok(());
        };
        let key = format!("{}:{event_type}", self.row.id);
        let draft = Draft::new(org, event_type, SCOPE, payload).deduplicated(SCOPE, key, [0; 32]);
        match self.log.append(draft).await {
            Ok(_) => Ok(()),
            // Taken up again later, and said then.
            Err(
                error @ (AppendError::Store(_) | AppendError::Stopped | AppendError::Overloaded),
            ) => Err(error),
            Err(error) => {
                tracing::warn!(replay = %self.row.id, error = %chain(&error), "a replay could not be told of");
                Ok(())
            }
        }
    }

    fn walk(&self) -> Walk<'_> {
        Walk {
            org: &self.row.org,
            filter: &self.filter,
            ids: &self.spec.selection.ids,
            until: self.until(),
        }
    }

    /// What was received later is no part of it; above all not what it brings back itself.
    fn until(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    fn replay(&self) -> Replay {
        Replay {
            id: self.row.id,
            automation_id: self.spec.automation_id,
            repeat_effects: self.spec.repeat_effects,
            dead_letter: false,
        }
    }
}
