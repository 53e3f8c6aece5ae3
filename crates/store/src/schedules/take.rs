//! Pending fires: taken up under a lease, and marked when their event is in the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    delete, sql_types as st, update,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    batch::chunks,
    conn::{Conn, Run as _, read},
    dual::Bind,
    schema::{schedule_fires as f, schedules as s},
};

use super::{FAILED, FIRED, FireRow, PENDING, ScheduleRow};

/// What became of a fire that was taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its event is in the log.
    Fired,
    /// The log will never take its event, and why.
    Failed(String),
}

/// What somebody says of a fire that they took up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The fire.
    pub id: Uuid,
    /// Its schedule.
    pub schedule_id: Uuid,
    /// The fence under which they have it.
    pub fence: i64,
    /// Its event.
    pub event_id: Uuid,
    /// What became of it.
    pub ended: Ended,
}

/// Takes up to `limit` pending fires that are due or were left by somebody whose lease is over, with their schedules; they
/// are the caller's until `lease_until`. What another process is taking is passed by.
pub fn take(
    conn: &mut Conn,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> Answer<'_, Vec<(ScheduleRow, FireRow)>> {
    const SQLITE: &str =
        "SELECT id FROM schedule_fires WHERE ready_at <= ? ORDER BY ready_at LIMIT ?";
    const POSTGRES: &str = "SELECT id FROM schedule_fires WHERE ready_at <= $1 ORDER BY ready_at LIMIT $2 \
        FOR UPDATE SKIP LOCKED";
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let binds = vec![Bind::Time(now), Bind::BigInt(limit.max(1))];
            let statement = conn.by_kind(SQLITE, POSTGRES, binds);
            let found = conn.load(&statement).await?;
            let ids: Vec<Uuid> = found.iter().map(read::<Uuid, st::Uuid>).collect::<Result<_>>()?;
            let mut taken: Vec<FireRow> = Vec::with_capacity(ids.len());
            for some in chunks(conn.kind(), &ids) {
                let change = update(f::table.filter(f::id.eq_any(some)))
                    .set((f::ready_at.eq(lease_until), f::fence.eq(f::fence + 1)))
                    .returning(FireRow::as_returning());
                taken.extend(change.rows::<FireRow, _>(conn).await?);
            }
            taken.sort_by_key(|fire| (fire.due_at, fire.id));
            with_schedules(conn, taken).await
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn with_schedules(
    conn: &mut Conn,
    fires: Vec<FireRow>,
) -> Result<Vec<(ScheduleRow, FireRow)>> {
    let ids: BTreeSet<Uuid> = fires.iter().map(|fire| fire.schedule_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut rows: HashMap<Uuid, ScheduleRow> = HashMap::with_capacity(ids.len());
    for some in chunks(conn.kind(), &ids) {
        let query = s::table.filter(s::id.eq_any(some)).select(ScheduleRow::as_select());
        let found: Vec<ScheduleRow> = query.rows(conn).await?;
        rows.extend(found.into_iter().map(|row| (row.id, row)));
    }
    let mut both = Vec::with_capacity(fires.len());
    for fire in fires {
        match rows.get(&fire.schedule_id) {
            Some(row) => both.push((row.clone(), fire)),
            // Written while its schedule was deleted.
            None => {
                delete(f::table.filter(f::id.eq(fire.id))).run(conn).await?;
            }
        }
    }
    Ok(both)
}

/// Writes down what became of fires, as far as they still belong to whoever took them up, and counts them for their
/// schedules. Answers how many still did.
pub fn mark<'a>(conn: &'a mut Conn, now: DateTime<Utc>, marks: &'a [Mark]) -> Answer<'a, usize> {
    Box::pin(async move {
        conn.begin().await?;
        let result = mark_all(conn, now, marks).await;
        conn.end(result).await
    })
}

async fn mark_all(conn: &mut Conn, now: DateTime<Utc>, marks: &[Mark]) -> Result<usize> {
    lock_schedules(conn, marks).await?;
    let mut by_fence: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| mark.ended == Ended::Fired) {
        by_fence.entry(mark.fence).or_default().push(mark.id);
    }
    let mut ours: Vec<Uuid> = Vec::with_capacity(marks.len());
    for (fence, ids) in by_fence {
        for some in chunks(conn.kind(), &ids) {
            let held = f::status.eq(PENDING).and(f::fence.eq(fence));
            let change = update(f::table.filter(f::id.eq_any(some)).filter(held))
                .set((
                    f::status.eq(FIRED),
                    f::fired_at.eq(now),
                    f::ready_at.eq(None::<DateTime<Utc>>),
                ))
                .returning(f::id);
            ours.extend(change.rows::<Uuid, _>(conn).await?);
        }
    }
    ours.sort_unstable();
    count_fired(conn, now, marks, &ours).await?;
    let mut count = ours.len();
    for mark in marks {
        if let Ended::Failed(why) = &mark.ended {
            count += usize::from(mark_failed(conn, now, mark, why).await?);
        }
    }
    Ok(count)
}

/// Whoever decides holds schedules and then wants fires, so marking takes them in the same order.
async fn lock_schedules(conn: &mut Conn, marks: &[Mark]) -> Result<()> {
    if conn.kind() == crate::Kind::Sqlite {
        return Ok(());
    }
    let ids: BTreeSet<Uuid> = marks.iter().map(|mark| mark.schedule_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    for some in chunks(conn.kind(), &ids) {
        let places: Vec<String> = (1..=some.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT id FROM schedules WHERE id IN ({}) ORDER BY id FOR UPDATE",
            places.join(", ")
        );
        let binds = some.iter().map(|id| Bind::Uuid(*id)).collect();
        let lock = conn.by_kind("", &sql, binds);
        conn.load(&lock).await?;
    }
    Ok(())
}

/// Counts for each schedule how many of its fires were marked; schedules with as many are counted together.
async fn count_fired(
    conn: &mut Conn,
    now: DateTime<Utc>,
    marks: &[Mark],
    ours: &[Uuid],
) -> Result<()> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| ours.binary_search(&mark.id).is_ok()) {
        *counts.entry(mark.schedule_id).or_default() += 1;
    }
    let mut alike: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for (schedule, count) in counts {
        alike.entry(count).or_default().push(schedule);
    }
    for (count, ids) in alike {
        for some in chunks(conn.kind(), &ids) {
            let change = update(s::table.filter(s::id.eq_any(some))).set((
                s::fired.eq(s::fired + count),
                s::last_fired_at.eq(now),
                s::failure.eq(None::<String>),
            ));
            change.run(conn).await?;
        }
    }
    Ok(())
}

async fn mark_failed(conn: &mut Conn, now: DateTime<Utc>, mark: &Mark, why: &str) -> Result<bool> {
    let held = f::status.eq(PENDING).and(f::fence.eq(mark.fence));
    let change = update(f::table.filter(f::id.eq(mark.id)).filter(held)).set((
        f::status.eq(FAILED),
        f::error.eq(why),
        f::ready_at.eq(None::<DateTime<Utc>>),
    ));
    if change.run(conn).await? == 0 {
        return Ok(false);
    }
    // One alarm for a row of failures: what was told is told again only after a fire that succeeded.
    let same = s::table.filter(s::id.eq(mark.schedule_id));
    let first = update(same.filter(s::failure.is_null())).set((
        s::failure.eq(why),
        s::alarm_at.eq(now),
        s::alarm_told.eq(false),
    ));
    if first.run(conn).await? == 0 {
        update(same).set(s::failure.eq(why)).run(conn).await?;
    }
    // Nobody will ever work on an event that is not there.
    let waits_for_it = same.filter(s::last_event_id.eq(mark.event_id));
    update(waits_for_it).set(s::last_event_id.eq(None::<Uuid>)).run(conn).await?;
    Ok(true)
}

/// Ends the leases that end after `beyond`: on SQLite those of a process before this one, which is dead; on PostgreSQL
/// those that were given before the clock was set back.
pub fn release(conn: &mut Conn, now: DateTime<Utc>, beyond: DateTime<Utc>) -> Answer<'_, usize> {
    const SQLITE: &str = "UPDATE schedule_fires SET ready_at = ? WHERE ready_at > ? AND fence > 0";
    const POSTGRES: &str =
        "UPDATE schedule_fires SET ready_at = $1 WHERE ready_at > $2 AND fence > 0";
    Box::pin(async move {
        let statement = conn.by_kind(SQLITE, POSTGRES, vec![Bind::Time(now), Bind::Time(beyond)]);
        Ok(conn.execute(&statement).await?)
    })
}
