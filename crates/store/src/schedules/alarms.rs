//! What somebody has to be told: schedules that nobody deals with, and those that cannot go on.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    dsl::sql, sql_types::Bool, update,
};
use uuid::Uuid;

use crate::{
    Answer,
    conn::{Conn, Run as _},
    schema::schedules as s,
};

use super::ScheduleRow;

/// Schedules with something wrong that no event has told of.
pub fn untold(conn: &mut Conn, limit: i64) -> Answer<'_, Vec<ScheduleRow>> {
    s::table
        .filter(sql::<Bool>("NOT alarm_told"))
        .order(s::id)
        .limit(limit)
        .select(ScheduleRow::as_select())
        .rows(conn)
}

/// Says that an event has told of what is wrong since `alarm_at`.
pub fn set_alarm_told(conn: &mut Conn, id: Uuid, alarm_at: DateTime<Utc>) -> Answer<'_, ()> {
    Box::pin(async move {
        let same = s::table.filter(s::id.eq(id)).filter(s::alarm_at.eq(alarm_at));
        update(same).set(s::alarm_told.eq(true)).run(conn).await?;
        Ok(())
    })
}

/// Schedules that were due before `before` and are not decided, of which no event has told; those first that are due for
/// longest.
pub fn overdue(conn: &mut Conn, before: DateTime<Utc>, limit: i64) -> Answer<'_, Vec<ScheduleRow>> {
    let is_told = s::overdue_told.is_not_null().and(s::overdue_told.eq(s::due_at));
    s::table
        .filter(s::due_at.lt(before))
        .filter(s::overdue_told.is_null().or(diesel::dsl::not(is_told)))
        .order(s::due_at)
        .limit(limit)
        .select(ScheduleRow::as_select())
        .rows(conn)
}

/// Says that an event has told that a schedule is overdue.
pub fn set_overdue_told(conn: &mut Conn, id: Uuid, due_at: DateTime<Utc>) -> Answer<'_, ()> {
    Box::pin(async move {
        update(s::table.filter(s::id.eq(id))).set(s::overdue_told.eq(due_at)).run(conn).await?;
        Ok(())
    })
}

/// How many schedules were due before `before` and are not decided.
pub fn late(conn: &mut Conn, before: DateTime<Utc>) -> Answer<'_, i64> {
    Box::pin(async move {
        let count: Option<i64> = s::table.filter(s::due_at.lt(before)).count().row(conn).await?;
        Ok(count.unwrap_or_default())
    })
}
