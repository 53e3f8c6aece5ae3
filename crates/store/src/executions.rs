//! What automations did with events, and what became of the events.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    dead_letters::{self, NewDeadLetter},
    dual::{Dual, collect_each},
    schema::{automation_logs as l, event_outcomes as o, omni_events as e},
};

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// Replays of one event whose executions are looked at, the newest; each repeats what succeeded before it.
const REPLAYS_MAX: i64 = 32;

/// One run of one version of an automation on one event.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = l, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct ExecutionRow {
    /// Its id; UUIDv7, so that ids ascend with time.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// The automation.
    pub automation_id: Uuid,
    /// Which version of it.
    pub automation_version: i32,
    /// The event.
    pub event_id: Uuid,
    /// The type of the event.
    pub event_type: String,
    /// `completed`, `failed`, `skipped` …
    pub status: String,
    /// Whether its conditions held.
    pub conditions_matched: bool,
    /// What its actions did, as a JSON array.
    pub actions: String,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub execution_time_ms: i64,
    /// When it was done.
    pub created_at: DateTime<Utc>,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Insertable)]
#[diesel(table_name = o, treat_none_as_default_value = false)]
pub struct NewOutcome {
    /// The event.
    pub event_id: Uuid,
    /// The tenant.
    pub org: String,
    /// `completed`, `failed` …
    pub status: String,
    /// How often it was delivered again.
    pub retry_count: i32,
    /// When the engine was done.
    pub processed_at: DateTime<Utc>,
    /// How many automations ran.
    pub executions: i32,
    /// Why it failed.
    pub error: Option<String>,
    /// When the event was received.
    pub received_at: DateTime<Utc>,
}

/// An event that the engine is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What became of it.
    pub outcome: NewOutcome,
    /// What automations did with it.
    pub executions: Vec<ExecutionRow>,
    /// What was given up with it.
    pub dead: Vec<NewDeadLetter>,
}

/// Commits what was done with a batch of events, in one transaction.
///
/// What is stored already stays as it is, so an event that is delivered again changes nothing.
pub fn commit_batch<'a>(conn: &'a mut Conn, batch: &'a [Done]) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = insert_all(conn, batch).await;
        conn.end(result).await
    })
}

async fn insert_all(conn: &mut Conn, batch: &[Done]) -> Result<()> {
    // In their order, so that two processes that commit the same rows cannot lock each other out.
    let mut outcomes: Vec<&NewOutcome> = batch.iter().map(|done| &done.outcome).collect();
    outcomes.sort_by_key(|row| row.event_id);
    let mut runs: Vec<&ExecutionRow> = batch.iter().flat_map(|done| &done.executions).collect();
    runs.sort_by_key(|row| (row.event_id, row.automation_id, row.automation_version));

    let kind = conn.kind();
    let inserts: Vec<_> = chunks(kind, &outcomes)
        .map(|chunk| insert_into(o::table).values(chunk.to_vec()).on_conflict_do_nothing())
        .collect();
    let mut statements = collect_each(kind, &inserts)?;
    let inserts: Vec<_> = chunks(kind, &runs)
        .map(|chunk| insert_into(l::table).values(chunk.to_vec()).on_conflict_do_nothing())
        .collect();
    statements.extend(collect_each(kind, &inserts)?);
    conn.execute_each(&statements).await?;
    dead_letters::insert(conn, batch.iter().flat_map(|done| &done.dead)).await
}

/// Which executions are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this automation.
    pub automation_id: Option<Uuid>,
    /// On this event.
    pub event_id: Option<Uuid>,
    /// On events of this type.
    pub event_type: Option<String>,
    /// With this status.
    pub status: Option<String>,
}

/// Which part of the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The id of the last execution that was seen; `None` for the first page.
    pub after: Option<Uuid>,
    /// How many executions, 1000 at most.
    pub limit: i64,
    /// Oldest first instead of newest first.
    pub ascending: bool,
}

/// A page of the executions that pass the filter.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    filter: &'a Filter,
    page: &'a Page,
) -> Answer<'a, Vec<ExecutionRow>> {
    let mut query = l::table.filter(l::org.eq(org)).into_boxed::<Dual>();
    query = match (page.ascending, page.after) {
        (true, None) => query.order(l::id.asc()),
        (true, Some(after)) => query.order(l::id.asc()).filter(l::id.gt(after)),
        (false, None) => query.order(l::id.desc()),
        (false, Some(after)) => query.order(l::id.desc()).filter(l::id.lt(after)),
    };
    if let Some(id) = filter.automation_id {
        query = query.filter(l::automation_id.eq(id));
    }
    if let Some(id) = filter.event_id {
        query = query.filter(l::event_id.eq(id));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(l::event_type.eq(event_type));
    }
    if let Some(status) = &filter.status {
        query = query.filter(l::status.eq(status));
    }
    query.limit(page.limit.clamp(1, PAGE_MAX)).select(ExecutionRow::as_select()).rows(conn)
}

/// The execution with this id.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Option<ExecutionRow>> {
    l::table.filter(l::id.eq(id)).filter(l::org.eq(org)).select(ExecutionRow::as_select()).row(conn)
}

/// What automations did with an event, in the order in which they did it.
pub fn for_event<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
) -> Answer<'a, Vec<ExecutionRow>> {
    l::table
        .filter(l::event_id.eq(event_id))
        .filter(l::org.eq(org))
        .order(l::id)
        .select(ExecutionRow::as_select())
        .rows(conn)
}

/// What automations did with an event and with its newest replays, newest first.
pub fn of_replays<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    automations: &'a [Uuid],
    original: Uuid,
) -> Answer<'a, Vec<ExecutionRow>> {
    Box::pin(async move {
        if automations.is_empty() {
            return Ok(Vec::new());
        }
        // No index has this order, so that PostgreSQL cannot prefer to walk all events by it.
        let replays = e::table
            .filter(e::replay_of.eq(original))
            .order((e::received_at.desc(), e::sequence.desc()))
            .limit(REPLAYS_MAX)
            .select(e::id);
        let mut events: Vec<Uuid> = replays.rows(conn).await?;
        events.push(original);
        let query = l::table
            .filter(l::event_id.eq_any(events))
            .filter(l::automation_id.eq_any(automations))
            .filter(l::org.eq(org))
            .select(ExecutionRow::as_select());
        let mut found: Vec<ExecutionRow> = query.rows(conn).await?;
        found.sort_by_key(|row| std::cmp::Reverse(row.id));
        Ok(found)
    })
}
