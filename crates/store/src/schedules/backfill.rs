//! Fires for instants that have none.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, dsl::sql, insert_into,
    sql_types::Bool, update,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::{collect, collect_each},
    schema::{schedule_fires as f, schedules as s},
};

use super::{FIRED, FireRow, PENDING, WAITING};

/// The instants of a stretch of time that have fired or will, `from` exclusive and `to` inclusive, in their order.
pub fn present(
    conn: &mut Conn,
    schedule: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Answer<'_, Vec<DateTime<Utc>>> {
    f::table
        .filter(f::schedule_id.eq(schedule))
        .filter(sql::<Bool>("reason <> 'manual'"))
        .filter(f::nominal.gt(from).and(f::nominal.le(to)))
        .filter(f::status.eq_any([PENDING, WAITING, FIRED]))
        .order(f::nominal)
        .select(f::nominal)
        .rows(conn)
}

/// Adds fires for instants that have none; an instant that was skipped, missed, cancelled or failed gets one after all, in
/// the row it has. Answers how many were added: fewer when some have one by now, none when the schedule is gone.
pub fn backfill<'a>(conn: &'a mut Conn, schedule: Uuid, rows: &'a [FireRow]) -> Answer<'a, usize> {
    Box::pin(async move {
        conn.begin().await?;
        let result = add(conn, schedule, rows).await;
        conn.end(result).await
    })
}

async fn add(conn: &mut Conn, schedule: Uuid, rows: &[FireRow]) -> Result<usize> {
    // Locks the schedule, so that it is neither decided nor deleted meanwhile.
    let lock = update(s::table.filter(s::id.eq(schedule))).set(s::moves.eq(s::moves + 1));
    if lock.run(conn).await? == 0 {
        return Ok(0);
    }
    let kind = conn.kind();
    let mut again = Vec::with_capacity(rows.len());
    for row in rows {
        let same = f::table
            .filter(f::schedule_id.eq(schedule))
            .filter(sql::<Bool>("reason <> 'manual'"))
            .filter(f::nominal.eq(row.nominal))
            .filter(f::status.ne_all([PENDING, WAITING, FIRED]));
        let flip = update(same).set((
            f::status.eq(&row.status),
            f::reason.eq(&row.reason),
            f::event_id.eq(row.event_id),
            f::number.eq(row.number),
            f::ready_at.eq(row.ready_at),
            f::due_at.eq(row.due_at),
            f::fence.eq(row.fence),
            f::error.eq(None::<String>),
            f::triggered_by.eq(&row.triggered_by),
        ));
        again.push(flip);
    }
    let flips: Vec<_> =
        again.iter().map(|flip| collect(kind, flip)).collect::<diesel::QueryResult<_>>()?;
    let flipped: usize = conn.execute_each(&flips).await?.into_iter().sum();
    let inserts: Vec<_> = chunks(kind, rows)
        .map(|chunk| insert_into(f::table).values(chunk).on_conflict_do_nothing())
        .collect();
    let inserted: usize =
        conn.execute_each(&collect_each(kind, &inserts)?).await?.into_iter().sum();
    Ok(flipped + inserted)
}
