//! How much of everything an organisation has.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, QueryDsl as _,
    dsl::{count, count_star},
};

use crate::{
    Answer,
    conn::{Conn, Run as _},
    schema::{
        automation_logs as l, automations as a, event_outcomes as o, omni_events as e, sources as s,
    },
};

/// How many types are counted one by one.
const TYPES_MAX: i64 = 20;

/// Counts of one organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All events.
    pub events: i64,
    /// Events received since the given time.
    pub events_recent: i64,
    /// The most frequent types with their counts, most frequent first.
    pub by_type: Vec<(String, i64)>,
    /// Processed events by status.
    pub outcomes: Vec<(String, i64)>,
    /// Executions by status.
    pub executions: Vec<(String, i64)>,
    /// Sources.
    pub sources: i64,
    /// Automations.
    pub automations: i64,
    /// Automations that run.
    pub automations_enabled: i64,
}

/// Counts everything; it reads whole tables, so ask seldom. Events received since `since` are the recent ones.
pub fn read<'a>(conn: &'a mut Conn, org: &'a str, since: DateTime<Utc>) -> Answer<'a, Stats> {
    Box::pin(async move {
        let events = e::table.filter(e::org.eq(org));
        let mine = a::table.filter(a::org.eq(org));
        let recent = events.filter(e::received_at.ge(since));
        Ok(Stats {
            events: events.count().row(conn).await?.unwrap_or_default(),
            events_recent: recent.count().row(conn).await?.unwrap_or_default(),
            by_type: events
                .group_by(e::event_type)
                .select((e::event_type, count(e::sequence)))
                .order((count(e::sequence).desc(), e::event_type.asc()))
                .limit(TYPES_MAX)
                .rows(conn)
                .await?,
            outcomes: o::table
                .filter(o::org.eq(org))
                .group_by(o::status)
                .select((o::status, count_star()))
                .order(o::status)
                .rows(conn)
                .await?,
            executions: l::table
                .filter(l::org.eq(org))
                .group_by(l::status)
                .select((l::status, count_star()))
                .order(l::status)
                .rows(conn)
                .await?,
            sources: s::table.filter(s::org.eq(org)).count().row(conn).await?.unwrap_or_default(),
            automations: mine.count().row(conn).await?.unwrap_or_default(),
            automations_enabled: mine
                .filter(a::enabled.eq(true))
                .count()
                .row(conn)
                .await?
                .unwrap_or_default(),
        })
    })
}
