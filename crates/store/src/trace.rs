//! What a chain of causes is made of, read for many events at once: each kind of thing with one query per batch of ids,
//! and never with one per event.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _,
};
use uuid::Uuid;

use crate::{
    Answer, Kind,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::Dual,
    events::Outcome,
    executions::ExecutionRow,
    schema::{
        automation_logs as l, automation_versions as v, dead_letters as d, event_outcomes as o,
        event_payloads as p, omni_events as e,
    },
};

/// An event of a chain, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = e, check_for_backend(Dual))]
pub struct TraceEvent {
    /// Its place in the log.
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Who said so.
    pub source: String,
    /// When it was taken in.
    pub received_at: DateTime<Utc>,
    /// What the whole chain shares; `None`: its own id.
    pub correlation_id: Option<String>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// The event that it replays.
    pub replay_of: Option<Uuid>,
    /// Which replay that is, as JSON.
    pub replay: Option<String>,
}

impl TraceEvent {
    /// The event above this one; a replay stands below its original, whatever caused that.
    pub fn parent(&self) -> Option<Uuid> {
        self.replay_of.or(self.causation_id)
    }
}

/// What was received or sent with an event, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = p, check_for_backend(Dual))]
pub struct TraceCapture {
    /// The event.
    pub event_id: Uuid,
    /// Where on its way it was captured.
    pub stage: String,
    /// Counts from 0 where a stage happens more than once.
    pub part: i32,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Bytes of the body; 0 where it is the payload of the event.
    pub size: i64,
    /// When it was captured.
    pub created_at: DateTime<Utc>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What was given up with an event.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = d, check_for_backend(Dual))]
pub struct TraceLetter {
    /// Its id.
    pub id: Uuid,
    /// The event.
    pub event_id: Uuid,
    /// The consumer that gave it up.
    pub consumer: String,
    /// The automation that failed.
    pub automation_id: Option<Uuid>,
    /// The version of it.
    pub version: Option<i32>,
    /// How often it was tried.
    pub attempts: i32,
    /// What it is now.
    pub status: String,
    /// How often it was retried since.
    pub retries: i32,
    /// When it was given up.
    pub dead_at: DateTime<Utc>,
}

/// Everything beside the events of one level of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What became of them.
    pub outcomes: Vec<(Uuid, Outcome)>,
    /// What automations did with them.
    pub executions: Vec<ExecutionRow>,
    /// What was captured with them.
    pub captures: Vec<TraceCapture>,
    /// What was given up with them.
    pub letters: Vec<TraceLetter>,
}

/// The event and what it comes from, up to the root or `max` events, the event first.
pub fn ancestors<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    id: Uuid,
    max: usize,
) -> Answer<'a, Vec<TraceEvent>> {
    Box::pin(async move {
        let (mut chain, mut seen) = (Vec::<TraceEvent>::new(), HashSet::new());
        let mut next = Some(id);
        while let Some(id) = next
            && chain.len() < max
            && seen.insert(id)
        {
            let query = e::table
                .filter(e::id.eq(id))
                .filter(e::org.eq(org))
                .select(TraceEvent::as_select());
            let found: Option<TraceEvent> = query.row(conn).await?;
            let Some(event) = found else { break };
            next = event.parent();
            chain.push(event);
        }
        Ok(chain)
    })
}

/// The events that some events caused, and their replays, in the order of the log, about `limit` at most.
pub fn children<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    parents: &'a [Uuid],
    limit: i64,
) -> Answer<'a, Vec<TraceEvent>> {
    Box::pin(async move {
        let mut found: Vec<TraceEvent> = Vec::new();
        for some in chunks(Kind::Postgres, parents) {
            // Two queries, because each has an index of its own.
            let caused = e::table
                .filter(e::causation_id.eq_any(some.iter().copied()))
                .filter(e::org.eq(org).and(e::replay_of.is_null()))
                .order(e::sequence)
                .limit(limit)
                .select(TraceEvent::as_select());
            found.extend(caused.rows::<TraceEvent, _>(conn).await?);
            let replays = e::table
                .filter(e::replay_of.eq_any(some.iter().copied()))
                .filter(e::org.eq(org))
                .order(e::sequence)
                .limit(limit)
                .select(TraceEvent::as_select());
            found.extend(replays.rows::<TraceEvent, _>(conn).await?);
        }
        found.sort_by_key(|event| event.sequence);
        Ok(found)
    })
}

/// What became of some events and was done with them, about `limit` executions at most.
pub fn around<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    ids: &'a [Uuid],
    limit: i64,
) -> Answer<'a, Around> {
    Box::pin(async move {
        let mut all = Around::default();
        for some in chunks(Kind::Postgres, ids) {
            let outcomes = o::table
                .filter(o::event_id.eq_any(some.iter().copied()))
                .filter(o::org.eq(org))
                .select((o::event_id, Outcome::as_select()));
            all.outcomes.extend(outcomes.rows::<(Uuid, Outcome), _>(conn).await?);
            let executions = l::table
                .filter(l::event_id.eq_any(some.iter().copied()))
                .filter(l::org.eq(org))
                .order(l::id)
                .limit(limit)
                .select(ExecutionRow::as_select());
            all.executions.extend(executions.rows::<ExecutionRow, _>(conn).await?);
            let captures = p::table
                .filter(p::event_id.eq_any(some.iter().copied()))
                .filter(p::org.eq(org))
                .order((p::event_id, p::created_at, p::stage, p::part))
                .limit(limit)
                .select(TraceCapture::as_select());
            all.captures.extend(captures.rows::<TraceCapture, _>(conn).await?);
            let letters = d::table
                .filter(d::event_id.eq_any(some.iter().copied()))
                .filter(d::org.eq(org))
                .order((d::dead_at, d::id))
                .limit(limit)
                .select(TraceLetter::as_select());
            all.letters.extend(letters.rows::<TraceLetter, _>(conn).await?);
        }
        Ok(all)
    })
}

/// The names that automations had, by id and version.
pub fn automation_names<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    ids: &'a [Uuid],
) -> Answer<'a, Vec<((Uuid, i32), String)>> {
    Box::pin(async move {
        let mut names = Vec::new();
        for some in chunks(Kind::Postgres, ids) {
            let query = v::table
                .filter(v::automation_id.eq_any(some.iter().copied()))
                .filter(v::org.eq(org))
                .select((v::automation_id, v::version, v::name));
            let found: Vec<(Uuid, i32, String)> = query.rows(conn).await?;
            names.extend(found.into_iter().map(|(id, version, name)| ((id, version), name)));
        }
        Ok(names)
    })
}
