//! Types of events and the schemas of their payloads, version by version.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into,
};

use crate::{
    Answer, Result,
    conn::{Conn, Run as _},
    counters,
    dual::Dual,
    schema::event_schemas as s,
};

const COUNTER: &str = "schemas";

/// One version of a type.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = s, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct SchemaRow {
    /// The tenant, or `*` for what all share.
    pub org: String,
    /// The type.
    pub event_type: String,
    /// Which version, from 1.
    pub version: i32,
    /// JSON Schema of the payload, as text.
    pub schema: String,
    /// What the type means.
    pub description: Option<String>,
    /// The stream its events go to, if not that of its domain.
    pub stream: Option<String>,
    /// What a payload that does not fit leads to: `strict`, `warn` …
    pub validation: String,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Stores a type as its next version, unless its newest version says the same; answers the version it now has.
///
/// The version of `row` does not matter. If two processes store the same new version at once, one of them gets
/// [`crate::Error::Exists`] and may try again.
pub fn insert_if_changed<'a>(conn: &'a mut Conn, row: &'a SchemaRow) -> Answer<'a, i32> {
    Box::pin(async move {
        conn.begin().await?;
        let result = insert_next(conn, row).await;
        conn.end(result).await
    })
}

async fn insert_next(conn: &mut Conn, row: &SchemaRow) -> Result<i32> {
    let newest = newest(conn, &row.org, &row.event_type).await?;
    if let Some(newest) = &newest
        && says_the_same(newest, row)
    {
        return Ok(newest.version);
    }
    let version = newest.map_or(1, |newest| newest.version + 1);
    let next = SchemaRow { version, ..row.clone() };
    let inserted = insert_into(s::table).values(&next).run(conn).await;
    inserted.map_err(|error| error.or_exists("event type", &row.event_type))?;
    counters::add(conn, COUNTER, 1).await?;
    Ok(version)
}

fn says_the_same(a: &SchemaRow, b: &SchemaRow) -> bool {
    let said = |row: &SchemaRow| {
        (row.schema.clone(), row.description.clone(), row.stream.clone(), row.validation.clone())
    };
    said(a) == said(b)
}

/// The newest version of a type.
pub fn newest<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
) -> Answer<'a, Option<SchemaRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::event_type.eq(event_type))
        .order(s::version.desc())
        .limit(1)
        .select(SchemaRow::as_select())
        .row(conn)
}

/// One version of a type.
pub fn get<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
    version: i32,
) -> Answer<'a, Option<SchemaRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::event_type.eq(event_type))
        .filter(s::version.eq(version))
        .select(SchemaRow::as_select())
        .row(conn)
}

/// All versions of a type, newest first.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
) -> Answer<'a, Vec<SchemaRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::event_type.eq(event_type))
        .order(s::version.desc())
        .select(SchemaRow::as_select())
        .rows(conn)
}

/// All versions of all types of every organisation, by organisation, type and version, for caches.
pub fn all(conn: &mut Conn) -> Answer<'_, Vec<SchemaRow>> {
    s::table.order((s::org, s::event_type, s::version)).select(SchemaRow::as_select()).rows(conn)
}

/// A number that grows with every change of any type.
pub fn revision(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(counters::get(conn, COUNTER))
}
