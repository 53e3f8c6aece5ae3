//! Types of events and the schemas of their payloads, version by version.
//!
//! It must stay true that a version never changes, that no number is given twice, and that every change of a type gets a
//! revision above all that were committed before: caches read what is above the highest they have seen.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, BoolExpressionMethods as _, ExpressionMethods as _, Insertable, JoinOnDsl as _,
    NullableExpressionMethods as _, QueryDsl as _, Queryable, Selectable, SelectableHelper as _,
    insert_into, update, upsert::excluded,
};

use crate::{
    Answer, Error, Result,
    conn::{Conn, Run as _},
    counters,
    dual::Dual,
    schema::{event_schemas as s, event_types as t, schema_settings as settings},
};

const COUNTER: &str = "schemas";

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = t, treat_none_as_default_value = false, check_for_backend(Dual))]
#[diesel(treat_none_as_null = true, primary_key(org, event_type))]
pub struct TypeRow {
    /// The tenant, or `*` for what all share.
    pub org: String,
    /// The type.
    pub event_type: String,
    /// What it means.
    pub description: Option<String>,
    /// The stream its events go to, if not that of its domain.
    pub stream: Option<String>,
    /// Every stream that it ever named, as a JSON array of texts.
    pub streams: String,
    /// What a payload that does not fit leads to: `off`, `warn` or `enforce`.
    pub validation: String,
    /// Which changes are let through; `None` as the organisation has it.
    pub compatibility: Option<String>,
    /// How versions are compared; `None` as the organisation has it.
    pub policy: Option<String>,
    /// The newest version.
    pub latest: i32,
    /// Above that of every change of any type before.
    pub revision: i64,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Since when it is not there any more.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl TypeRow {
    /// A type that was not there before and of which nothing is said yet.
    pub fn new(org: &str, event_type: &str, validation: &str, now: DateTime<Utc>) -> Self {
        Self {
            org: org.to_owned(),
            event_type: event_type.to_owned(),
            description: None,
            stream: None,
            streams: "[]".to_owned(),
            validation: validation.to_owned(),
            compatibility: None,
            policy: None,
            latest: 0,
            revision: 0,
            created_by: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }
}

/// One version of a type.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = s, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct VersionRow {
    /// The tenant, or `*` for what all share.
    pub org: String,
    /// The type.
    pub event_type: String,
    /// Which version, from 1.
    pub version: i32,
    /// JSON Schema of the payload, as text.
    pub schema: String,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What holds for the types of an organisation that say nothing themselves.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = settings, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct SettingsRow {
    /// The tenant.
    pub org: String,
    /// Which changes are let through.
    pub compatibility: String,
    /// How versions are compared.
    pub policy: String,
    /// When this was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A change of a type.
#[derive(Clone, Debug)]
pub struct Change {
    /// The type as it is to be. Its `latest` and `revision` are those that were read, or 0 for a type that was not there;
    /// they are counted on by [`put`].
    pub row: TypeRow,
    /// The schema of its next version, if it gets one.
    pub schema: Option<String>,
    /// Who makes it.
    pub changed_by: Option<String>,
}

/// Stores a change and answers the type as it now is.
///
/// # Errors
/// [`Error::Exists`] when the type is another than it was when its row was read: read it again and decide anew.
pub fn put<'a>(conn: &'a mut Conn, change: &'a Change) -> Answer<'a, TypeRow> {
    Box::pin(async move {
        conn.begin().await?;
        let result = put_within(conn, change).await;
        conn.end(result).await
    })
}

async fn put_within(conn: &mut Conn, change: &Change) -> Result<TypeRow> {
    let before = &change.row;
    // First, and so in the order of the commits: whoever adds next waits for this transaction.
    let revision = counters::add(conn, COUNTER, 1).await?;
    let latest = before.latest + i32::from(change.schema.is_some());
    let row = TypeRow { latest, revision, ..before.clone() };
    let moved = || Error::Exists { what: "event type", name: row.event_type.clone() };
    if before.revision == 0 {
        let inserted = insert_into(t::table).values(&row).run(conn).await;
        inserted.map_err(|error| error.or_exists("event type", &row.event_type))?;
    } else {
        let same = t::table
            .filter(t::org.eq(&row.org))
            .filter(t::event_type.eq(&row.event_type))
            .filter(t::revision.eq(before.revision));
        if update(same).set(&row).run(conn).await? == 0 {
            return Err(moved());
        }
    }
    if let Some(schema) = &change.schema {
        let version = VersionRow {
            org: row.org.clone(),
            event_type: row.event_type.clone(),
            version: latest,
            schema: schema.clone(),
            created_by: change.changed_by.clone(),
            created_at: row.updated_at,
        };
        insert_into(s::table).values(&version).run(conn).await?;
    }
    Ok(row)
}

/// Deletes the schemas of a type that was deleted before; the row of the type stays, with the numbers that were given.
///
/// # Errors
/// [`Error::Exists`] when the type is there again.
pub fn purge<'a>(conn: &'a mut Conn, row: &'a TypeRow) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = purge_within(conn, row).await;
        conn.end(result).await
    })
}

async fn purge_within(conn: &mut Conn, row: &TypeRow) -> Result<()> {
    let change = Change { row: row.clone(), schema: None, changed_by: None };
    put_within(conn, &change).await?;
    let versions = s::table.filter(s::org.eq(&row.org)).filter(s::event_type.eq(&row.event_type));
    diesel::delete(versions).run(conn).await?;
    Ok(())
}

/// A type, also one that was deleted.
pub fn get<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
) -> Answer<'a, Option<TypeRow>> {
    t::table
        .filter(t::org.eq(org))
        .filter(t::event_type.eq(event_type))
        .select(TypeRow::as_select())
        .row(conn)
}

/// One version of a type.
pub fn version<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
    version: i32,
) -> Answer<'a, Option<VersionRow>> {
    s::table
        .filter(s::org.eq(org))
        .filter(s::event_type.eq(event_type))
        .filter(s::version.eq(version))
        .select(VersionRow::as_select())
        .row(conn)
}

/// The versions of a type, newest first, at most so many; only those below `before` if it is given.
pub fn versions<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_type: &'a str,
    (before, limit): (Option<i32>, i64),
) -> Answer<'a, Vec<VersionRow>> {
    let newest = before.map_or(i32::MAX, |before| before.saturating_sub(1));
    s::table
        .filter(s::org.eq(org))
        .filter(s::event_type.eq(event_type))
        .filter(s::version.le(newest))
        .order(s::version.desc())
        .limit(limit)
        .select(VersionRow::as_select())
        .rows(conn)
}

/// Types that changed after a revision, each with its newest schema unless that was purged, in the order of their
/// changes.
pub fn changed_since(conn: &mut Conn, revision: i64) -> Answer<'_, Vec<(TypeRow, Option<String>)>> {
    t::table
        .left_join(s::table.on(
            s::org.eq(t::org).and(s::event_type.eq(t::event_type)).and(s::version.eq(t::latest)),
        ))
        .filter(t::revision.gt(revision))
        .order(t::revision)
        .select((TypeRow::as_select(), s::schema.nullable()))
        .rows(conn)
}

/// The revision of the last change of any type.
pub fn revision(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(counters::get(conn, COUNTER))
}

/// What holds for the types of an organisation that say nothing themselves, if it was ever said.
pub fn settings<'a>(conn: &'a mut Conn, org: &'a str) -> Answer<'a, Option<SettingsRow>> {
    settings::table.filter(settings::org.eq(org)).select(SettingsRow::as_select()).row(conn)
}

/// Says what holds for the types of an organisation that say nothing themselves.
pub fn set_settings<'a>(conn: &'a mut Conn, row: &'a SettingsRow) -> Answer<'a, ()> {
    Box::pin(async move {
        let put =
            insert_into(settings::table).values(row).on_conflict(settings::org).do_update().set((
                settings::compatibility.eq(excluded(settings::compatibility)),
                settings::policy.eq(excluded(settings::policy)),
                settings::updated_at.eq(excluded(settings::updated_at)),
            ));
        put.run(conn).await.map(drop)
    })
}
