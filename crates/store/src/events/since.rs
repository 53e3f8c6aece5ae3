//! Following the log: what comes after a sequence, in the order of sequences.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
};

use crate::{
    Answer,
    conn::{Conn, Run as _},
    schema::omni_events as e,
};

use super::{StoredEvent, list::with_outcomes, row::StoredRow};

/// Events of all organisations that one look passes over: whoever waits in a quiet organisation goes on with the others
/// and does not read the same stretch of the log each time.
const STRETCH: i64 = 10_000;

/// A stretch of the log.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The events of one organisation in it, by sequence.
    pub events: Vec<StoredEvent>,
    /// Where it ends; the next one begins after it.
    pub through: i64,
    /// Whether the log went on behind it when it was read.
    pub is_full: bool,
}

/// What an organisation has after a sequence, at most `limit` events.
pub fn since<'a>(conn: &'a mut Conn, org: &'a str, after: i64, limit: i64) -> Answer<'a, Stretch> {
    Box::pin(async move {
        let last = e::table
            .filter(e::sequence.gt(after))
            .order(e::sequence)
            .offset(STRETCH - 1)
            .limit(1)
            .select(e::sequence);
        let last: Option<i64> = last.row(conn).await?;
        let through = match last {
            Some(last) => last,
            None => crate::bus::last_sequence(conn).await?.max(after),
        };
        let rows: Vec<StoredRow> = e::table
            .filter(e::org.eq(org))
            .filter(e::sequence.gt(after).and(e::sequence.le(through)))
            .order(e::sequence)
            .limit(limit)
            .select(StoredRow::as_select())
            .rows(conn)
            .await?;
        let is_cut = rows.len() as i64 >= limit;
        let through = match rows.last() {
            Some(row) if is_cut => row.sequence,
            _ => through,
        };
        let events = with_outcomes(conn, rows).await?;
        Ok(Stretch { events, through, is_full: is_cut || last.is_some() })
    })
}
