//! The changes of a letter. Each says from which state it goes out, and what it answers tells whether it was in that state:
//! `false` means that somebody else was first, and nothing was written.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _,
    query_builder::QueryFragment, update,
};
use uuid::Uuid;

use crate::{
    Answer,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::{Dual, collect_each},
    jobs::{self, Advanced, Progress},
    schema::dead_letters as d,
};

use super::{ABANDONED, NewDeadLetter, PENDING, RESOLVED, RETRYING};

/// Who has resolved a letter whose retry succeeded.
const BY_RETRY: &str = "retry";

/// Adds what was given up; what is there already stays as it is.
pub fn add<'a>(conn: &'a mut Conn, letters: &'a [NewDeadLetter]) -> Answer<'a, ()> {
    Box::pin(super::insert(conn, letters.iter()))
}

/// The beginning of a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The letter.
    pub id: Uuid,
    /// How often it was retried before, as far as the caller knows.
    pub retries: i32,
    /// The id of the event that will retry it.
    pub retry_event_id: Uuid,
    /// Who wants it.
    pub by: String,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Begins a retry of a letter that waits. From then on its event has an id, and whoever finds it unsent sends it.
pub fn start_retry<'a>(conn: &'a mut Conn, start: &'a Start) -> Answer<'a, bool> {
    Box::pin(async move { Ok(start_query(start).run(conn).await? == 1) })
}

fn start_query(start: &Start) -> impl QueryFragment<Dual> + Send {
    let waiting = d::table
        .filter(d::id.eq(start.id))
        .filter(d::status.eq(PENDING))
        .filter(d::retries.eq(start.retries));
    update(waiting).set((
        d::status.eq(RETRYING),
        d::retries.eq(start.retries + 1),
        d::retry_event_id.eq(start.retry_event_id),
        d::next_retry_at.eq(None::<DateTime<Utc>>),
        d::changed_by.eq(start.by.as_str()),
        d::changed_at.eq(start.at),
    ))
}

/// Begins the retries of a page of a job, and moves the job beyond the page, in one transaction: so however often the
/// page is begun, each of its letters is retried once and counted once. The answer is that of [`jobs::advance`]; unless it
/// is [`Advanced::Going`], nothing was begun.
pub fn start_page<'a>(
    conn: &'a mut Conn,
    job: (Uuid, i64),
    before: &'a Progress,
    (starts, position): (&'a [Start], Option<String>),
    (now, lease): (DateTime<Utc>, TimeDelta),
) -> Answer<'a, (Advanced, Progress)> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let mut after = before.clone();
            // This holds the row of the job, so that nobody takes it over meanwhile.
            let held = jobs::advance(conn, job, before, now, now + lease).await?;
            if held != Advanced::Going {
                return Ok((held, after));
            }
            let mut starts: Vec<&Start> = starts.iter().collect();
            starts.sort_by_key(|start| start.id);
            let changes: Vec<_> = starts.into_iter().map(start_query).collect();
            let statements = collect_each(conn.kind(), &changes)?;
            let started: usize = conn.execute_each(&statements).await?.iter().sum();
            after.done += started as i64;
            after.position = position;
            let moved = jobs::advance(conn, job, &after, now, now + lease).await?;
            Ok((moved, after))
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// How a retry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what the first try did not.
    Succeeded,
    /// It failed, or could not be sent.
    Failed {
        /// Why each try failed, as a JSON array.
        errors: String,
        /// When it is retried next; `None` leaves that to people.
        next_retry_at: Option<DateTime<Utc>>,
    },
}

/// The end of a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The letter.
    pub id: Uuid,
    /// The event that retried it.
    pub retry_event_id: Uuid,
    /// How it ended.
    pub outcome: Outcome,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Ends retries, and answers how many were still open.
///
/// A consumer may give up an event whose outcome says that it was handled, so a letter that such an outcome has resolved can
/// still fail; one that somebody has resolved cannot, because that takes the event away from it.
pub fn settle<'a>(conn: &'a mut Conn, settles: &'a [Settle]) -> Answer<'a, usize> {
    Box::pin(async move {
        let mut settles: Vec<&Settle> = settles.iter().collect();
        settles.sort_by_key(|settle| settle.id);
        let succeeded: Vec<_> = settles.iter().filter_map(|settle| success(settle)).collect();
        let failed: Vec<_> = settles.iter().filter_map(|settle| failure(settle)).collect();
        let mut statements = collect_each(conn.kind(), &succeeded)?;
        statements.extend(collect_each(conn.kind(), &failed)?);
        conn.begin().await?;
        let result = conn.execute_each(&statements).await;
        let done = conn.end(result.map_err(Into::into)).await?;
        Ok(done.into_iter().sum())
    })
}

fn success(settle: &Settle) -> Option<impl QueryFragment<Dual> + Send> {
    let Outcome::Succeeded = settle.outcome else { return None };
    let ours = d::table
        .filter(d::id.eq(settle.id))
        .filter(d::retry_event_id.eq(settle.retry_event_id))
        .filter(d::status.eq(RETRYING));
    Some(update(ours).set((
        d::status.eq(RESOLVED),
        d::changed_by.eq(BY_RETRY),
        d::changed_at.eq(settle.at),
    )))
}

fn failure(settle: &Settle) -> Option<impl QueryFragment<Dual> + Send> {
    let Outcome::Failed { errors, next_retry_at } = &settle.outcome else { return None };
    let ours = d::table
        .filter(d::id.eq(settle.id))
        .filter(d::retry_event_id.eq(settle.retry_event_id))
        .filter(d::status.eq(RETRYING).or(d::status.eq(RESOLVED)));
    Some(update(ours).set((
        d::status.eq(PENDING),
        d::retry_event_id.eq(None::<Uuid>),
        d::errors.eq(errors.as_str()),
        d::next_retry_at.eq(*next_retry_at),
        d::changed_at.eq(settle.at),
    )))
}

/// Says that a letter is done with, and why.
pub fn resolve<'a>(
    conn: &'a mut Conn,
    (org, id): (&'a str, Uuid),
    note: Option<&'a str>,
    by: &'a str,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    close(conn, (org, id), RESOLVED, note, (by, now))
}

/// Says that nobody will try a letter again.
pub fn abandon<'a>(
    conn: &'a mut Conn,
    (org, id): (&'a str, Uuid),
    by: &'a str,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    close(conn, (org, id), ABANDONED, None, (by, now))
}

/// A retry that is on its way goes on, and its end changes nothing any more.
fn close<'a>(
    conn: &'a mut Conn,
    (org, id): (&'a str, Uuid),
    status: &'static str,
    note: Option<&'a str>,
    (by, now): (&'a str, DateTime<Utc>),
) -> Answer<'a, bool> {
    Box::pin(async move {
        let open = d::table
            .filter(d::id.eq(id))
            .filter(d::org.eq(org))
            .filter(d::status.eq(PENDING).or(d::status.eq(RETRYING)));
        let change = update(open).set((
            d::status.eq(status),
            d::note.eq(note),
            d::retry_event_id.eq(None::<Uuid>),
            d::next_retry_at.eq(None::<DateTime<Utc>>),
            d::changed_by.eq(by),
            d::changed_at.eq(now),
        ));
        Ok(change.run(conn).await? == 1)
    })
}

/// Says that an event tells of these letters.
pub fn set_told<'a>(conn: &'a mut Conn, ids: &'a [Uuid]) -> Answer<'a, ()> {
    Box::pin(async move {
        let mut ids = ids.to_vec();
        ids.sort();
        for some in chunks(conn.kind(), &ids) {
            update(d::table.filter(d::id.eq_any(some))).set(d::told.eq(true)).run(conn).await?;
        }
        Ok(())
    })
}
