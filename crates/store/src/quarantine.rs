//! Requests that sources refused, so that their owners can see why and release them once that is mended.
//!
//! What must stay true: of each source only so many are kept, in number and in bytes, the newest; and what a request holds
//! that may be a secret is only in its sealed columns.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _, delete, insert_into, update,
};
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::webhook_quarantine as q,
};

/// Nobody has released it.
pub const REFUSED: &str = "refused";
/// It has become events.
pub const RELEASED: &str = "released";

/// Most rows of one page, whatever is asked for.
const PAGE_MAX: i64 = 1000;

/// Something that was refused, without the rest of a long body; see [`sealed_body`].
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = q, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct QuarantineRow {
    /// Its id; UUIDv7, so that ids ascend with time.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// The source that refused it.
    pub source: String,
    /// What is wrong, as one word.
    pub code: String,
    /// What is wrong, for people.
    pub reason: String,
    /// Its method; `None` for samples of an older release.
    pub method: Option<String>,
    /// Path and query as they may be shown.
    pub path: Option<String>,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Headers as a JSON array of names and values, without credentials.
    pub headers: String,
    /// The beginning of the body, in samples of an older release only; otherwise it is sealed.
    pub body: Vec<u8>,
    /// URL, all headers and the beginning of the body, encrypted.
    pub sealed_head: Option<Vec<u8>>,
    /// How many bytes its sealed columns have.
    pub size: i64,
    /// Address of the sender.
    pub remote: Option<String>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// [`REFUSED`] or [`RELEASED`].
    pub status: String,
    /// The events it became, as a JSON array.
    pub event_ids: Option<String>,
    /// Whether it was released without being genuine.
    pub forced: bool,
    /// What was said about the release.
    pub note: Option<String>,
    /// When it was released.
    pub released_at: Option<DateTime<Utc>>,
}

/// How much is kept of one source.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests.
    pub rows: i64,
    /// Bytes of their sealed columns together; the newest request is kept even if it has more.
    pub bytes: i64,
}

/// Which requests are listed; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// [`REFUSED`] or [`RELEASED`].
    pub status: Option<String>,
    /// What is wrong, as one word.
    pub code: Option<String>,
    /// Only those older than this one, which ended the page before.
    pub before: Option<Uuid>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Release {
    /// The events, as a JSON array.
    pub event_ids: String,
    /// Whether it was released without being genuine.
    pub forced: bool,
    /// What was said about it.
    pub note: Option<String>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Keeps a request, with the whole of its body if that is longer than its beginning, and of its source only the newest.
pub fn insert<'a>(
    conn: &'a mut Conn,
    row: &'a QuarantineRow,
    sealed_body: Option<&'a [u8]>,
    bounds: Bounds,
) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            insert_into(q::table).values((row, q::sealed_body.eq(sealed_body))).run(conn).await?;
            let same = q::table.filter(q::org.eq(&row.org)).filter(q::source.eq(&row.source));
            // One more than may stay: another replica may have kept one at the same time, and the next one sees both.
            let newest = same.order(q::id.desc()).limit(bounds.rows.max(1) + 1);
            let newest: Vec<(Uuid, i64)> = newest.select((q::id, q::size)).rows(conn).await?;
            if let Some(oldest) = oldest_kept(&newest, bounds) {
                delete(same.filter(q::id.lt(oldest))).run(conn).await?;
            }
            Ok(())
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// The last that may stay, if one after it may not.
fn oldest_kept(newest: &[(Uuid, i64)], bounds: Bounds) -> Option<Uuid> {
    let mut bytes = 0_i64;
    let stays = newest.iter().zip(0_i64..).take_while(|((_, size), index)| {
        bytes = bytes.saturating_add(*size);
        *index == 0 || (*index < bounds.rows && bytes <= bounds.bytes)
    });
    let stays: Vec<Uuid> = stays.map(|((id, _), _)| *id).collect();
    if stays.len() < newest.len() { stays.last().copied() } else { None }
}

/// What a source refused, newest first.
pub fn list<'a>(
    conn: &'a mut Conn,
    (org, source): (&'a str, &'a str),
    filter: &'a Filter,
    limit: i64,
) -> Answer<'a, Vec<QuarantineRow>> {
    let mut query = q::table
        .filter(q::org.eq(org))
        .filter(q::source.eq(source))
        .order(q::id.desc())
        .into_boxed::<Dual>();
    if let Some(before) = filter.before {
        query = query.filter(q::id.lt(before));
    }
    if let Some(status) = &filter.status {
        query = query.filter(q::status.eq(status));
    }
    if let Some(code) = &filter.code {
        query = query.filter(q::code.eq(code));
    }
    query.limit(limit.clamp(1, PAGE_MAX)).select(QuarantineRow::as_select()).rows(conn)
}

/// One request that a source refused.
pub fn get<'a>(
    conn: &'a mut Conn,
    (org, source): (&'a str, &'a str),
    id: Uuid,
) -> Answer<'a, Option<QuarantineRow>> {
    one(org, source, id).select(QuarantineRow::as_select()).row(conn)
}

/// The whole body of a request, encrypted, if it is longer than its beginning.
pub fn sealed_body<'a>(
    conn: &'a mut Conn,
    (org, source): (&'a str, &'a str),
    id: Uuid,
) -> Answer<'a, Option<Vec<u8>>> {
    Box::pin(async move {
        let found: Option<Option<Vec<u8>>> =
            one(org, source, id).select(q::sealed_body).row(conn).await?;
        Ok(found.flatten())
    })
}

/// Says what became of a request; `false` when that was said before, or it is gone.
pub fn release<'a>(
    conn: &'a mut Conn,
    (org, source): (&'a str, &'a str),
    id: Uuid,
    release: &'a Release,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let changed = update(one(org, source, id).filter(q::status.ne(RELEASED))).set((
            q::status.eq(RELEASED),
            q::event_ids.eq(&release.event_ids),
            q::forced.eq(release.forced),
            q::note.eq(&release.note),
            q::released_at.eq(release.at),
        ));
        Ok(changed.run(conn).await? == 1)
    })
}

/// Deletes a request; `false` when there was none.
pub fn remove<'a>(
    conn: &'a mut Conn,
    (org, source): (&'a str, &'a str),
    id: Uuid,
) -> Answer<'a, bool> {
    Box::pin(async move { Ok(delete(one(org, source, id)).run(conn).await? == 1) })
}

/// Deletes what came before a time, of every source, at most so many; answers how many.
pub fn purge(conn: &mut Conn, before: DateTime<Utc>, limit: i64) -> Answer<'_, usize> {
    Box::pin(async move {
        let old = q::table.filter(q::received_at.lt(before)).order(q::received_at);
        let ids: Vec<Uuid> = old.limit(limit).select(q::id).rows(conn).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        delete(q::table.filter(q::id.eq_any(ids))).run(conn).await
    })
}

#[diesel::dsl::auto_type(no_type_alias)]
fn one<'a>(org: &'a str, source: &'a str, id: Uuid) -> _ {
    q::table.filter(q::id.eq(id).and(q::org.eq(org)).and(q::source.eq(source)))
}
