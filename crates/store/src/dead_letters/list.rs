//! Pages of letters by filter.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    dsl::{count_star, sql},
    sql_types::Bool,
};
use omni_events::{EventType, TypePattern};
use uuid::Uuid;

use crate::{
    Answer, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::dead_letters as d,
};

use super::DeadLetterHead;

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;
/// Rows read at once for a pattern, of which few may be selected.
const SCAN_MIN: i64 = 200;

/// Which letters are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this status.
    pub status: Option<String>,
    /// Given up by this consumer.
    pub consumer: Option<String>,
    /// Of this automation.
    pub automation_id: Option<Uuid>,
    /// About this event.
    pub event_id: Option<Uuid>,
    /// About events of such a type.
    pub event_type: Option<TypePattern>,
    /// Given up at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Given up before this.
    pub to: Option<DateTime<Utc>>,
    /// Not changed after this.
    pub unchanged_since: Option<DateTime<Utc>>,
}

/// Which part of the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// When the last letter that was seen was given up, and its id; `None` for the first page.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// How many letters, 1000 at most.
    pub limit: i64,
    /// Oldest first instead of newest first.
    pub ascending: bool,
}

/// A page of the letters that pass the filter, in the order in which they were given up.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    filter: &'a Filter,
    page: &'a Page,
) -> Answer<'a, Vec<DeadLetterHead>> {
    Box::pin(async move {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let is_exact = filter.event_type.as_ref().is_none_or(TypePattern::is_exact);
        let scan = if is_exact { limit } else { limit.max(SCAN_MIN) };
        let (mut after, mut found) = (page.after, Vec::new());
        loop {
            let rows = query(conn, org, filter, &Page { after, limit: scan, ..*page }).await?;
            let is_last = (rows.len() as i64) < scan;
            after = rows.last().map(|row| (row.dead_at, row.id)).or(after);
            for row in rows {
                if selects(filter, &row.event_type) {
                    found.push(row);
                }
            }
            if is_last || found.len() as i64 >= limit {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    })
}

/// How many letters pass the filter; `None` when only reading them would tell, because it has a pattern.
pub fn count<'a>(conn: &'a mut Conn, org: &'a str, filter: &'a Filter) -> Answer<'a, Option<i64>> {
    Box::pin(async move {
        if filter.event_type.as_ref().is_some_and(|pattern| !pattern.is_exact()) {
            return Ok(None);
        }
        narrowed(org, filter).select(count_star()).row(conn).await
    })
}

/// How many letters of all organisations nobody is done with.
pub fn open(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(async move {
        // As the index says it: a value that is bound later would not be known to fit.
        let open = d::table.filter(sql::<Bool>("status IN ('pending', 'retrying')"));
        Ok(open.select(count_star()).row(conn).await?.unwrap_or_default())
    })
}

/// The database narrows a pattern to a range of types; this decides.
fn selects(filter: &Filter, event_type: &str) -> bool {
    let Some(pattern) = &filter.event_type else { return true };
    // A message that was no event has its subject here.
    EventType::parse(event_type).is_ok_and(|event_type| pattern.matches(&event_type))
}

async fn query(
    conn: &mut Conn,
    org: &str,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<DeadLetterHead>> {
    let mut query = narrowed(org, filter).limit(page.limit);
    // The first half lets an index begin at the right place, the second decides among those of the same time.
    query = match (page.ascending, page.after) {
        (true, None) => query.order((d::dead_at.asc(), d::id.asc())),
        (true, Some((at, id))) => query
            .order((d::dead_at.asc(), d::id.asc()))
            .filter(d::dead_at.ge(at))
            .filter(d::dead_at.gt(at).or(d::id.gt(id))),
        (false, None) => query.order((d::dead_at.desc(), d::id.desc())),
        (false, Some((at, id))) => query
            .order((d::dead_at.desc(), d::id.desc()))
            .filter(d::dead_at.le(at))
            .filter(d::dead_at.lt(at).or(d::id.lt(id))),
    };
    query.select(DeadLetterHead::as_select()).rows(conn).await
}

/// Everything of a filter that the database can decide.
fn narrowed<'a>(org: &'a str, filter: &'a Filter) -> d::BoxedQuery<'a, Dual> {
    let mut query = d::table.filter(d::org.eq(org)).into_boxed::<Dual>();
    if let Some(status) = &filter.status {
        query = query.filter(d::status.eq(status));
    }
    if let Some(consumer) = &filter.consumer {
        query = query.filter(d::consumer.eq(consumer));
    }
    if let Some(id) = filter.automation_id {
        query = query.filter(d::automation_id.eq(id));
    }
    if let Some(id) = filter.event_id {
        query = query.filter(d::event_id.eq(id));
    }
    if let Some(pattern) = &filter.event_type {
        let text = pattern.as_str();
        query = if pattern.is_exact() {
            query.filter(d::event_type.eq(text))
        } else {
            // Types are ASCII and compared by their bytes, so what begins with a prefix lies together.
            let prefix = text.split(['*', '>']).next().unwrap_or_default();
            let beyond = format!("{prefix}\u{7f}");
            query.filter(d::event_type.ge(prefix)).filter(d::event_type.lt(beyond))
        };
    }
    if let Some(from) = filter.from {
        query = query.filter(d::dead_at.ge(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(d::dead_at.lt(to));
    }
    if let Some(since) = filter.unchanged_since {
        query = query.filter(d::changed_at.le(since));
    }
    query
}
