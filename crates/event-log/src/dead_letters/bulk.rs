//! Bulk retries: a job that begins the retry of every letter that waited when it was asked for, page by page.
//!
//! It must stay true that each of them is retried once by the job, whoever dies: the letters of a page and the position of
//! the job change in one transaction, and a letter that has changed since the job was asked for is not the job's any more.

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::{Org, TypePattern};
use omni_store::{
    Error, Kind,
    dead_letters::{self as letters, Filter, PENDING, Page, Start},
    jobs::{
        self, Advanced, CANCELLED, COMPLETED, DEAD_LETTER_RETRY, FAILED, JobRow, NewJob, Progress,
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    DeadLetters,
    agent::{BATCH, DeadLetterAgent, RETRYING_MAX},
};

/// How long a job belongs to a replica that does not move.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// Which letters are retried; all that is given must hold, and only those that wait are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryFilter {
    /// Given up by this consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Of this automation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<Uuid>,
    /// About this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// About events of this type, or of types that this pattern matches.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<TypePattern>,
    /// Given up at or after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Given up before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
}

impl RetryFilter {
    /// The letters that waited at a time and still do.
    fn at(&self, time: DateTime<Utc>) -> Filter {
        Filter {
            status: Some(PENDING.to_owned()),
            consumer: self.consumer.clone(),
            automation_id: self.automation_id,
            event_id: self.event_id,
            event_type: self.event_type.clone(),
            from: self.from,
            to: self.to,
            unchanged_since: Some(time),
        }
    }
}

impl DeadLetters {
    /// Retries all letters that wait and pass the filter, in the background; the answer is the job that does it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry_all(
        &self,
        org: &Org,
        filter: &RetryFilter,
        by: &str,
    ) -> Result<JobRow, Error> {
        let parts = &self.log.parts;
        let now = parts.clock.now();
        let mut conn = parts.store.write().await?;
        let total = letters::count(&mut conn, org.as_str(), &filter.at(now)).await?;
        let new = NewJob {
            id: parts.random.uuid_v7(now),
            org: org.as_str().to_owned(),
            kind: DEAD_LETTER_RETRY,
            spec: serde_json::to_string(filter).unwrap_or_default(),
            total,
            created_by: Some(by.to_owned()),
            created_at: now,
        };
        jobs::create(&mut conn, &new).await?;
        let job = jobs::get(&mut conn, org.as_str(), DEAD_LETTER_RETRY, new.id).await?;
        job.ok_or_else(|| Error::Corrupt {
            table: "jobs",
            column: "id",
            reason: "a new job is not there".to_owned(),
        })
    }

    /// An embedded store has one process at a time, so at first whatever is worked on was left by a dead one.
    pub(super) async fn release_left_jobs(&self) -> Result<(), Error> {
        let store = &self.log.parts.store;
        if store.kind() == Kind::Sqlite {
            jobs::release_all(&mut *store.write().await?, DEAD_LETTER_RETRY).await?;
        }
        Ok(())
    }

    /// How far a bulk retry is; `None` when this organisation has none with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn job(&self, org: &Org, id: Uuid) -> Result<Option<JobRow>, Error> {
        let mut conn = self.log.parts.store.read().await?;
        jobs::get(&mut conn, org.as_str(), DEAD_LETTER_RETRY, id).await
    }
}

/// A job in hand.
#[derive(Debug)]
pub(super) struct Job {
    row: JobRow,
    progress: Progress,
    filter: Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
}

impl Job {
    fn new(row: JobRow) -> Result<Self, String> {
        let wanted: RetryFilter = serde_json::from_str(&row.spec).map_err(|e| e.to_string())?;
        let after = row.position.as_deref().map(read).transpose()?;
        let progress = Progress {
            total: row.total,
            done: row.done,
            failed: row.failed,
            position: row.position.clone(),
        };
        Ok(Self { filter: wanted.at(row.created_at), row, progress, after })
    }

    fn key(&self) -> (Uuid, i64) {
        (self.row.id, self.row.epoch)
    }
}

/// Writes a place among the letters.
fn write((at, id): (DateTime<Utc>, Uuid)) -> String {
    format!("{}:{id}", at.timestamp_micros())
}

/// Reads a place among the letters.
fn read(text: &str) -> Result<(DateTime<Utc>, Uuid), String> {
    let wrong = || format!("`{text}` is no place among dead letters");
    let (at, id) = text.split_once(':').ok_or_else(wrong)?;
    let at = at.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or_else(wrong)?;
    Ok((at, Uuid::try_parse(id).map_err(|_| wrong())?))
}

impl DeadLetterAgent {
    /// Does one page of the job in hand, or of one that nobody works on. One page a turn bounds the rate.
    ///
    /// The job is out of hand meanwhile: after a commit of an unknown outcome only the store knows where it stands, so it is
    /// read again when its lease has ended.
    pub(super) async fn go_on(&mut self) -> Result<(), Error> {
        let job = match self.job.take() {
            Some(job) => Some(job),
            None => self.take_up().await?,
        };
        let Some(mut job) = job else { return Ok(()) };
        let parts = &self.letters.log.parts;
        let mut conn = parts.store.write().await?;
        let room = (RETRYING_MAX - letters::retrying(&mut conn).await?).min(BATCH);
        let mut page = Vec::new();
        if room > 0 {
            let part = Page { after: job.after, limit: room, ascending: true };
            page = letters::list(&mut conn, &job.row.org, &job.filter, &part).await?;
        }
        let now = parts.clock.now();
        // Later than the job whichever clock that was, so that nobody takes the letter for one that waits for the job.
        let at = now.max(job.row.created_at + TimeDelta::milliseconds(1));
        let by = format!("job:{}", job.row.id);
        let starts: Vec<Start> =
            page.iter().map(|head| Start { at, ..self.letters.start(head, &by) }).collect();
        let after = page.last().map(|head| (head.dead_at, head.id)).or(job.after);
        let (going, progress) = letters::start_page(
            &mut conn,
            job.key(),
            &job.progress,
            (&starts, after.map(write)),
            (now, LEASE),
        )
        .await?;
        let end = match going {
            Advanced::Lost => return Ok(()),
            Advanced::Cancelled => Some(CANCELLED),
            Advanced::Going if (page.len() as i64) < room => Some(COMPLETED),
            Advanced::Going => None,
        };
        job.progress = progress;
        job.after = after;
        if let Some(status) = end {
            jobs::finish(&mut conn, job.key(), status, None, now).await?;
        } else {
            self.job = Some(job);
        }
        Ok(())
    }

    async fn take_up(&self) -> Result<Option<Job>, Error> {
        let parts = &self.letters.log.parts;
        let now = parts.clock.now();
        if !jobs::is_free(&mut *parts.store.read().await?, DEAD_LETTER_RETRY, now).await? {
            return Ok(None);
        }
        let mut conn = parts.store.write().await?;
        let claimed = jobs::claim(&mut conn, DEAD_LETTER_RETRY, now, now + LEASE).await?;
        let Some(row) = claimed else { return Ok(None) };
        let key = (row.id, row.epoch);
        match Job::new(row) {
            Ok(job) => Ok(Some(job)),
            Err(error) => {
                jobs::finish(&mut conn, key, FAILED, Some(&error), now).await?;
                Ok(None)
            }
        }
    }

    /// Lets another replica go on at once with what this one works on.
    pub(super) async fn lay_down(&mut self) {
        let Some(job) = self.job.take() else { return };
        let store = &self.letters.log.parts.store;
        let released = async { jobs::release(&mut *store.write().await?, job.key()).await };
        if let Err(error) = released.await {
            tracing::debug!(%error, "a bulk retry goes on when its lease ends");
        }
    }
}
