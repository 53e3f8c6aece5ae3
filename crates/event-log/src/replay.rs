//! Replays: events that happened are brought back as new events that point at the originals.
//!
//! It must stay true that history does not change, that one replay brings back each original once at most, whoever dies
//! meanwhile, and that nothing happens unless it was asked for: a plan only counts.

pub(crate) mod again;
mod job;
mod pace;
mod position;
mod runner;
mod spec;

use chrono::{DateTime, SubsecRound as _, Utc};
use omni_events::{Org, Replay};
use omni_store::{
    Error,
    events::{
        Committed, NewKey,
        walk::{self, TypeCount},
    },
    jobs::{self, JobRow, NewJob, REPLAY},
};
use uuid::Uuid;

use self::{again::of_job, position::Position};
use crate::{AppendError, Appended, EventLog};

pub use self::{
    runner::Runner,
    spec::{IDS_MAX, RATE_DEFAULT, RATE_MAX, Selection, Spec},
};

/// Keys under which the events of a replay are recognised.
pub(crate) const SCOPE: &str = "replay";
/// Keys of requests to begin one.
const REQUESTS: &str = "replay.start";

/// Begins, shows and stops replays; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Replays {
    log: EventLog,
}

/// What a replay would bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many events of each type.
    pub types: Vec<TypeCount>,
    /// Of these, how many the one automation has succeeded on already; `None` when it is for all automations, or repeats
    /// effects.
    pub succeeded: Option<i64>,
}

/// A replay that was asked for, and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The row of it.
    pub row: JobRow,
    /// What was asked for.
    pub spec: Spec,
    /// Events left out because their payload was taken out on purpose.
    pub skipped: i64,
    /// The time of receipt up to which events were looked at.
    pub through: Option<DateTime<Utc>>,
}

/// Why a replay did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// What was asked for makes no sense.
    #[error("{field}: {reason}")]
    Spec {
        /// The field, as the API names it.
        field: &'static str,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// Another replay was asked for under the same key.
    #[error("this key was used before for another replay, {id}; use a new key or ask for the same")]
    Conflict {
        /// The other replay.
        id: Uuid,
    },
    /// The event has no payload any more.
    #[error("the payload of event {id} was taken out on purpose; there is nothing to bring back")]
    Expunged {
        /// The event.
        id: Uuid,
    },
    /// The one event that was to be brought back could not be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl EventLog {
    /// The replays of this log.
    pub fn replays(&self) -> Replays {
        Replays { log: self.clone() }
    }
}

impl Replays {
    /// Counts what a replay would bring back, and does nothing else.
    ///
    /// # Errors
    /// When the specification makes no sense or the store fails.
    pub async fn plan(&self, org: &Org, spec: &Spec) -> Result<Plan, ReplayError> {
        spec.check()?;
        let filter = spec.selection.filter()?;
        let until = self.now();
        let walk =
            walk::Walk { org: org.as_str(), filter: &filter, ids: &spec.selection.ids, until };
        let mut conn = self.log.parts.store.read().await?;
        let types = walk::counts(&mut conn, walk).await?;
        let succeeded = match spec.automation_id {
            Some(id) if !spec.repeat_effects => Some(walk::succeeded(&mut conn, walk, id).await?),
            _ => None,
        };
        Ok(Plan { types, succeeded })
    }

    /// Begins a replay in the background, of what has been received until now. When this returns, it will be carried out
    /// unless it is cancelled. With a key, a repeat of the request answers with the replay of the first.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn start(
        &self,
        org: &Org,
        spec: &Spec,
        by: Option<String>,
        key: Option<String>,
    ) -> Result<Job, ReplayError> {
        spec.check()?;
        spec.selection.filter()?;
        let now = self.now();
        let id = self.log.parts.random.uuid_v7(now);
        let text = serde_json::to_string(spec).map_err(|error| ReplayError::Spec {
            field: "",
            reason: format!("it cannot be kept: {error}"),
        })?;
        let key = key.map(|key| NewKey {
            scope: REQUESTS.to_owned(),
            key,
            body_hash: fingerprint(&text),
            expires_at: now + self.log.parts.config.dedupe_window,
        });
        let new = NewJob {
            id,
            org: org.as_str().to_owned(),
            kind: REPLAY,
            spec: text,
            total: None,
            created_by: by,
            created_at: now,
        };
        let mut conn = self.log.parts.store.write().await?;
        let created = jobs::create_once(&mut conn, &new, key.as_ref()).await?;
        let id = match created {
            Committed::New { .. } => id,
            Committed::Repeat { event_id, .. } => event_id,
            Committed::Conflict { event_id } => return Err(ReplayError::Conflict { id: event_id }),
        };
        let row = jobs::get(&mut conn, org.as_str(), REPLAY, id).await?;
        drop(conn);
        self.log.counters.replays.notify_one();
        let row = row.ok_or_else(|| corrupt("id", &"a replay that was asked for is not there"))?;
        Ok(job(row)?)
    }

    /// A replay.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, org: &Org, id: Uuid) -> Result<Option<Job>, Error> {
        let mut conn = self.log.parts.store.read().await?;
        jobs::get(&mut conn, org.as_str(), REPLAY, id).await?.map(job).transpose()
    }

    /// Replays, newest first, before the id of the last one seen.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        org: &Org,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Job>, Error> {
        let mut conn = self.log.parts.store.read().await?;
        let rows = jobs::list(&mut conn, org.as_str(), REPLAY, before, limit).await?;
        rows.into_iter().map(job).collect()
    }

    /// Stops a replay; what it has brought back stays. `false` when it has ended, or there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel(&self, org: &Org, id: Uuid) -> Result<bool, Error> {
        let mut conn = self.log.parts.store.write().await?;
        let cancelled = jobs::cancel(&mut conn, org.as_str(), REPLAY, id, self.now()).await?;
        drop(conn);
        self.log.counters.replays.notify_one();
        Ok(cancelled)
    }

    /// Brings one event back at once; `None` when there is no such event. Of a replay, the original is brought back.
    ///
    /// With a key, a repeat of the request answers with the event of the first.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn one(
        &self,
        org: &Org,
        id: Uuid,
        (automation_id, repeat_effects): (Option<Uuid>, bool),
        key: Option<&str>,
    ) -> Result<Option<Appended>, ReplayError> {
        let Some(mut found) = self.log.get(org, id).await? else { return Ok(None) };
        if let Some(original) = found.event.metadata.replay_of {
            let Some(first) = self.log.get(org, original).await? else { return Ok(None) };
            found = first;
        }
        if found.is_expunged {
            return Err(ReplayError::Expunged { id: found.event.id });
        }
        let replay_id = match key {
            Some(key) => Uuid::new_v5(&found.event.id, key.as_bytes()),
            None => self.log.parts.random.uuid_v7(self.now()),
        };
        let replay = Replay { id: replay_id, automation_id, repeat_effects, dead_letter: false };
        let schema_version = found.event.schema_version;
        // The payload fitted its schema when it was taken in; a schema that has become stricter changes no history.
        Ok(Some(self.log.append_checked(of_job(found.event, replay), schema_version).await?))
    }

    /// The loop that carries replays out; every replica runs one.
    pub fn runner(&self) -> Runner {
        Runner::new(self.log.clone())
    }

    fn now(&self) -> DateTime<Utc> {
        self.log.parts.clock.now().trunc_subsecs(3)
    }
}

fn job(row: JobRow) -> Result<Job, Error> {
    let spec = serde_json::from_str(&row.spec).map_err(|error| corrupt("spec", &error))?;
    let position = Position::read(row.position.as_deref())?;
    let through = position.after.map(|place| place.received_at);
    Ok(Job { spec, skipped: position.skipped, through, row })
}

fn corrupt(column: &'static str, reason: &impl ToString) -> Error {
    Error::Corrupt { table: "jobs", column, reason: reason.to_string() }
}

/// Tells one request from another under the same key.
fn fingerprint(text: &str) -> [u8; 32] {
    let first = Uuid::new_v5(&Uuid::nil(), text.as_bytes());
    let second = Uuid::new_v5(&first, text.as_bytes());
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(first.as_bytes());
    hash[16..].copy_from_slice(second.as_bytes());
    hash
}
