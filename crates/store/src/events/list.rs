//! Pages of events by filter, newest or oldest first: first the places, by an index alone where that is possible, then
//! the events at these places.

use std::collections::HashMap;

use diesel::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
use uuid::Uuid;

use crate::{
    Answer, Kind, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    schema::{event_outcomes as o, omni_events as e},
};

use super::{
    Outcome, StoredEvent,
    filter::{Filter, Page, Place},
    question::Question,
    row::StoredRow,
};

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// Events that are read at once where a look at each decides, and few may be selected.
const SCAN_MIN: i64 = 200;

/// A page of the events that pass the filter, in the order of their receipt.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    filter: &'a Filter,
    page: &'a Page,
) -> Answer<'a, Vec<StoredEvent>> {
    Box::pin(async move {
        let Some(question) = Question::new(conn, org, filter, page.ascending).await? else {
            return Ok(Vec::new());
        };
        let limit = page.limit.clamp(1, PAGE_MAX);
        let scan = if question.is_decided() { limit } else { limit.max(SCAN_MIN) };
        let (mut after, mut found) = (page.after, Vec::new());
        loop {
            let places = question.places(conn, after, scan).await?;
            let is_last = (places.len() as i64) < scan;
            after = places.last().copied().or(after);
            for row in at(conn, &places).await? {
                if question.selects(&row)? {
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

/// The events at some places, in their order.
async fn at(conn: &mut Conn, places: &[Place]) -> Result<Vec<StoredRow>> {
    let sequences: Vec<i64> = places.iter().map(|place| place.sequence).collect();
    let mut rows: HashMap<i64, StoredRow> = HashMap::with_capacity(sequences.len());
    for some in chunks(Kind::Postgres, &sequences) {
        let query = e::table.filter(e::sequence.eq_any(some)).select(StoredRow::as_select());
        let found: Vec<StoredRow> = query.rows(conn).await?;
        rows.extend(found.into_iter().map(|row| (row.sequence, row)));
    }
    Ok(sequences.iter().filter_map(|sequence| rows.remove(sequence)).collect())
}

/// The plan of reading the events at some places.
#[cfg(feature = "testing")]
pub(super) async fn explain_rows(conn: &mut Conn, places: &[Place]) -> Result<Vec<String>> {
    let sequences: Vec<i64> = places.iter().map(|place| place.sequence).collect();
    let mut lines = Vec::new();
    for some in chunks(Kind::Postgres, &sequences) {
        let query = e::table.filter(e::sequence.eq_any(some)).select(StoredRow::as_select());
        let statement = crate::dual::collect(conn.kind(), &query)?;
        lines.extend(super::explain::plan(conn, statement).await?);
    }
    Ok(lines)
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
