//! Counts that prove that nothing is lost, and looks for rows that point at nothing.
//!
//! What must stay true: every query here looks at a bounded part of a table, so that it holds up nobody on a store of any
//! size; the caller goes on from the end of one part to the next.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _,
    NullableExpressionMethods as _, QueryDsl as _,
    dsl::{exists, not, sql},
    sql_types::{Bool, Text},
};
use uuid::Uuid;

use crate::{
    Answer, Kind,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::{
        automation_logs as l, dead_letters as d, dedupe_keys as k, event_outcomes as o,
        event_payloads as p, omni_events as e, outbox_writers as w, scheduled_events as s,
    },
};

/// Rows that one query looks at.
pub const WINDOW: i64 = 8192;
/// Rows that one query names; what is more is counted as so many.
const NAMED: i64 = 100;

/// How many events of an organisation have one status; no status is no outcome.
pub type StatusCount = (String, Option<String>, i64);

/// A row that points at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The tenant.
    pub org: String,
    /// The event that is not there, or the row itself.
    pub id: Uuid,
}

/// One part of a table, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<K> {
    /// What was found there, 100 at most.
    pub strays: Vec<Stray>,
    /// Where to go on; `None` at the end of the table.
    pub next: Option<K>,
}

/// Organisation, scope and key of a dedupe key.
pub type KeyName = (String, String, String);

/// Tables whose rows belong to events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What became of events.
    Outcomes,
    /// What automations did.
    Executions,
    /// What was captured.
    Captures,
    /// What was given up, but for messages that never were events.
    DeadLetters,
}

/// Counts the events after one sequence and up to another by organisation and status, all at one moment.
pub fn count<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    after: i64,
    through: i64,
) -> Answer<'a, Vec<StatusCount>> {
    Box::pin(async move {
        let mut query = e::table
            .left_join(o::table.on(o::event_id.eq(e::id)))
            .filter(e::sequence.gt(after).and(e::sequence.le(through)))
            .select((e::org, o::status.nullable()))
            .into_boxed::<Dual>();
        if let Some(org) = org {
            query = query.filter(e::org.eq(org));
        }
        let rows: Vec<(String, Option<String>)> = query.rows(conn).await?;
        let mut counts = BTreeMap::new();
        for row in rows {
            *counts.entry(row).or_insert(0) += 1;
        }
        Ok(counts.into_iter().map(|((org, status), count)| (org, status, count)).collect())
    })
}

/// Events after one sequence and up to another that the bus has, that were received before `before`, and that have no
/// outcome, 100 at most.
pub fn unhandled<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    (after, through): (i64, i64),
    before: DateTime<Utc>,
) -> Answer<'a, Vec<Stray>> {
    Box::pin(async move {
        let unpublished =
            w::table.filter(w::id.eq(e::writer)).filter(w::published_through.lt(e::sequence));
        let mut query = e::table
            .filter(e::sequence.gt(after).and(e::sequence.le(through)))
            .filter(e::received_at.lt(before))
            .filter(not(exists(o::table.filter(o::event_id.eq(e::id)))))
            .filter(not(exists(unpublished)))
            .into_boxed::<Dual>();
        if let Some(org) = org {
            query = query.filter(e::org.eq(org));
        }
        let query = query.order(e::sequence).limit(NAMED).select((e::org, e::id));
        Ok(strays(query.rows(conn).await?))
    })
}

/// Which of these events still have no outcome.
pub fn still_unhandled(conn: &mut Conn, found: Vec<Stray>) -> Answer<'_, Vec<Stray>> {
    Box::pin(async move {
        let ids: Vec<Uuid> = found.iter().map(|stray| stray.id).collect();
        let mut handled = Vec::new();
        for some in chunks(Kind::Postgres, &ids) {
            let query =
                o::table.filter(o::event_id.eq_any(some.iter().copied())).select(o::event_id);
            handled.extend(query.rows::<Uuid, _>(conn).await?);
        }
        Ok(found.into_iter().filter(|stray| !handled.contains(&stray.id)).collect())
    })
}

/// Looks at the rows of the next events of a table for those whose event is not there.
macro_rules! part {
    ($conn:ident, $table:ident, $org:ident, $after:ident, $extra:expr) => {{
        let end = $table::table
            .filter($table::event_id.gt($after))
            .order($table::event_id)
            .offset(WINDOW - 1)
            .limit(1)
            .select($table::event_id);
        let next: Option<Uuid> = end.row($conn).await?;
        let mut query = $table::table
            .filter($table::event_id.gt($after))
            .filter(not(exists(e::table.filter(e::id.eq($table::event_id)))))
            .filter($extra)
            .into_boxed::<Dual>();
        if let Some(end) = next {
            query = query.filter($table::event_id.le(end));
        }
        if let Some(org) = $org {
            query = query.filter($table::org.eq(org));
        }
        let query = query.limit(NAMED).select(($table::org, $table::event_id));
        Ok(Part { strays: strays(query.rows($conn).await?), next })
    }};
}

/// Rows of a table, after an event id in the order of ids, whose event is not there.
pub fn strays_of<'a>(
    conn: &'a mut Conn,
    table: Table,
    org: Option<&'a str>,
    after: Uuid,
) -> Answer<'a, Part<Uuid>> {
    Box::pin(async move {
        match table {
            Table::Outcomes => part!(conn, o, org, after, o::event_id.gt(after)),
            Table::Executions => part!(conn, l, org, after, l::event_id.gt(after)),
            Table::Captures => part!(conn, p, org, after, p::event_id.gt(after)),
            Table::DeadLetters => part!(conn, d, org, after, d::message.is_null()),
        }
    })
}

/// Keys, after one in their order, whose event neither is there nor is to happen.
pub fn stray_keys<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    after: &'a KeyName,
) -> Answer<'a, Part<KeyName>> {
    Box::pin(async move {
        let beyond = |name: &'a KeyName| {
            sql::<Bool>("(org, scope, key) > (")
                .bind::<Text, _>(&name.0)
                .sql(", ")
                .bind::<Text, _>(&name.1)
                .sql(", ")
                .bind::<Text, _>(&name.2)
                .sql(")")
        };
        let end = k::table
            .filter(beyond(after))
            .order((k::org, k::scope, k::key))
            .offset(WINDOW - 1)
            .limit(1)
            .select((k::org, k::scope, k::key));
        let next: Option<KeyName> = end.row(conn).await?;
        let mut query = k::table
            .filter(beyond(after))
            .filter(not(exists(e::table.filter(e::id.eq(k::event_id)))))
            .filter(not(exists(s::table.filter(s::id.eq(k::event_id)))))
            .into_boxed::<Dual>();
        if let Some((last_org, scope, key)) = next.clone() {
            query = query.filter(
                sql::<Bool>("(org, scope, key) <= (")
                    .bind::<Text, _>(last_org)
                    .sql(", ")
                    .bind::<Text, _>(scope)
                    .sql(", ")
                    .bind::<Text, _>(key)
                    .sql(")"),
            );
        }
        if let Some(org) = org {
            query = query.filter(k::org.eq(org));
        }
        let query = query.limit(NAMED).select((k::org, k::event_id));
        Ok(Part { strays: strays(query.rows(conn).await?), next })
    })
}

/// Failed events received since a time that nobody can retry, because no dead letter tells of them, 100 at most.
pub fn failed_without_letter<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    since: DateTime<Utc>,
) -> Answer<'a, Vec<Stray>> {
    Box::pin(async move {
        // A retry that fails gives its letter back, and makes no other.
        let retry = e::table.filter(e::id.eq(o::event_id)).filter(e::replay.is_not_null());
        let mut query = o::table
            // Written out for the planner: the index holds just these.
            .filter(sql::<Bool>("status <> 'completed'"))
            .filter(o::status.eq("failed").and(o::received_at.ge(since)))
            .filter(not(exists(d::table.filter(d::event_id.eq(o::event_id)))))
            .filter(not(exists(retry)))
            .into_boxed::<Dual>();
        if let Some(org) = org {
            query = query.filter(o::org.eq(org));
        }
        let query = query.limit(NAMED).select((o::org, o::event_id));
        Ok(strays(query.rows(conn).await?))
    })
}

/// Dead letters whose retry began before `before` and has no event, 100 at most.
pub fn retries_without_event<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    before: DateTime<Utc>,
) -> Answer<'a, Vec<Stray>> {
    Box::pin(async move {
        let event = e::table.filter(e::id.nullable().eq(d::retry_event_id));
        let mut query = d::table
            .filter(sql::<Bool>("status = 'retrying'"))
            .filter(d::changed_at.lt(before))
            .filter(not(exists(event)))
            .into_boxed::<Dual>();
        if let Some(org) = org {
            query = query.filter(d::org.eq(org));
        }
        let query = query.limit(NAMED).select((d::org, d::id));
        Ok(strays(query.rows(conn).await?))
    })
}

fn strays(rows: Vec<(String, Uuid)>) -> Vec<Stray> {
    rows.into_iter().map(|(org, id)| Stray { org, id }).collect()
}
