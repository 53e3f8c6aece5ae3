//! A bounded sample of what sources refused, so that their owners can see why.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, delete, insert_into,
};
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::webhook_quarantine as q,
};

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = q, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct QuarantineRow {
    /// Its id; UUIDv7, so that ids ascend with time.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// The source that refused it.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Headers as a JSON object, without credentials.
    pub headers: String,
    /// What was sent, possibly only its beginning.
    pub body: Vec<u8>,
    /// Address of the sender.
    pub remote: Option<String>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Keeps a sample, and of its source only the newest `keep`.
pub fn insert<'a>(conn: &'a mut Conn, row: &'a QuarantineRow, keep: i64) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            insert_into(q::table).values(row).run(conn).await?;
            let same = q::table.filter(q::org.eq(&row.org)).filter(q::source.eq(&row.source));
            let oldest_kept = same.select(q::id).order(q::id.desc()).offset(keep.max(1) - 1);
            let oldest_kept: Option<Uuid> = oldest_kept.limit(1).row(conn).await?;
            if let Some(oldest) = oldest_kept {
                delete(same.filter(q::id.lt(oldest))).run(conn).await?;
            }
            Ok(())
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// What a source refused, newest first.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    source: &'a str,
    limit: i64,
) -> Answer<'a, Vec<QuarantineRow>> {
    q::table
        .filter(q::org.eq(org))
        .filter(q::source.eq(source))
        .order(q::id.desc())
        .limit(limit)
        .select(QuarantineRow::as_select())
        .rows(conn)
}
