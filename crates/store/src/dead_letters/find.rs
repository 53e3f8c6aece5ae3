//! What whoever looks after letters has to do next. Each of these is served by an index of its own, so that asking costs
//! nothing where there is nothing to do.
//!
//! The conditions of the partial indexes are written as text: a value that is bound later would not be known to fit.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, JoinOnDsl as _, NullableExpressionMethods as _, QueryDsl as _,
    SelectableHelper as _,
    dsl::{count_star, exists, not, sql},
    expression::SqlLiteral,
    sql_types::Bool,
};
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    schema::{dead_letters as d, event_outcomes as o, omni_events as e},
};

use super::{DeadLetterRow, PENDING};

/// A letter whose retry has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The letter.
    pub letter: DeadLetterRow,
    /// How the event that retried it ended: `completed`, `failed` …
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
}

fn is_retrying() -> SqlLiteral<Bool> {
    sql("dead_letters.status = 'retrying'")
}

/// Letters that no event tells of yet, the oldest first.
pub fn untold(conn: &mut Conn, limit: i64) -> Answer<'_, Vec<DeadLetterRow>> {
    d::table
        .filter(sql::<Bool>("NOT told"))
        .order(d::dead_at)
        .limit(limit)
        .select(DeadLetterRow::as_select())
        .rows(conn)
}

/// Letters that are to be retried by now, the one that waits longest first.
pub fn due(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Answer<'_, Vec<DeadLetterRow>> {
    d::table
        .filter(d::next_retry_at.is_not_null())
        .filter(d::next_retry_at.le(now))
        .filter(d::status.eq(PENDING))
        .order(d::next_retry_at)
        .limit(limit)
        .select(DeadLetterRow::as_select())
        .rows(conn)
}

/// How many retries are on their way.
pub fn retrying(conn: &mut Conn) -> Answer<'_, i64> {
    Box::pin(async move {
        let found = d::table.filter(is_retrying()).select(count_star()).row(conn).await?;
        Ok(found.unwrap_or_default())
    })
}

/// Letters whose retry has been begun, but not sent: the event that is to retry them is not there.
pub fn unsent(conn: &mut Conn, limit: i64) -> Answer<'_, Vec<DeadLetterRow>> {
    let event = e::table.filter(e::id.nullable().eq(d::retry_event_id));
    d::table
        .filter(is_retrying())
        .filter(not(exists(event)))
        .order(d::changed_at)
        .limit(limit)
        .select(DeadLetterRow::as_select())
        .rows(conn)
}

/// Letters whose retry has an outcome.
pub fn finished(conn: &mut Conn, limit: i64) -> Answer<'_, Vec<Finished>> {
    Box::pin(async move {
        let query = d::table
            .inner_join(o::table.on(o::event_id.nullable().eq(d::retry_event_id)))
            .filter(is_retrying())
            .order(d::changed_at)
            .limit(limit)
            .select((DeadLetterRow::as_select(), o::status, o::error));
        let rows: Vec<(DeadLetterRow, String, Option<String>)> = query.rows(conn).await?;
        let finished = |(letter, status, error)| Finished { letter, status, error };
        Ok(rows.into_iter().map(finished).collect())
    })
}

/// Whether the store has the event of a letter.
pub fn has_event<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, bool> {
    Box::pin(async move {
        let found = e::table.filter(e::id.eq(id)).filter(e::org.eq(org)).select(e::id);
        let found: Option<Uuid> = found.row(conn).await?;
        Ok(found.is_some())
    })
}
