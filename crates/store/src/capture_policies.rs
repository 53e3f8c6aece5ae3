//! Which stages are captured for which types of event, and for how long.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into, upsert::excluded,
};

use crate::{
    Answer,
    conn::{Conn, Run as _},
    counters,
    dual::Dual,
    schema::capture_policies as c,
};

const COUNTER: &str = "capture_policies";

/// A policy as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = c, treat_none_as_default_value = false, check_for_backend(Dual))]
pub struct PolicyRow {
    /// The tenant.
    pub org: String,
    /// The type of event, or a pattern of types.
    pub event_type: String,
    /// The policy as JSON.
    pub policy: String,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Stores a policy in the place of the one that the type had.
pub fn set<'a>(conn: &'a mut Conn, row: &'a PolicyRow) -> Answer<'a, ()> {
    Box::pin(async move {
        let put =
            insert_into(c::table).values(row).on_conflict((c::org, c::event_type)).do_update().set(
                (c::policy.eq(excluded(c::policy)), c::updated_at.eq(excluded(c::updated_at))),
            );
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, put).await;
        conn.end(result.map(drop)).await
    })
}

/// Deletes a policy; `false` when there was none.
pub fn delete<'a>(conn: &'a mut Conn, org: &'a str, event_type: &'a str) -> Answer<'a, bool> {
    Box::pin(async move {
        let gone =
            diesel::delete(c::table.filter(c::org.eq(org)).filter(c::event_type.eq(event_type)));
        conn.begin().await?;
        let result = counters::bump_if(conn, COUNTER, gone).await;
        conn.end(result).await
    })
}

/// All policies of an organisation, by type.
pub fn list<'a>(conn: &'a mut Conn, org: &'a str) -> Answer<'a, Vec<PolicyRow>> {
    c::table.filter(c::org.eq(org)).order(c::event_type).select(PolicyRow::as_select()).rows(conn)
}

/// All policies of every organisation, for caches.
pub fn all(conn: &mut Conn) -> Answer<'_, Vec<PolicyRow>> {
    c::table.order((c::org, c::event_type)).select(PolicyRow::as_select()).rows(conn)
}

/// A number that grows with every change of any policy.
pub fn revision(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(counters::get(conn, COUNTER))
}
