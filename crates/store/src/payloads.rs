//! What was captured on the way of an event, stage by stage, until it expires.
//!
//! What must stay true: a part that is gone keeps its row for a while, with the time and the reason, and never gets its
//! bytes back; nothing is added to an event whose payload was expunged.

mod expiry;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
    insert_into, update,
};
use uuid::Uuid;

pub use self::expiry::{Due, EXPIRED, count_due, due, expire, remove};
use crate::{
    Answer, Error, Kind, Result,
    conn::{Conn, Run as _},
    dual::{Bind, Dual, Statement},
    events::{NewPayload, row::CaptureRow},
    expunges,
    pack::unpack,
    schema::{event_payloads as p, omni_events as e},
};

/// Most parts of one stage of one event; an event that is captured more often is in a loop.
pub const PARTS_MAX: i32 = 1000;
/// How often a part is numbered anew, when another process took the number.
const TRIES: usize = 5;

/// One part of what was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadRow {
    /// Everything but the bytes.
    pub head: Head,
    /// The bytes.
    pub body: Body,
}

/// Everything of a part but its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = p, check_for_backend(Dual))]
pub struct Head {
    /// Where on its way it was captured.
    pub stage: String,
    /// Counts from 0 where a stage happens more than once.
    pub part: i32,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Headers as a JSON array of pairs.
    pub headers: String,
    /// How many bytes there were; more than are kept when only the beginning is, 0 for the payload of the event.
    pub size: i64,
    /// When it was captured.
    pub created_at: DateTime<Utc>,
    /// When its bytes are deleted; `None` keeps them for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// When its bytes were deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Why they were deleted.
    pub deleted_reason: Option<String>,
}

/// The bytes of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// They are the payload of the event, byte for byte.
    Payload,
    /// These.
    Bytes(Vec<u8>),
    /// They were deleted.
    Gone,
    /// They were not read, because the list would be too large.
    LeftOut,
}

/// Something that was captured after its event was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// The event.
    pub event_id: Uuid,
    /// The tenant.
    pub org: String,
    /// When it was captured.
    pub at: DateTime<Utc>,
    /// What was captured; its number does not matter.
    pub payload: NewPayload,
}

/// What became of a part that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is stored under this number.
    Part(i32),
    /// This organisation has no such event.
    NoEvent,
    /// The payload of the event was taken out on purpose, so nothing more is kept with it.
    Expunged,
    /// The stage has as many parts as it may have.
    Full,
}

/// All parts of an event, by stage and number. Of bytes it reads no more than about `bytes_max`; see [`Body::LeftOut`].
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
    bytes_max: i64,
) -> Answer<'a, Vec<PayloadRow>> {
    Box::pin(async move {
        let query = p::table
            .filter(p::event_id.eq(event_id))
            .filter(p::org.eq(org))
            .order((p::stage, p::part))
            .select(Head::as_select());
        let heads: Vec<Head> = query.rows(conn).await?;
        let (mut rows, mut room) = (Vec::with_capacity(heads.len()), bytes_max);
        for head in heads {
            let body = if head.deleted_at.is_some() {
                Body::Gone
            } else if head.size > room {
                Body::LeftOut
            } else {
                room -= head.size;
                body(conn, event_id, &head).await?
            };
            rows.push(PayloadRow { head, body });
        }
        Ok(rows)
    })
}

/// One part of a stage of an event; part 0 is its first.
pub fn get<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
    stage: &'a str,
    part: i32,
) -> Answer<'a, Option<PayloadRow>> {
    Box::pin(async move {
        let query = p::table
            .filter(p::event_id.eq(event_id))
            .filter(p::org.eq(org))
            .filter(p::stage.eq(stage))
            .filter(p::part.eq(part))
            .select(Head::as_select());
        let Some(head): Option<Head> = query.row(conn).await? else { return Ok(None) };
        let body = body(conn, event_id, &head).await?;
        Ok(Some(PayloadRow { head, body }))
    })
}

/// The body, and when it was deleted.
type BodyColumns = (Option<Vec<u8>>, Option<DateTime<Utc>>);

async fn body(conn: &mut Conn, event_id: Uuid, head: &Head) -> Result<Body> {
    let query = p::table
        .filter(p::event_id.eq(event_id))
        .filter(p::stage.eq(&head.stage))
        .filter(p::part.eq(head.part))
        .select((p::body, p::deleted_at));
    let found: Option<BodyColumns> = query.row(conn).await?;
    let wrong = |reason| Error::corrupt("event_payloads", "body", reason);
    match found {
        Some((None, None)) => Ok(Body::Payload),
        Some((Some(packed), None)) => {
            Ok(unpack(packed).map_err(wrong)?.map_or(Body::Gone, Body::Bytes))
        }
        // Deleted since the head was read, or long ago.
        _ => Ok(Body::Gone),
    }
}

/// Adds what was captured after its event was accepted, each as the next part of its stage, in one transaction; the
/// answers are in the order of `new`.
pub fn add<'a>(conn: &'a mut Conn, new: &'a [NewPart]) -> Answer<'a, Vec<Added>> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let mut added = Vec::with_capacity(new.len());
            for part in new {
                added.push(add_next(conn, part).await?);
            }
            Ok(added)
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn add_next(conn: &mut Conn, new: &NewPart) -> Result<Added> {
    let NewPart { event_id, ref org, at, ref payload } = *new;
    if !hold(conn, org, event_id).await? {
        return Ok(Added::NoEvent);
    }
    if expunges::get(conn, org, event_id).await?.is_some() {
        return Ok(Added::Expunged);
    }
    for _ in 0..TRIES {
        let last = p::table
            .filter(p::event_id.eq(event_id))
            .filter(p::stage.eq(&payload.stage))
            .order(p::part.desc())
            .limit(1)
            .select(p::part);
        let last: Option<i32> = last.row(conn).await?;
        let part = last.map_or(0, |part| part.saturating_add(1));
        if part >= PARTS_MAX {
            return Ok(Added::Full);
        }
        let row = CaptureRow::new(event_id, org, payload, at).numbered(part);
        if insert_into(p::table).values(row).on_conflict_do_nothing().run(conn).await? > 0 {
            return Ok(Added::Part(part));
        }
    }
    Ok(Added::Full)
}

/// Keeps the event from being expunged until the end of the transaction; answers whether it is there.
///
/// SQLite has one transaction that writes at a time anyway.
async fn hold(conn: &mut Conn, org: &str, event_id: Uuid) -> Result<bool> {
    if conn.kind() == Kind::Postgres {
        let sql = "SELECT 1 FROM omni_events WHERE id = $1 FOR SHARE".to_owned();
        let lock = Statement::new(Kind::Postgres, sql, vec![Bind::Uuid(event_id)]);
        conn.execute(&lock).await?;
    }
    let query = e::table.filter(e::id.eq(event_id)).filter(e::org.eq(org)).select(e::id);
    let found: Option<Uuid> = query.row(conn).await?;
    Ok(found.is_some())
}

/// Deletes the bytes of everything that was captured with an event, or of one stage; answers how many parts that were.
///
/// The rows stay for a while and say when and why. What is gone already keeps its own time and reason.
pub fn delete<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
    stage: Option<&'a str>,
    (reason, now): (&'a str, DateTime<Utc>),
) -> Answer<'a, usize> {
    let set = (
        p::body.eq(None::<Vec<u8>>),
        p::deleted_at.eq(Some(now)),
        p::deleted_reason.eq(Some(reason)),
    );
    let here = p::table
        .filter(p::event_id.eq(event_id))
        .filter(p::org.eq(org))
        .filter(p::deleted_at.is_null());
    match stage {
        Some(stage) => update(here.filter(p::stage.eq(stage))).set(set).run(conn),
        None => update(here).set(set).run(conn),
    }
}
