//! Who commits events, and what of it still has to be published.
//!
//! Each process that commits has a writer of its own. Everything past a writer's watermark may not have reached the
//! bus, so it is published again: by the writer itself, or by another process once the writer is gone.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, delete,
    dsl::{exists, max, not},
    insert_into, update,
};
use omni_events::Event;

use crate::{
    Answer, Error,
    conn::{Conn, Run as _},
    dual::Dual,
    events::{commit, row::StoredRow},
    schema::{event_outcomes as o, omni_events as e, outbox_writers as w},
};

/// A process that commits events.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = w, check_for_backend(Dual))]
pub struct Writer {
    /// Its number; never given twice.
    pub id: i64,
    /// The process, for people who look.
    pub name: String,
    /// Everything of this writer up to this sequence is on the bus.
    pub published_through: i64,
    /// When it last showed that it lives.
    pub heartbeat_at: DateTime<Utc>,
    /// Whether another process has stopped it; it cannot commit any more.
    pub fenced: bool,
}

#[derive(Insertable)]
#[diesel(table_name = w, treat_none_as_default_value = false)]
struct NewWriter<'a> {
    name: &'a str,
    published_through: i64,
    heartbeat_at: DateTime<Utc>,
    fenced: bool,
}

/// Makes a writer and answers its number; its watermark begins behind all events that are there.
pub fn claim_writer<'a>(conn: &'a mut Conn, name: &'a str, now: DateTime<Utc>) -> Answer<'a, i64> {
    Box::pin(async move {
        let last: Option<Option<i64>> = e::table.select(max(e::sequence)).row(conn).await?;
        let published_through = last.flatten().unwrap_or_default();
        let new = NewWriter { name, published_through, heartbeat_at: now, fenced: false };
        let id: Option<i64> = insert_into(w::table).values(new).returning(w::id).row(conn).await?;
        id.ok_or_else(|| Error::corrupt("outbox_writers", "id", "no number was given"))
    })
}

/// All writers that were not retired.
pub fn writers(conn: &mut Conn) -> Answer<'_, Vec<Writer>> {
    w::table.select(Writer::as_select()).order(w::id).rows(conn)
}

/// The writer's events after a sequence that have no outcome, oldest first, with their sequences. What has one was on the
/// bus.
pub fn unpublished(
    conn: &mut Conn,
    writer: i64,
    after: i64,
    limit: i64,
) -> Answer<'_, Vec<(i64, Event)>> {
    Box::pin(async move {
        let query = e::table
            .filter(e::writer.eq(writer))
            .filter(e::sequence.gt(after))
            .filter(not(exists(o::table.filter(o::event_id.eq(e::id)))))
            .order(e::sequence)
            .limit(limit)
            .select(StoredRow::as_select());
        let rows: Vec<StoredRow> = query.rows(conn).await?;
        rows.into_iter().map(|row| Ok((row.sequence, row.into_event()?))).collect()
    })
}

/// Says that everything of the writer up to a sequence is on the bus, and that it lives; it never goes back.
///
/// # Errors
/// [`Error::WriterRetired`] when another process took the writer's events over.
pub fn set_published(
    conn: &mut Conn,
    writer: i64,
    through: i64,
    now: DateTime<Utc>,
) -> Answer<'_, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = commit::set_published(conn, writer, through, now).await;
        conn.end(result).await
    })
}

/// Stops a writer that has not shown life since `heartbeat_at`: what it is about to commit fails. `false` if it lives, or
/// is gone already.
///
/// To take over what a dead writer left: fence it, publish its events, then [`retire`] it. A crash in between loses
/// nothing, because the row with its watermark is still there.
pub fn fence(conn: &mut Conn, writer: i64, heartbeat_at: DateTime<Utc>) -> Answer<'_, bool> {
    Box::pin(async move {
        let dead = w::table.filter(w::id.eq(writer)).filter(w::heartbeat_at.le(heartbeat_at));
        Ok(update(dead).set(w::fenced.eq(true)).run(conn).await? == 1)
    })
}

/// Forgets a writer that has not shown life since `heartbeat_at`; `false` if it lives, or is gone already.
///
/// Fence it first, or it may commit between the last look for its events and this.
pub fn retire(conn: &mut Conn, writer: i64, heartbeat_at: DateTime<Utc>) -> Answer<'_, bool> {
    Box::pin(async move {
        let dead = w::table.filter(w::id.eq(writer)).filter(w::heartbeat_at.le(heartbeat_at));
        Ok(delete(dead).run(conn).await? == 1)
    })
}
