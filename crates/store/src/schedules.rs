//! Schedules and their fires: what is due is decided here, in one transaction, by one process.
//!
//! What must stay true: an instant has one row, and the row has the id of its event from the beginning; so an instant is
//! decided once, and its event is one however often it is recorded. Whoever locks rows locks those of schedules first, and
//! several of them in the order of their ids or without waiting, so that nobody locks anybody out.

mod alarms;
mod backfill;
mod decide;
mod fires;
mod take;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, delete as remove, insert_into,
    sql_types::{Bool, Nullable, Timestamptz},
    update as change,
};
use uuid::Uuid;

use crate::{
    Answer, Error,
    conn::{Conn, Run as _, read},
    dual::Dual,
    schema::{
        schedule_fires::{self, self as f},
        schedules::{self, self as s},
    },
};

pub use self::{
    alarms::{late, overdue, set_alarm_told, set_overdue_told, untold},
    backfill::{backfill, present},
    decide::{Decided, Due, decide, promote},
    fires::{
        FirePage, fire, fires, insert_fire, is_work_cancelled, overfull, purge, trim, trim_schedule,
    },
    take::{Ended, Mark, mark, release, take},
};

/// It will fire.
pub const PENDING: &str = "pending";
/// It fires when the work on the one before is done.
pub const WAITING: &str = "waiting";
/// Its event is in the log.
pub const FIRED: &str = "fired";
/// The overlap policy left it out.
pub const SKIPPED: &str = "skipped";
/// Nobody was there for it.
pub const MISSED: &str = "missed";
/// Somebody cancelled it in time.
pub const CANCELLED: &str = "cancelled";
/// The log refused its event.
pub const FAILED: &str = "failed";

/// The reason of fires that somebody asked for now; they may share an instant with another.
pub const MANUAL: &str = "manual";

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = schedules, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct ScheduleRow {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// Its name, unique in the organisation; it never changes.
    pub name: String,
    /// Counts its changes, from 1.
    pub version: i32,
    /// Whether it fires.
    pub enabled: bool,
    /// All of it, as JSON.
    pub definition: String,
    /// Every instant up to here is decided.
    pub decided_until: DateTime<Utc>,
    /// The next instant, if there is one.
    pub next_at: Option<DateTime<Utc>>,
    /// When it has to be looked at next; `None` for never.
    pub due_at: Option<DateTime<Utc>>,
    /// Counts the decisions.
    pub moves: i64,
    /// The number of the last fire that counts.
    pub number: i64,
    /// Events it made.
    pub fired: i64,
    /// Instants that the overlap policy left out.
    pub skipped: i64,
    /// Instants that nobody was there for.
    pub missed: i64,
    /// Fires that wait for work to be done.
    pub waiting: i32,
    /// The event of the last fire that did not wait.
    pub last_event_id: Option<Uuid>,
    /// When it last fired.
    pub last_fired_at: Option<DateTime<Utc>>,
    /// Why there is no next instant, though there should be one.
    pub alarm: Option<String>,
    /// Why the last event was refused.
    pub failure: Option<String>,
    /// Since when one of the two is there.
    pub alarm_at: Option<DateTime<Utc>>,
    /// Whether an event has told so.
    pub alarm_told: bool,
    /// The instant of which an event has told that it is overdue.
    pub overdue_told: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

/// An instant that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = schedule_fires, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct FireRow {
    /// A UUIDv7 of the time of the decision.
    pub id: Uuid,
    /// Its schedule.
    pub schedule_id: Uuid,
    /// The tenant.
    pub org: String,
    /// The instant.
    pub nominal: DateTime<Utc>,
    /// The instant and its jitter.
    pub due_at: DateTime<Utc>,
    /// The id that its event has or would have.
    pub event_id: Uuid,
    /// Which fire of the schedule it is, if it counts.
    pub number: Option<i64>,
    /// `regular`, `catchup`, `backfill` or [`MANUAL`].
    pub reason: String,
    /// [`PENDING`] … [`FAILED`].
    pub status: String,
    /// When somebody may take it up, while it is pending.
    pub ready_at: Option<DateTime<Utc>>,
    /// Counts who took it up; 0 while nobody has.
    pub fence: i64,
    /// Why it did not fire.
    pub error: Option<String>,
    /// Whether no further action of its event begins.
    pub work_cancelled: bool,
    /// Who asked for it.
    pub triggered_by: Option<String>,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When its event was recorded.
    pub fired_at: Option<DateTime<Utc>>,
}

/// When something is to be done next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// When the next schedule is due.
    pub due: Option<DateTime<Utc>>,
    /// When the next pending fire may be taken up.
    pub ready: Option<DateTime<Utc>>,
    /// Whether a fire waits for work to be done.
    pub waits: bool,
}

/// Stores a new schedule.
///
/// # Errors
/// [`crate::Error::Exists`] when the organisation has one of this name.
pub fn insert<'a>(conn: &'a mut Conn, row: &'a ScheduleRow) -> Answer<'a, ()> {
    Box::pin(async move {
        let inserted = insert_into(s::table).values(row).run(conn).await;
        inserted.map(drop).map_err(|error| error.or_exists("schedule", &row.name))
    })
}

/// The schedule of this name.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, name: &'a str) -> Answer<'a, Option<ScheduleRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::name.eq(name))
        .select(ScheduleRow::as_select())
        .row(conn)
}

/// A page of schedules by name, after the name of the last one seen.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    after: Option<&'a str>,
    limit: i64,
) -> Answer<'a, Vec<ScheduleRow>> {
    let mut query = s::table.filter(s::org.eq(org)).order(s::name).into_boxed::<Dual>();
    if let Some(after) = after {
        query = query.filter(s::name.gt(after));
    }
    query.limit(limit.clamp(1, PAGE_MAX)).select(ScheduleRow::as_select()).rows(conn)
}

/// Replaces what can change of a schedule, if it is still as it was seen: with this version, and no instant was decided
/// since. Counters stay.
///
/// `false` when it was changed, moved or deleted meanwhile.
pub fn update<'a>(
    conn: &'a mut Conn,
    row: &'a ScheduleRow,
    (version, moves): (i32, i64),
) -> Answer<'a, bool> {
    Box::pin(async move {
        let same = s::table
            .filter(s::id.eq(row.id))
            .filter(s::version.eq(version))
            .filter(s::moves.eq(moves));
        let change = change(same).set((
            s::version.eq(row.version),
            s::enabled.eq(row.enabled),
            s::definition.eq(&row.definition),
            s::decided_until.eq(row.decided_until),
            s::next_at.eq(row.next_at),
            s::due_at.eq(row.due_at),
            s::moves.eq(moves + 1),
            s::alarm.eq(&row.alarm),
            s::failure.eq(&row.failure),
            s::alarm_at.eq(row.alarm_at),
            s::alarm_told.eq(row.alarm_told),
            s::updated_at.eq(row.updated_at),
        ));
        Ok(change.run(conn).await? == 1)
    })
}

/// Deletes a schedule with its fires; `false` when there was none. Events that were recorded stay; a fire that somebody
/// has in hand may still become one.
pub fn delete<'a>(conn: &'a mut Conn, org: &'a str, name: &'a str) -> Answer<'a, bool> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let gone = remove(s::table.filter(s::org.eq(org)).filter(s::name.eq(name)));
            let id: Option<Uuid> = gone.returning(s::id).row(conn).await?;
            let Some(id) = id else { return Ok(false) };
            remove(f::table.filter(f::schedule_id.eq(id))).run(conn).await?;
            Ok(true)
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// When something is to be done next: three looks into indexes, in one statement.
pub fn wake(conn: &mut Conn) -> Answer<'_, Wake> {
    const SQL: &str = "SELECT \
        (SELECT min(due_at) FROM schedules WHERE due_at IS NOT NULL), \
        (SELECT min(ready_at) FROM schedule_fires WHERE ready_at IS NOT NULL), \
        EXISTS (SELECT 1 FROM schedules WHERE waiting > 0)";
    type Columns = (Nullable<Timestamptz>, Nullable<Timestamptz>, Bool);
    Box::pin(async move {
        let statement = conn.by_kind(SQL, SQL, Vec::new());
        let rows = conn.load(&statement).await?;
        let found = rows.first().map(read::<(Option<_>, Option<_>, bool), Columns>).transpose()?;
        let (due, ready, waits) = found.unwrap_or_default();
        Ok(Wake { due, ready, waits })
    })
}

/// The time of the database, which is one for all replicas. `None` on SQLite, which has the time of its only process.
pub fn database_time(conn: &mut Conn) -> Answer<'_, Option<DateTime<Utc>>> {
    Box::pin(async move {
        if conn.kind() == crate::Kind::Sqlite {
            return Ok(None);
        }
        let sql = "SELECT clock_timestamp()";
        let statement = conn.by_kind(sql, sql, Vec::new());
        let rows = conn.load(&statement).await?;
        rows.first().map(read::<DateTime<Utc>, Timestamptz>).transpose()
    })
}

fn corrupt(column: &'static str, reason: &str) -> Error {
    Error::corrupt("schedules", column, reason)
}
