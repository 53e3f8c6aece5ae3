//! Pages of events by filter, newest or oldest first.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    dsl::{exists, not},
};
use omni_events::{Direction, TypePattern};
use uuid::Uuid;

use crate::{
    Answer, Kind, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::{event_outcomes as o, omni_events as e},
};

use super::{Outcome, StoredEvent, row::StoredRow};

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// Rows that are read at once for a pattern, of which few may be selected.
const SCAN_MIN: i64 = 200;

/// The status of an event that the engine is not done with.
pub const PENDING: &str = "pending";

/// Which events are wanted; what is `None` or empty does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these types.
    pub types: Vec<TypePattern>,
    /// Who said so.
    pub source: Option<String>,
    /// Kind of channel.
    pub channel_type: Option<String>,
    /// Instance of the channel.
    pub instance_id: Option<String>,
    /// What one cause set off.
    pub correlation_id: Option<String>,
    /// The provider's own id.
    pub provider_event_id: Option<String>,
    /// The status of the outcome, or [`PENDING`].
    pub status: Option<String>,
    /// Which way it went.
    pub direction: Option<Direction>,
    /// Happened at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Happened before this.
    pub to: Option<DateTime<Utc>>,
}

/// Which part of the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The sequence of the last event that was seen; `None` for the first page.
    pub after: Option<i64>,
    /// How many events, 1000 at most.
    pub limit: i64,
    /// Oldest first instead of newest first.
    pub ascending: bool,
}

/// A page of the events that pass the filter.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    filter: &'a Filter,
    page: &'a Page,
) -> Answer<'a, Vec<StoredEvent>> {
    Box::pin(async move {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let is_exact = filter.types.iter().all(TypePattern::is_exact);
        let scan = if is_exact { limit } else { limit.max(SCAN_MIN) };
        let (mut after, mut found) = (page.after, Vec::new());
        loop {
            let rows = query(conn, org, filter, &Page { after, limit: scan, ..*page }).await?;
            let is_last = (rows.len() as i64) < scan;
            after = rows.last().map(|row| row.sequence).or(after);
            for row in rows {
                if is_exact || selects(&filter.types, &row)? {
                    found.push(row);
                }
            }
            if is_last || found.len() as i64 >= limit {
                found.truncate(limit as usize);
                return with_outcomes(conn, found).await;
            }
        }
    })
}

/// The database narrows patterns to a range of types; this decides.
fn selects(types: &[TypePattern], row: &StoredRow) -> Result<bool> {
    let event_type = row.event_type()?;
    Ok(types.iter().any(|pattern| pattern.matches(&event_type)))
}

async fn query(conn: &mut Conn, org: &str, filter: &Filter, page: &Page) -> Result<Vec<StoredRow>> {
    let mut query = narrowed(org, filter).limit(page.limit);
    query = match (page.ascending, page.after) {
        (true, None) => query.order(e::sequence.asc()),
        (true, Some(after)) => query.order(e::sequence.asc()).filter(e::sequence.gt(after)),
        (false, None) => query.order(e::sequence.desc()),
        (false, Some(after)) => query.order(e::sequence.desc()).filter(e::sequence.lt(after)),
    };
    query.select(StoredRow::as_select()).rows(conn).await
}

/// Everything of the filter that the database can decide.
fn narrowed<'a>(org: &'a str, filter: &'a Filter) -> e::BoxedQuery<'a, Dual> {
    let mut query = e::table.filter(e::org.eq(org)).into_boxed::<Dual>();
    if filter.types.iter().all(TypePattern::is_exact) && !filter.types.is_empty() {
        let types = filter.types.iter().map(TypePattern::as_str);
        query = query.filter(e::event_type.eq_any(types));
    } else if let Some((first, beyond)) = range(&filter.types) {
        query = query.filter(e::event_type.ge(first)).filter(e::event_type.lt(beyond));
    }
    if let Some(source) = &filter.source {
        query = query.filter(e::source.eq(source));
    }
    if let Some(channel) = &filter.channel_type {
        query = query.filter(e::channel_type.eq(channel));
    }
    if let Some(instance) = &filter.instance_id {
        query = query.filter(e::instance_id.eq(instance));
    }
    if let Some(correlation) = &filter.correlation_id {
        // The event that begins a chain has no correlation id in its column: it is its own.
        query = match Uuid::try_parse(correlation) {
            Ok(id) => {
                let own = e::id.eq(id).and(e::correlation_id.is_null());
                query.filter(e::correlation_id.eq(correlation).or(own))
            }
            Err(_) => query.filter(e::correlation_id.eq(correlation)),
        };
    }
    if let Some(id) = &filter.provider_event_id {
        query = query.filter(e::provider_event_id.eq(id));
    }
    if let Some(direction) = filter.direction {
        query = query.filter(e::direction.eq(direction.as_str()));
    }
    if let Some(from) = filter.from {
        query = query.filter(e::occurred_at.ge(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(e::occurred_at.lt(to));
    }
    let outcome = o::table.filter(o::event_id.eq(e::id));
    match filter.status.as_deref() {
        None => query,
        Some(PENDING) => query.filter(not(exists(outcome))),
        Some(status) => query.filter(exists(outcome.filter(o::status.eq(status)))),
    }
}

/// The least range of types that holds everything the patterns select; `None` when all types are wanted.
///
/// Types are ASCII and compared by their bytes, so what begins with a prefix lies together.
fn range(types: &[TypePattern]) -> Option<(&str, String)> {
    let first = types.iter().map(prefix_of).min()?;
    let last = types.iter().map(prefix_of).max()?;
    Some((first, format!("{last}\u{7f}")))
}

fn prefix_of(pattern: &TypePattern) -> &str {
    pattern.as_str().split(['*', '>']).next().unwrap_or_default()
}

/// Reads the events and what became of them.
pub(super) async fn with_outcomes(
    conn: &mut Conn,
    rows: Vec<StoredRow>,
) -> Result<Vec<StoredEvent>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut outcomes: HashMap<Uuid, Outcome> = HashMap::new();
    for some in chunks(Kind::Postgres, &ids) {
        let query =
            o::table.filter(o::event_id.eq_any(some)).select((o::event_id, Outcome::as_select()));
        let found: Vec<(Uuid, Outcome)> = query.rows(conn).await?;
        outcomes.extend(found);
    }
    rows.into_iter()
        .map(|row| {
            let (sequence, outcome) = (row.sequence, outcomes.remove(&row.id));
            let (event, is_expunged) = row.into_parts()?;
            Ok(StoredEvent { sequence, event, outcome, is_expunged })
        })
        .collect()
}
