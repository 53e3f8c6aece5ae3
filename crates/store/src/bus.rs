//! What the store knows about the bus: which streams it was told, and from where on events may still be unhandled.
//!
//! It must stay true that the stored identity is that of the streams to which everything up to the watermarks was
//! published: it changes only after what the old streams lost has been published again.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, IntoSql as _,
    NullableExpressionMethods as _, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
    dsl::{exists, max, min, not},
    update,
};
use omni_events::Event;

use crate::{
    Answer, Error, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    events::row::StoredRow,
    schema::{bus as b, event_outcomes as o, omni_events as e, outbox_writers as w},
};

/// What the store knows about the bus.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = b, check_for_backend(Dual))]
pub struct Bus {
    /// Names the streams to which everything up to the watermarks was published. Empty when none was ever.
    pub identity: String,
    /// Every event up to this sequence has an outcome.
    pub settled_through: i64,
    /// The writer that publishes again what lost streams had.
    pub healer: Option<i64>,
    /// When the newest dead letter was given up of which an event tells.
    pub letters_through: DateTime<Utc>,
}

/// What is known.
pub fn get(conn: &mut Conn) -> Answer<'_, Bus> {
    Box::pin(async move {
        let found: Option<Bus> = b::table.select(Bus::as_select()).row(conn).await?;
        found.ok_or_else(|| Error::corrupt("bus", "id", "the row is missing"))
    })
}

/// Takes it upon a writer to publish again what the streams of `identity` have lost. `false` when another one that
/// lives does so, or it is done. Who is `alone` need not ask whether another one lives.
pub fn claim<'a>(
    conn: &'a mut Conn,
    writer: i64,
    identity: &'a str,
    alone: bool,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let other_lives = exists(
            w::table
                .filter(w::id.nullable().eq(b::healer))
                .filter(w::fenced.eq(false))
                .filter(w::id.ne(writer)),
        );
        let free = b::table
            .filter(b::identity.eq(identity))
            .filter(not(other_lives).or(alone.into_sql::<diesel::sql_types::Bool>()));
        Ok(update(free).set(b::healer.eq(writer)).run(conn).await? == 1)
    })
}

/// Says that the streams of `identity` have everything. `false` when another writer has taken it upon itself.
pub fn healed<'a>(conn: &'a mut Conn, writer: i64, identity: &'a str) -> Answer<'a, bool> {
    Box::pin(async move {
        let mine = b::table.filter(b::healer.eq(writer));
        let change = update(mine).set((b::identity.eq(identity), b::healer.eq(None::<i64>)));
        Ok(change.run(conn).await? == 1)
    })
}

/// Events after one sequence and up to another that have no outcome, oldest first, with their sequences. It looks at
/// every event in between, so keep the two close together. One that cannot be read stands there as its error.
pub fn pending(
    conn: &mut Conn,
    after: i64,
    through: i64,
    limit: i64,
) -> Answer<'_, Vec<(i64, Result<Event>)>> {
    Box::pin(async move {
        let query = e::table
            .filter(e::sequence.gt(after).and(e::sequence.le(through)))
            .filter(not(exists(o::table.filter(o::event_id.eq(e::id)))))
            .order(e::sequence)
            .limit(limit)
            .select(StoredRow::as_select());
        let rows: Vec<StoredRow> = query.rows(conn).await?;
        Ok(rows.into_iter().map(|row| (row.sequence, row.into_event())).collect())
    })
}

/// The sequence of the newest event, 0 when there is none.
pub fn last_sequence(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(async move {
        let last: Option<Option<i64>> = e::table.select(max(e::sequence)).row(conn).await?;
        Ok(last.flatten().unwrap_or_default())
    })
}

/// Up to where every event has an outcome, as far as can be seen from `after` within the next `scan` sequences.
///
/// It stays behind what every writer has published: what commits later comes later than that.
pub fn settled_from(conn: &mut Conn, after: i64, scan: i64) -> Answer<'_, i64> {
    Box::pin(async move {
        let least: Option<Option<i64>> =
            w::table.select(min(w::published_through)).row(conn).await?;
        let through = least.flatten().unwrap_or(after).min(after.saturating_add(scan));
        if through <= after {
            return Ok(after);
        }
        let first: Option<Option<i64>> = e::table
            .filter(e::sequence.gt(after).and(e::sequence.le(through)))
            .filter(not(exists(o::table.filter(o::event_id.eq(e::id)))))
            .select(min(e::sequence))
            .row(conn)
            .await?;
        Ok(first.flatten().map_or(through, |sequence| sequence - 1))
    })
}

/// Says that every event up to a sequence has an outcome; it never goes back.
pub fn set_settled(conn: &mut Conn, through: i64) -> Answer<'_, ()> {
    Box::pin(async move {
        let behind = b::table.filter(b::settled_through.lt(through));
        update(behind).set(b::settled_through.eq(through)).run(conn).await?;
        Ok(())
    })
}

/// Says that an event tells of every dead letter given up until then; it never goes back.
pub fn set_letters(conn: &mut Conn, through: DateTime<Utc>) -> Answer<'_, ()> {
    Box::pin(async move {
        let behind = b::table.filter(b::letters_through.lt(through));
        update(behind).set(b::letters_through.eq(through)).run(conn).await?;
        Ok(())
    })
}
