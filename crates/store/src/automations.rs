//! Automations and every version they ever had.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    conn::{Conn, Run as _},
    counters,
    dual::Dual,
    schema::{automation_versions as v, automations as a},
};

const COUNTER: &str = "automations";

/// An automation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = a, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct AutomationRow {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Counts the changes of its definition, from 1.
    pub version: i32,
    /// Whether it runs; switching it on or off is no new version.
    pub enabled: bool,
    /// Higher runs earlier.
    pub priority: i32,
    /// The type, or pattern of types, that triggers it.
    pub trigger_event_type: String,
    /// All of it, as JSON.
    pub definition: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it, or this version of it.
    pub created_by: Option<String>,
}

/// One version of an automation; it stays when the automation is deleted, because executions point at it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = v, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct VersionRow {
    /// The automation.
    pub automation_id: Uuid,
    /// Which version.
    pub version: i32,
    /// The tenant.
    pub org: String,
    /// Its name then.
    pub name: String,
    /// All of it then, as JSON.
    pub definition: String,
    /// When this version was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

/// Stores a new automation and its first version.
///
/// # Errors
/// [`crate::Error::Exists`] when the organisation has one of this name.
pub fn insert<'a>(conn: &'a mut Conn, row: &'a AutomationRow) -> Answer<'a, ()> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let inserted = insert_into(a::table).values(row).run(conn).await;
            inserted.map_err(|error| error.or_exists("automation", &row.name))?;
            counters::add(conn, COUNTER, 1).await?;
            keep_version(conn, row, row.version, row.created_at).await
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn keep_version(
    conn: &mut Conn,
    row: &AutomationRow,
    version: i32,
    created_at: DateTime<Utc>,
) -> Result<()> {
    let kept = VersionRow {
        automation_id: row.id,
        version,
        org: row.org.clone(),
        name: row.name.clone(),
        definition: row.definition.clone(),
        created_at,
        created_by: row.created_by.clone(),
    };
    insert_into(v::table).values(&kept).run(conn).await?;
    Ok(())
}

/// The automation with this id.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Option<AutomationRow>> {
    a::table
        .filter(a::id.eq(id))
        .filter(a::org.eq(org))
        .select(AutomationRow::as_select())
        .row(conn)
}

/// The automation of this name.
pub fn by_name<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    name: &'a str,
) -> Answer<'a, Option<AutomationRow>> {
    a::table
        .filter(a::org.eq(org))
        .filter(a::name.eq(name))
        .select(AutomationRow::as_select())
        .row(conn)
}

/// A page of automations by name, after the name of the last one seen.
pub fn list<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    after: Option<&'a str>,
    limit: i64,
) -> Answer<'a, Vec<AutomationRow>> {
    a::table
        .filter(a::org.eq(org))
        .filter(a::name.gt(after.unwrap_or_default()))
        .order(a::name)
        .limit(limit)
        .select(AutomationRow::as_select())
        .rows(conn)
}

/// All automations of every organisation, for caches.
pub fn all(conn: &mut Conn) -> Answer<'_, Vec<AutomationRow>> {
    a::table.order((a::org, a::name)).select(AutomationRow::as_select()).rows(conn)
}

/// Replaces what can change of an automation, if it still has the expected version, and keeps the new version.
///
/// `false` when it was changed or deleted meanwhile; the version and creation time of `row` do not matter.
///
/// # Errors
/// [`crate::Error::Exists`] when its new name is taken.
pub fn update<'a>(
    conn: &'a mut Conn,
    row: &'a AutomationRow,
    expected_version: i32,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let version = expected_version + 1;
        let target = a::table
            .filter(a::id.eq(row.id))
            .filter(a::org.eq(&row.org))
            .filter(a::version.eq(expected_version));
        let change = diesel::update(target).set((
            a::version.eq(version),
            a::name.eq(&row.name),
            a::enabled.eq(row.enabled),
            a::priority.eq(row.priority),
            a::trigger_event_type.eq(&row.trigger_event_type),
            a::definition.eq(&row.definition),
            a::updated_at.eq(row.updated_at),
            a::created_by.eq(&row.created_by),
        ));
        conn.begin().await?;
        let result = async {
            let changed = counters::bump_if(conn, COUNTER, change).await;
            let changed = changed.map_err(|error| error.or_exists("automation", &row.name))?;
            if changed {
                keep_version(conn, row, version, row.updated_at).await?;
            }
            Ok(changed)
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// Switches an automation on or off; `false` when there is none.
pub fn set_enabled<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    id: Uuid,
    enabled: bool,
    now: DateTime<Utc>,
) -> Answer<'a, bool> {
    Box::pin(async move {
        let change = diesel::update(a::table.filter(a::id.eq(id)).filter(a::org.eq(org)))
            .set((a::enabled.eq(enabled), a::updated_at.eq(now)));
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, change).await;
        conn.end(result).await
    })
}

/// Deletes an automation but not its versions; `false` when there was none.
pub fn delete<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, bool> {
    Box::pin(async move {
        let gone = diesel::delete(a::table.filter(a::id.eq(id)).filter(a::org.eq(org)));
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, gone).await;
        conn.end(result).await
    })
}

/// All versions of an automation, newest first.
pub fn versions<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Vec<VersionRow>> {
    v::table
        .filter(v::automation_id.eq(id))
        .filter(v::org.eq(org))
        .order(v::version.desc())
        .select(VersionRow::as_select())
        .rows(conn)
}

/// Some versions of an automation, newest first, from this version down: for looking through a long history in steps.
pub fn versions_from<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    id: Uuid,
    newest: i32,
    limit: i64,
) -> Answer<'a, Vec<VersionRow>> {
    v::table
        .filter(v::automation_id.eq(id))
        .filter(v::org.eq(org))
        .filter(v::version.le(newest))
        .order(v::version.desc())
        .limit(limit)
        .select(VersionRow::as_select())
        .rows(conn)
}

/// A number that grows with every change of any automation.
pub fn revision(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(counters::get(conn, COUNTER))
}
