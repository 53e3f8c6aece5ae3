//! Fires one by one: listed, added by hand, cancelled in time, forgotten when they are old.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    insert_into, update,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    conn::{Conn, Run as _},
    dual::{Bind, Dual},
    schema::{schedule_fires as f, schedules as s},
};

use super::{CANCELLED, FireRow, PAGE_MAX, PENDING, WAITING};

/// Which fires of a schedule, and where the list goes on.
#[derive(Clone, Debug, Default)]
pub struct FirePage<'a> {
    /// Only those with one of these; all when empty.
    pub statuses: &'a [&'a str],
    /// The id of the last fire that was seen.
    pub before: Option<Uuid>,
    /// How many, 1000 at most.
    pub limit: i64,
}

/// A page of the fires of a schedule, the one that was decided last first.
pub fn fires<'a>(
    conn: &'a mut Conn,
    schedule: Uuid,
    page: &'a FirePage<'a>,
) -> Answer<'a, Vec<FireRow>> {
    let mut query =
        f::table.filter(f::schedule_id.eq(schedule)).order(f::id.desc()).into_boxed::<Dual>();
    if !page.statuses.is_empty() {
        query = query.filter(f::status.eq_any(page.statuses.iter().copied()));
    }
    if let Some(before) = page.before {
        query = query.filter(f::id.lt(before));
    }
    query.limit(page.limit.clamp(1, PAGE_MAX)).select(FireRow::as_select()).rows(conn)
}

/// Adds a fire that somebody asked for.
pub fn insert_fire<'a>(conn: &'a mut Conn, row: &'a FireRow) -> Answer<'a, ()> {
    Box::pin(async move {
        insert_into(f::table).values(row).run(conn).await?;
        Ok(())
    })
}

/// The fire with this id.
pub fn fire(conn: &mut Conn, id: Uuid) -> Answer<'_, Option<FireRow>> {
    f::table.filter(f::id.eq(id)).select(FireRow::as_select()).row(conn)
}

/// Whether no further action of this event is to begin, because the fire after it has taken over.
pub fn is_work_cancelled(conn: &mut Conn, event_id: Uuid) -> Answer<'_, bool> {
    Box::pin(async move {
        let query = f::table
            .filter(f::event_id.eq(event_id))
            .filter(f::work_cancelled.eq(true))
            .limit(1)
            .select(f::id);
        let found: Option<Uuid> = query.row(conn).await?;
        Ok(found.is_some())
    })
}

/// Cancels the fires of a schedule that nobody has taken up, and answers how many. What was taken up may have its event
/// already, and stays.
pub fn purge(conn: &mut Conn, schedule: Uuid) -> Answer<'_, u64> {
    Box::pin(async move {
        conn.begin().await?;
        let result = purge_in(conn, schedule).await;
        conn.end(result).await
    })
}

async fn purge_in(conn: &mut Conn, schedule: Uuid) -> Result<u64> {
    let same = s::table.filter(s::id.eq(schedule));
    // Locks the schedule before its fires.
    let emptied = update(same).set(s::waiting.eq(0));
    if emptied.run(conn).await? == 0 {
        return Ok(0);
    }
    let untouched = f::status.eq(PENDING).and(f::fence.eq(0));
    let cancelled = update(
        f::table.filter(f::schedule_id.eq(schedule)).filter(f::status.eq(WAITING).or(untouched)),
    )
    .set((f::status.eq(CANCELLED), f::ready_at.eq(None::<DateTime<Utc>>)))
    .returning(f::event_id);
    let events: Vec<Uuid> = cancelled.rows(conn).await?;
    let last: Option<Option<Uuid>> = same.select(s::last_event_id).row(conn).await?;
    if let Some(last) = last.flatten()
        && events.contains(&last)
    {
        update(same).set(s::last_event_id.eq(None::<Uuid>)).run(conn).await?;
    }
    Ok(events.len() as u64)
}

/// Forgets fires that are over and were decided before `before`, the oldest first and `limit` at most; answers how many.
/// The id of their event stays derived from their instant, so that none of them can happen again.
pub fn trim(conn: &mut Conn, before: Uuid, limit: i64) -> Answer<'_, usize> {
    const SQLITE: &str = "DELETE FROM schedule_fires WHERE id IN (SELECT id FROM schedule_fires WHERE id < ? \
        AND status NOT IN ('pending', 'waiting') ORDER BY id LIMIT ?)";
    const POSTGRES: &str = "DELETE FROM schedule_fires WHERE id IN (SELECT id FROM schedule_fires WHERE id < $1 \
        AND status NOT IN ('pending', 'waiting') ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)";
    Box::pin(async move {
        let binds = vec![Bind::Uuid(before), Bind::BigInt(limit.max(1))];
        let statement = conn.by_kind(SQLITE, POSTGRES, binds);
        Ok(conn.execute(&statement).await?)
    })
}

/// The next schedule after `after` that may have more than `keep` fires, with the newest of those beyond them if it has;
/// `None` when there is no further one.
pub fn overfull(
    conn: &mut Conn,
    after: Option<Uuid>,
    keep: i64,
) -> Answer<'_, Option<(Uuid, Option<Uuid>)>> {
    Box::pin(async move {
        let mut query = s::table
            .filter((s::fired + s::skipped + s::missed).gt(keep))
            .order(s::id)
            .limit(1)
            .select(s::id)
            .into_boxed::<Dual>();
        if let Some(after) = after {
            query = query.filter(s::id.gt(after));
        }
        let found: Option<Uuid> = query.row(conn).await?;
        let Some(schedule) = found else { return Ok(None) };
        let query = f::table.filter(f::schedule_id.eq(schedule)).order(f::id.desc());
        let last: Option<Uuid> = query.offset(keep).limit(1).select(f::id).row(conn).await?;
        Ok(Some((schedule, last)))
    })
}

/// Forgets what is over of a schedule, up to and with the fire `last`, the oldest first and `limit` at most; answers how
/// many.
pub fn trim_schedule(conn: &mut Conn, schedule: Uuid, last: Uuid, limit: i64) -> Answer<'_, usize> {
    const SQLITE: &str = "DELETE FROM schedule_fires WHERE id IN (SELECT id FROM schedule_fires WHERE schedule_id = ? \
        AND id <= ? AND status NOT IN ('pending', 'waiting') ORDER BY id LIMIT ?)";
    const POSTGRES: &str = "DELETE FROM schedule_fires WHERE id IN (SELECT id FROM schedule_fires WHERE schedule_id = $1 \
        AND id <= $2 AND status NOT IN ('pending', 'waiting') ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)";
    Box::pin(async move {
        let binds = vec![Bind::Uuid(schedule), Bind::Uuid(last), Bind::BigInt(limit.max(1))];
        let statement = conn.by_kind(SQLITE, POSTGRES, binds);
        Ok(conn.execute(&statement).await?)
    })
}
