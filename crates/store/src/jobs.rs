//! Replays and bulk retries: work in the background that goes on where it stopped, whoever works on it.
//!
//! What must stay true: only the holder of the newest epoch moves a job, and a job that was cancelled is never made to run
//! again. A job is open until it is finished, also after it was cancelled: whoever works on it then says its last word.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _, insert_into, update,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    events::{Committed, NewKey, claim_key},
    schema::jobs::{self, self as j},
};

/// The kind of job that brings events back.
pub const REPLAY: &str = "replay";
/// The kind of job that retries many dead letters.
pub const DEAD_LETTER_RETRY: &str = "dead_letter_retry";

/// Nobody has begun.
pub const QUEUED: &str = "queued";
/// Somebody works on it, or did until their lease ended.
pub const RUNNING: &str = "running";
/// All of it was done.
pub const COMPLETED: &str = "completed";
/// It cannot be done; its error says why.
pub const FAILED: &str = "failed";
/// Somebody does not want it any more.
pub const CANCELLED: &str = "cancelled";

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct JobRow {
    /// Its id; UUIDv7, so that ids ascend with time.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// [`REPLAY`] or [`DEAD_LETTER_RETRY`].
    pub kind: String,
    /// What was asked for, as JSON.
    pub spec: String,
    /// [`QUEUED`], [`RUNNING`], [`COMPLETED`], [`FAILED`] or [`CANCELLED`].
    pub status: String,
    /// How many there are to do, once that is known.
    pub total: Option<i64>,
    /// How many are done.
    pub done: i64,
    /// How many could not be done.
    pub failed: i64,
    /// Where to go on, in a form of the kind's own.
    pub position: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Counts who worked on it: 0 while nobody has.
    pub epoch: i64,
    /// Until when it belongs to whoever has its epoch.
    pub lease_until: Option<DateTime<Utc>>,
    /// Who wants it done.
    pub created_by: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub changed_at: DateTime<Utc>,
    /// When it ended; `None` while it is open.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A job to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// A new UUIDv7.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// [`REPLAY`] or [`DEAD_LETTER_RETRY`].
    pub kind: &'static str,
    /// What is asked for, as JSON.
    pub spec: String,
    /// How many there are to do, if that is known already.
    pub total: Option<i64>,
    /// Who wants it done.
    pub created_by: Option<String>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// How far a job is; all of it replaces what was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many there are to do, once that is known.
    pub total: Option<i64>,
    /// How many are done.
    pub done: i64,
    /// How many could not be done.
    pub failed: i64,
    /// Where to go on.
    pub position: Option<String>,
}

/// What whoever works on a job learns when they say how far they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// It is theirs until the new end of the lease.
    Going,
    /// It is theirs, and is not wanted any more: they stop and [`finish`] it as [`CANCELLED`].
    Cancelled,
    /// Somebody else has taken it over, or it is finished; nothing was written.
    Lost,
}

/// Stores a new job; whoever [`claim`]s it first works on it.
pub fn create<'a>(conn: &'a mut Conn, new: &'a NewJob) -> Answer<'a, ()> {
    Box::pin(insert(conn, new))
}

/// Stores a new job under a key, if there is one, by which a repeat of the request is recognised.
///
/// The ids and sequences that are answered are those of events elsewhere; here they are the id of the job, and nothing.
pub fn create_once<'a>(
    conn: &'a mut Conn,
    new: &'a NewJob,
    key: Option<&'a NewKey>,
) -> Answer<'a, Committed> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            if let Some(key) = key
                && let Some(taken) = claim_key(conn, new.created_at, &new.org, key, new.id).await?
            {
                return Ok(taken);
            }
            insert(conn, new).await?;
            Ok(Committed::New { sequence: 0 })
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn insert(conn: &mut Conn, new: &NewJob) -> Result<()> {
    let row = JobRow {
        id: new.id,
        org: new.org.clone(),
        kind: new.kind.to_owned(),
        spec: new.spec.clone(),
        status: QUEUED.to_owned(),
        total: new.total,
        done: 0,
        failed: 0,
        position: None,
        error: None,
        epoch: 0,
        lease_until: None,
        created_by: new.created_by.clone(),
        created_at: new.created_at,
        changed_at: new.created_at,
        finished_at: None,
    };
    insert_into(j::table).values(&row).run(conn).await?;
    Ok(())
}

/// The job of this kind with this id.
pub fn get<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    kind: &'a str,
    id: Uuid,
) -> Answer<'a, Option<JobRow>> {
    j::table
        .filter(j::id.eq(id))
        .filter(j::org.eq(org))
        .filter(j::kind.eq(kind))
        .select(JobRow::as_select())
        .row(conn)
}

/// A page of jobs of one kind, newest first, before the id of the last one seen.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    kind: &'a str,
    before: Option<Uuid>,
    limit: i64,
) -> Answer<'a, Vec<JobRow>> {
    let mut query = j::table
        .filter(j::org.eq(org))
        .filter(j::kind.eq(kind))
        .order(j::id.desc())
        .into_boxed::<Dual>();
    if let Some(before) = before {
        query = query.filter(j::id.lt(before));
    }
    query.limit(limit.clamp(1, PAGE_MAX)).select(JobRow::as_select()).rows(conn)
}

/// Whether [`claim`] would find a job; asks without a connection that writes.
pub fn is_free<'a>(conn: &'a mut Conn, kind: &'a str, now: DateTime<Utc>) -> Answer<'a, bool> {
    Box::pin(async move {
        let free = j::table
            .filter(j::finished_at.is_null())
            .filter(j::lease_until.is_null().or(j::lease_until.le(now)))
            .filter(j::kind.eq(kind))
            .limit(1)
            .select(j::id);
        let found: Option<Uuid> = free.row(conn).await?;
        Ok(found.is_some())
    })
}

/// Takes an open job of this kind that nobody works on, the oldest first, and answers it under its new epoch.
///
/// A job that was cancelled before anybody finished it is answered, too, with that status.
pub fn claim<'a>(
    conn: &'a mut Conn,
    kind: &'a str,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Answer<'a, Option<JobRow>> {
    Box::pin(async move {
        let free = j::table
            .filter(j::finished_at.is_null())
            .filter(j::lease_until.is_null().or(j::lease_until.le(now)))
            .filter(j::kind.eq(kind))
            .order(j::id)
            .limit(1)
            .select(JobRow::as_select());
        let found: Option<JobRow> = free.row(conn).await?;
        let Some(mut job) = found else { return Ok(None) };
        // Whoever changed it meanwhile is right; the next look finds out what it is now.
        let same = j::table
            .filter(j::id.eq(job.id))
            .filter(j::epoch.eq(job.epoch))
            .filter(j::status.eq(job.status.clone()))
            .filter(j::finished_at.is_null());
        job.epoch += 1;
        job.lease_until = Some(lease_until);
        job.changed_at = now;
        if job.status == QUEUED {
            RUNNING.clone_into(&mut job.status);
        }
        let taken = update(same).set((
            j::epoch.eq(job.epoch),
            j::status.eq(job.status.clone()),
            j::lease_until.eq(lease_until),
            j::changed_at.eq(now),
        ));
        Ok((taken.run(conn).await? == 1).then_some(job))
    })
}

/// Writes down how far a job is and renews its lease, if it still belongs to this epoch.
pub fn advance<'a>(
    conn: &'a mut Conn,
    (id, epoch): (Uuid, i64),
    progress: &'a Progress,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Answer<'a, Advanced> {
    Box::pin(async move {
        let ours = j::table
            .filter(j::id.eq(id))
            .filter(j::epoch.eq(epoch))
            .filter(j::finished_at.is_null());
        let moved = update(ours)
            .set((
                j::total.eq(progress.total),
                j::done.eq(progress.done),
                j::failed.eq(progress.failed),
                j::position.eq(progress.position.as_deref()),
                j::lease_until.eq(lease_until),
                j::changed_at.eq(now),
            ))
            .returning(j::status);
        let status: Option<String> = moved.row(conn).await?;
        Ok(match status.as_deref() {
            None => Advanced::Lost,
            Some(CANCELLED) => Advanced::Cancelled,
            Some(_) => Advanced::Going,
        })
    })
}

/// Renews the lease of a job, if it still belongs to this epoch; `false` if it does not.
pub fn renew(
    conn: &mut Conn,
    (id, epoch): (Uuid, i64),
    lease_until: DateTime<Utc>,
) -> Answer<'_, bool> {
    Box::pin(async move {
        let ours = j::table
            .filter(j::id.eq(id))
            .filter(j::epoch.eq(epoch))
            .filter(j::finished_at.is_null());
        Ok(update(ours).set(j::lease_until.eq(lease_until)).run(conn).await? == 1)
    })
}

/// Gives a job back that is not done, if it still belongs to this epoch: anybody may [`claim`] it at once.
pub fn release(conn: &mut Conn, (id, epoch): (Uuid, i64)) -> Answer<'_, ()> {
    Box::pin(async move {
        let ours = j::table.filter(j::id.eq(id)).filter(j::epoch.eq(epoch));
        update(ours).set(j::lease_until.eq(None::<DateTime<Utc>>)).run(conn).await?;
        Ok(())
    })
}

/// Gives all jobs of a kind back, for the only process of a store when it starts: whoever had them is dead.
pub fn release_all<'a>(conn: &'a mut Conn, kind: &'a str) -> Answer<'a, ()> {
    Box::pin(async move {
        let open = j::table.filter(j::kind.eq(kind)).filter(j::finished_at.is_null());
        update(open).set(j::lease_until.eq(None::<DateTime<Utc>>)).run(conn).await?;
        Ok(())
    })
}

/// Ends a job as [`COMPLETED`], [`FAILED`] or [`CANCELLED`], if it still belongs to this epoch; `false` if it does not.
///
/// A job that was cancelled ends as that, whatever is said here.
pub fn finish<'a>(
    conn: &'a mut Conn,
    (id, epoch): (Uuid, i64),
    status: &'a str,
    error: Option<&'a str>,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let ours = j::table
            .filter(j::id.eq(id))
            .filter(j::epoch.eq(epoch))
            .filter(j::finished_at.is_null());
        let end = (j::finished_at.eq(now), j::changed_at.eq(now), j::error.eq(error));
        let wanted = update(ours.filter(j::status.ne(CANCELLED))).set((end, j::status.eq(status)));
        if wanted.run(conn).await? == 1 {
            return Ok(true);
        }
        Ok(update(ours).set(end).run(conn).await? == 1)
    })
}

/// Says that a job is not wanted any more; `false` when it has ended, or there is none.
///
/// Whoever works on it learns that from [`advance`]; if nobody does, whoever [`claim`]s it next.
pub fn cancel<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    kind: &'a str,
    id: Uuid,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let open = j::table
            .filter(j::id.eq(id))
            .filter(j::org.eq(org))
            .filter(j::kind.eq(kind))
            .filter(j::finished_at.is_null());
        let cancelled = update(open).set((j::status.eq(CANCELLED), j::changed_at.eq(now)));
        Ok(cancelled.run(conn).await? == 1)
    })
}
