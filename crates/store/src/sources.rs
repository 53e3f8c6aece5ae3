//! Sources: where events come from, each under a name that is part of its URL.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into,
};
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    counters,
    dual::Dual,
    schema::sources as s,
};

const COUNTER: &str = "sources";
/// How many sources are read at once: SQLite has a bound on parameters, and definitions are not small.
pub const SOME: usize = 500;

/// A source as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = s, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct SourceRow {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// Its name, unique in the organisation; it never changes.
    pub name: String,
    /// Counts its changes, from 1.
    pub version: i32,
    /// Whether it takes anything in.
    pub enabled: bool,
    /// The rest of it, as JSON, without secrets.
    pub definition: String,
    /// Its secret, encrypted.
    pub sealed_secret: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

/// Which source, and in which version.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = s, check_for_backend(Dual))]
pub struct SourceVersion {
    /// Its id; another source of the same name has another one.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// Its name.
    pub name: String,
    /// Counts its changes.
    pub version: i32,
}

/// Stores a new source.
///
/// # Errors
/// [`crate::Error::Exists`] when the organisation has one of this name.
pub fn insert<'a>(conn: &'a mut Conn, row: &'a SourceRow) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let inserted = insert_into(s::table).values(row).run(conn).await;
            inserted.map_err(|error| error.or_exists("source", &row.name))?;
            counters::add(conn, COUNTER, 1).await?;
            Ok(())
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// The source of this name.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, name: &'a str) -> Answer<'a, Option<SourceRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::name.eq(name))
        .select(SourceRow::as_select())
        .row(conn)
}

/// All sources of an organisation, by name.
pub fn list<'a>(conn: &'a mut Conn, org: &'a str) -> Answer<'a, Vec<SourceRow>> {
    s::table.filter(s::org.eq(org)).order(s::name).select(SourceRow::as_select()).rows(conn)
}

/// Which sources there are in every organisation, and in which version; for caches.
pub fn versions(conn: &mut Conn) -> Answer<'_, Vec<SourceVersion>> {
    s::table.select(SourceVersion::as_select()).rows(conn)
}

/// The sources with these ids, as many as there are; at most [`SOME`] at once.
pub fn some<'a>(conn: &'a mut Conn, ids: &'a [Uuid]) -> Answer<'a, Vec<SourceRow>> {
    s::table.filter(s::id.eq_any(ids.iter().copied())).select(SourceRow::as_select()).rows(conn)
}

/// Replaces what can change of a source, if it still has the expected version, which then grows by one.
///
/// `false` when it was changed or deleted meanwhile; the id, creation and version of `row` do not matter.
pub fn update<'a>(
    conn: &'a mut Conn,
    row: &'a SourceRow,
    expected_version: i32,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let target = s::table
            .filter(s::org.eq(&row.org))
            .filter(s::name.eq(&row.name))
            .filter(s::version.eq(expected_version));
        let change = diesel::update(target).set((
            s::version.eq(expected_version + 1),
            s::enabled.eq(row.enabled),
            s::definition.eq(&row.definition),
            s::sealed_secret.eq(&row.sealed_secret),
            s::updated_at.eq(row.updated_at),
        ));
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, change).await;
        conn.end(result).await
    })
}

/// Deletes a source; `false` when there was none.
pub fn delete<'a>(conn: &'a mut Conn, org: &'a str, name: &'a str) -> Answer<'a, bool> {
    Box::pin(async move {
        let gone = diesel::delete(s::table.filter(s::org.eq(org)).filter(s::name.eq(name)));
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, gone).await;
        conn.end(result).await
    })
}

/// A number that grows with every change of any source.
pub fn revision(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(counters::get(conn, COUNTER))
}
