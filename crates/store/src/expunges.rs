//! Taking the payload of an event out of the record on purpose, with the reason.
//!
//! What must stay true: an event, its replays and everything kept with them lose their contents in one transaction, or
//! none does; and doing it again takes out what has come since and keeps the first time and reason.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, delete, insert_into, update,
};
use uuid::Uuid;

use crate::{
    Answer, Kind, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    pack::expunged,
    schema::{
        dead_letters as d, event_expunges as x, event_payloads as p, event_texts as t,
        omni_events as e, scheduled_events as s,
    },
};

/// The reason that is kept with the captures of such an event.
pub const EXPUNGED: &str = "expunged";

/// When and why the payload of an event was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = x, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct ExpungeRow {
    /// The event.
    pub event_id: Uuid,
    /// The tenant.
    pub org: String,
    /// Why.
    pub reason: String,
    /// When.
    pub expunged_at: DateTime<Utc>,
}

/// When and why the payload of an event was taken out; `None` if it was not.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, event_id: Uuid) -> Answer<'a, Option<ExpungeRow>> {
    x::table
        .filter(x::event_id.eq(event_id))
        .filter(x::org.eq(org))
        .select(ExpungeRow::as_select())
        .row(conn)
}

/// Takes out the payload of an event, of all replays of it and of the event that it replays, which all have the same
/// payload, with everything that was captured or kept beside them. Answers when and why, which for a second call are
/// those of the first; `None` when the organisation has no such event.
///
/// What stays is the envelope: ids, times, types, handles, outcomes.
pub fn expunge<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
    (reason, now): (&'a str, DateTime<Utc>),
) -> Answer<'a, Option<ExpungeRow>> {
    Box::pin(async move {
        conn.begin().await?;
        let result = expunge_family(conn, org, event_id, (reason, now)).await;
        conn.end(result).await
    })
}

async fn expunge_family(
    conn: &mut Conn,
    org: &str,
    event_id: Uuid,
    (reason, now): (&str, DateTime<Utc>),
) -> Result<Option<ExpungeRow>> {
    let mine = e::table.filter(e::org.eq(org));
    let found = mine.filter(e::id.eq(event_id)).select(e::replay_of);
    let Some(replay_of): Option<Option<Uuid>> = found.row(conn).await? else { return Ok(None) };
    let origin = replay_of.unwrap_or(event_id);
    let mut family: Vec<(Uuid, i64)> = mine
        .filter(e::replay_of.eq(origin))
        .order(e::sequence)
        .select((e::id, e::sequence))
        .rows(conn)
        .await?;
    let first = mine.filter(e::id.eq(origin)).select((e::id, e::sequence));
    family.splice(0..0, first.row(conn).await?);
    for (id, sequence) in &family {
        take_out(conn, org, (*id, *sequence), (reason, now)).await?;
    }
    get(conn, org, event_id).await
}

async fn take_out(
    conn: &mut Conn,
    org: &str,
    (id, sequence): (Uuid, i64),
    (reason, now): (&str, DateTime<Utc>),
) -> Result<()> {
    // First, because it waits for whoever is adding a capture, and keeps everybody else from it.
    update(e::table.filter(e::sequence.eq(sequence)))
        .set((
            e::payload.eq(expunged()),
            e::content_text.eq(None::<String>),
            e::content_media_url.eq(None::<String>),
            e::extra.eq(None::<String>),
        ))
        .run(conn)
        .await?;
    if conn.kind() == Kind::Sqlite {
        delete(t::table.filter(t::rowid.eq(sequence))).run(conn).await?;
    }
    let captures = p::table.filter(p::event_id.eq(id));
    update(captures).set((p::body.eq(None::<Vec<u8>>), p::headers.eq("[]"))).run(conn).await?;
    update(captures.filter(p::deleted_at.is_null()))
        .set((p::deleted_at.eq(Some(now)), p::deleted_reason.eq(Some(EXPUNGED))))
        .run(conn)
        .await?;
    update(d::table.filter(d::event_id.eq(id)))
        .set(d::message.eq(None::<Vec<u8>>))
        .run(conn)
        .await?;
    // The event is in the log, so whatever was planned for it has happened.
    delete(s::table.filter(s::id.eq(id))).run(conn).await?;
    let row = ExpungeRow {
        event_id: id,
        org: org.to_owned(),
        reason: reason.to_owned(),
        expunged_at: now,
    };
    insert_into(x::table).values(&row).on_conflict_do_nothing().run(conn).await?;
    Ok(())
}
