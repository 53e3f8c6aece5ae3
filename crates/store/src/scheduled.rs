//! Events that are to happen later, until they do or are cancelled.
//!
//! What must stay true: an event is taken up (`firing`) before it is appended to the log, and nothing that was taken up can
//! be cancelled; so an event happens or is cancelled, never both. A row goes away once its event is in the log.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _, delete, dsl::sql, expression::SqlLiteral, insert_into,
    sql_types::Bool, update,
};
use omni_events::Event;
use uuid::Uuid;

use crate::{
    Answer, Error, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    events::{Committed, NewKey, claim_key},
    pack::{pack, unpack},
    schema::scheduled_events::{self, self as s},
};

/// Waits for its time.
pub const SCHEDULED: &str = "scheduled";
/// Its time has come: it is being appended, and cannot be cancelled any more.
pub const FIRING: &str = "firing";
/// Will not happen.
pub const CANCELLED: &str = "cancelled";

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// An event that happens later.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The event as it will be, but for the time of receipt: that is when it was asked for.
    pub event: Event,
    /// When it happens.
    pub due_at: DateTime<Utc>,
    /// [`SCHEDULED`], [`FIRING`] or [`CANCELLED`].
    pub status: String,
    /// When its status last changed.
    pub changed_at: DateTime<Utc>,
}

#[derive(Insertable)]
#[diesel(table_name = scheduled_events, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: Uuid,
    org: &'a str,
    event_type: &'a str,
    due_at: DateTime<Utc>,
    event: &'a [u8],
    status: &'a str,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = s, check_for_backend(Dual))]
struct Row {
    event: Vec<u8>,
    due_at: DateTime<Utc>,
    status: String,
    changed_at: DateTime<Utc>,
}

impl Row {
    fn read(self) -> Result<Scheduled> {
        let Self { event, due_at, status, changed_at } = self;
        let corrupt = |reason: String| Error::corrupt("scheduled_events", "event", reason);
        let json = unpack(event).map_err(corrupt)?;
        let json = json.ok_or_else(|| corrupt("its payload was taken out".to_owned()))?;
        let event = serde_json::from_slice(&json).map_err(|error| corrupt(error.to_string()))?;
        Ok(Scheduled { event, due_at, status, changed_at })
    }
}

/// Keeps an event until `due_at`, under a key by which a repeat is recognised.
///
/// The answer is that of a commit of the event itself: [`Committed::Repeat`] names the event that has the key, which may
/// wait, have happened or be cancelled. No answer has a sequence: it is 0.
///
/// # Errors
/// When the store fails; nothing was kept then, unless the connection was lost during the commit.
pub fn insert<'a>(
    conn: &'a mut Conn,
    event: &'a Event,
    due_at: DateTime<Utc>,
    key: Option<&'a NewKey>,
    now: DateTime<Utc>,
) -> Answer<'a, Committed> {
    Box::pin(async move {
        let json = serde_json::to_vec(event)
            .map_err(|error| Error::corrupt("scheduled_events", "event", error))?;
        let packed = pack(&json);
        conn.begin().await?;
        let result = async {
            let org = event.metadata.org.as_str();
            if let Some(key) = key
                && let Some(taken) = claim_key(conn, now, org, key, event.id).await?
            {
                return Ok(taken);
            }
            let row = NewRow {
                id: event.id,
                org,
                event_type: event.event_type.as_str(),
                due_at,
                event: &packed,
                status: SCHEDULED,
                created_at: now,
                changed_at: now,
            };
            insert_into(s::table).values(row).run(conn).await?;
            Ok(Committed::New { sequence: 0 })
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// An event whose time has come, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    id: Uuid,
    status: String,
    changed_at: DateTime<Utc>,
}

/// Up to `limit` events whose time has come, oldest first, and those that were taken before `stale` and are still here:
/// whoever took them has died, and appending them again changes nothing.
pub fn due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    stale: DateTime<Utc>,
    limit: i64,
) -> Answer<'_, Vec<Due>> {
    Box::pin(async move {
        let free = s::status.eq(SCHEDULED).or(s::changed_at.lt(stale));
        let query = s::table
            .filter(open())
            .filter(s::due_at.le(now).and(free))
            .order((s::due_at, s::id))
            .limit(limit)
            .select((s::id, s::status, s::changed_at));
        let found: Vec<(Uuid, String, DateTime<Utc>)> = query.rows(conn).await?;
        Ok(found
            .into_iter()
            .map(|(id, status, changed_at)| Due { id, status, changed_at })
            .collect())
    })
}

/// Takes up those that nobody else has taken since they were seen.
///
/// An event that cannot be read stands there as its error, with its id, and stays taken.
pub fn take<'a>(
    conn: &'a mut Conn,
    due: &'a [Due],
    now: DateTime<Utc>,
) -> Answer<'a, Vec<(Uuid, Result<Scheduled>)>> {
    Box::pin(async move {
        conn.begin().await?;
        let result = take_each(conn, due, now).await;
        conn.end(result).await
    })
}

async fn take_each(
    conn: &mut Conn,
    due: &[Due],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Result<Scheduled>)>> {
    let mut taken = Vec::with_capacity(due.len());
    for Due { id, status, changed_at } in due {
        // Of several replicas one finds the row as all have seen it.
        let same = s::table
            .filter(s::id.eq(*id))
            .filter(s::status.eq(status).and(s::changed_at.eq(*changed_at)));
        let change = update(same)
            .set((s::status.eq(FIRING), s::changed_at.eq(now)))
            .returning(Row::as_returning());
        let row: Option<Row> = change.row(conn).await?;
        taken.extend(row.map(|row| (*id, row.read())));
    }
    Ok(taken)
}

/// What is still to come; written out, so that the planner sees that the index holds just these.
fn open() -> SqlLiteral<Bool> {
    sql::<Bool>("status IN ('scheduled', 'firing')")
}

/// Forgets an event that is in the log.
pub fn fired(conn: &mut Conn, id: Uuid) -> Answer<'_, ()> {
    Box::pin(async move {
        delete(s::table.filter(s::id.eq(id)).filter(s::status.eq(FIRING))).run(conn).await?;
        Ok(())
    })
}

/// When the next event is due that waits; `None` when none does.
pub fn next_due(conn: &mut Conn) -> Answer<'_, Option<DateTime<Utc>>> {
    Box::pin(async move {
        let query = s::table
            .filter(open())
            .filter(s::status.eq(SCHEDULED))
            .order(s::due_at)
            .limit(1)
            .select(s::due_at);
        query.row(conn).await
    })
}

/// Cancels an event that waits. `false` when it does not: it has been taken up, has happened, is cancelled, or never was.
pub fn cancel<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    id: Uuid,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let waiting =
            s::table.filter(s::id.eq(id)).filter(s::org.eq(org)).filter(s::status.eq(SCHEDULED));
        let change = update(waiting).set((s::status.eq(CANCELLED), s::changed_at.eq(now)));
        Ok(change.run(conn).await? == 1)
    })
}

/// The event with this id, if this organisation has it and it has not happened.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Option<Scheduled>> {
    Box::pin(async move {
        let query = s::table.filter(s::id.eq(id)).filter(s::org.eq(org)).select(Row::as_select());
        let row: Option<Row> = query.row(conn).await?;
        row.map(Row::read).transpose()
    })
}

/// Which events of a list, and where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// [`CANCELLED`] ones instead of those that wait.
    pub cancelled: bool,
    /// The time and id of the last event that was seen; `None` for the first page.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// How many events, 1000 at most.
    pub limit: i64,
}

/// A page of the events that wait (or are cancelled), the one that is due first first.
pub fn list<'a>(conn: &'a mut Conn, org: &'a str, page: &'a Page) -> Answer<'a, Vec<Scheduled>> {
    Box::pin(async move {
        let mut query = s::table.filter(s::org.eq(org)).into_boxed::<Dual>();
        query = if page.cancelled {
            query.filter(s::status.eq(CANCELLED))
        } else {
            // What is being appended is still to come for whoever looks.
            query.filter(s::status.eq_any([SCHEDULED, FIRING]))
        };
        if let Some((due_at, id)) = page.after {
            let later = s::due_at.gt(due_at).or(s::due_at.eq(due_at).and(s::id.gt(id)));
            query = query.filter(s::due_at.ge(due_at).and(later));
        }
        let query = query
            .order((s::due_at, s::id))
            .limit(page.limit.clamp(1, PAGE_MAX))
            .select(Row::as_select());
        let rows: Vec<Row> = query.rows(conn).await?;
        rows.into_iter().map(Row::read).collect()
    })
}
