//! What is due is decided: its fires are written and the schedule moves behind them in one transaction.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    dsl::sql,
    insert_into,
    sql_types::{self as st, Bool},
    update,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    batch::chunks,
    conn::{Conn, Run as _, read},
    dual::{Bind, collect, collect_each},
    schema::{
        dead_letters as d, event_outcomes as o, schedule_fires as f,
        schedules::{self as s},
    },
};

use super::{FireRow, PENDING, ScheduleRow, WAITING, corrupt};

/// The consumer whose dead letters are events that no automation will work on.
const ENGINE: &str = "automations";

/// A schedule that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// As it is stored; it stays so until the decision is.
    pub row: ScheduleRow,
    /// Whether automations still work on the event of its last fire, or have not begun.
    pub is_open: bool,
}

/// What was decided about a schedule.
#[derive(Clone, Debug)]
pub struct Decided {
    /// How it goes on: where it stands, what comes next, what was counted, its alarm.
    pub row: ScheduleRow,
    /// What becomes of its instants.
    pub fires: Vec<FireRow>,
    /// The events whose further actions do not begin.
    pub cancels: Vec<Uuid>,
}

/// Has `judge` decide up to `limit` schedules that are due, those first that are due for longest, and writes down what it
/// says. Answers the schedules as they are now, with the fires that are new: an instant that has a row keeps it.
///
/// What another process is deciding at this moment is passed by, and what `judge` says nothing of stays due. With `only`,
/// nothing else is decided.
pub fn decide<'a>(
    conn: &'a mut Conn,
    now: DateTime<Utc>,
    (only, limit): (Option<Uuid>, i64),
    judge: &'a mut (dyn FnMut(Due) -> Option<Decided> + Send),
) -> Answer<'a, Vec<Decided>> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let ids = lock_due(conn, now, only, limit).await?;
            let due = look(conn, &ids).await?;
            let mut decided: Vec<Decided> = due.into_iter().filter_map(judge).collect();
            write(conn, &mut decided).await?;
            Ok(decided)
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn lock_due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    only: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let (lite, pg, binds) = match only {
        None => (
            "SELECT id FROM schedules WHERE due_at <= ? ORDER BY due_at LIMIT ?",
            "SELECT id FROM schedules WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            vec![Bind::Time(now), Bind::BigInt(limit.max(1))],
        ),
        Some(id) => (
            "SELECT id FROM schedules WHERE due_at <= ? AND id = ?",
            "SELECT id FROM schedules WHERE due_at <= $1 AND id = $2 FOR UPDATE",
            vec![Bind::Time(now), Bind::Uuid(id)],
        ),
    };
    let statement = conn.by_kind(lite, pg, binds);
    conn.load(&statement).await?.iter().map(read::<Uuid, st::Uuid>).collect()
}

/// Reads schedules that are locked, in the order of their ids as they were locked.
async fn look(conn: &mut Conn, ids: &[Uuid]) -> Result<Vec<Due>> {
    let mut rows: Vec<ScheduleRow> = Vec::with_capacity(ids.len());
    for some in chunks(conn.kind(), ids) {
        let query = s::table.filter(s::id.eq_any(some)).select(ScheduleRow::as_select());
        rows.extend(query.rows::<ScheduleRow, _>(conn).await?);
    }
    rows.sort_by_key(|row| (row.due_at, row.id));
    let events: Vec<Uuid> = rows.iter().filter_map(|row| row.last_event_id).collect();
    let mut done: Vec<Uuid> = Vec::with_capacity(events.len());
    for some in chunks(conn.kind(), &events) {
        let processed = o::table.filter(o::event_id.eq_any(some)).select(o::event_id);
        done.extend(processed.rows::<Uuid, _>(conn).await?);
    }
    done.sort_unstable();
    let left: Vec<Uuid> =
        events.into_iter().filter(|event| done.binary_search(event).is_err()).collect();
    // What the engine has given up has no outcome, and nobody works on it any more.
    for some in chunks(conn.kind(), &left) {
        let given_up = d::table.filter(d::event_id.eq_any(some)).filter(d::consumer.eq(ENGINE));
        let dead = given_up.select(d::event_id);
        done.extend(dead.rows::<Uuid, _>(conn).await?);
    }
    done.sort_unstable();
    let is_open = |row: &ScheduleRow| {
        row.last_event_id.is_some_and(|event| done.binary_search(&event).is_err())
    };
    Ok(rows.into_iter().map(|row| Due { is_open: is_open(&row), row }).collect())
}

async fn write(conn: &mut Conn, decided: &mut [Decided]) -> Result<()> {
    let kind = conn.kind();
    let fires: Vec<&FireRow> = decided.iter().flat_map(|one| &one.fires).collect();
    let ids: Vec<Uuid> = fires.iter().map(|fire| fire.id).collect();
    let inserts: Vec<_> = chunks(kind, &fires)
        .map(|chunk| insert_into(f::table).values(chunk.to_vec()).on_conflict_do_nothing())
        .collect();
    let inserted: usize =
        conn.execute_each(&collect_each(kind, &inserts)?).await?.into_iter().sum();
    if inserted < ids.len() {
        forget_known(conn, decided, &ids).await?;
    }
    let cancels: Vec<Uuid> = decided.iter().flat_map(|one| one.cancels.clone()).collect();
    for some in chunks(kind, &cancels) {
        let work = f::table.filter(f::event_id.eq_any(some));
        update(work).set(f::work_cancelled.eq(true)).run(conn).await?;
    }
    for one in &mut *decided {
        one.row.moves += 1;
    }
    let moves: Vec<_> = decided
        .iter()
        .map(|Decided { row, .. }| {
            update(s::table.filter(s::id.eq(row.id))).set((
                s::decided_until.eq(row.decided_until),
                s::next_at.eq(row.next_at),
                s::due_at.eq(row.due_at),
                s::moves.eq(row.moves),
                s::number.eq(row.number),
                s::skipped.eq(row.skipped),
                s::missed.eq(row.missed),
                s::waiting.eq(row.waiting),
                s::last_event_id.eq(row.last_event_id),
                s::alarm.eq(&row.alarm),
                s::alarm_at.eq(row.alarm_at),
                s::alarm_told.eq(row.alarm_told),
            ))
        })
        .collect();
    conn.execute_each(&collect_each(kind, &moves)?).await?;
    Ok(())
}

/// Some instants had a row already: leaves those out that are not new, and counts again how many wait.
async fn forget_known(conn: &mut Conn, decided: &mut [Decided], ids: &[Uuid]) -> Result<()> {
    let mut new: Vec<Uuid> = Vec::with_capacity(ids.len());
    for some in chunks(conn.kind(), ids) {
        let query = f::table.filter(f::id.eq_any(some)).select(f::id);
        new.extend(query.rows::<Uuid, _>(conn).await?);
    }
    new.sort_unstable();
    for one in decided {
        let before = one.fires.len();
        one.fires.retain(|fire| new.binary_search(&fire.id).is_ok());
        if one.fires.len() < before {
            one.row.waiting = waiting(conn, one.row.id).await?;
        }
    }
    Ok(())
}

/// How many fires of a schedule wait.
pub(super) async fn waiting(conn: &mut Conn, schedule: Uuid) -> Result<i32> {
    let waits = sql::<Bool>("status = 'waiting'");
    let query = f::table.filter(f::schedule_id.eq(schedule)).filter(waits).count();
    let count: Option<i64> = query.row(conn).await?;
    i32::try_from(count.unwrap_or_default()).map_err(|_| corrupt("waiting", "more than can be"))
}

/// Lets the first waiting fire of each enabled schedule go whose last work is done; they are the caller's until
/// `lease_until`. Answers them with their schedules.
pub fn promote(
    conn: &mut Conn,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> Answer<'_, Vec<(ScheduleRow, FireRow)>> {
    const SQLITE: &str = "SELECT s.id FROM schedules s WHERE s.waiting > 0 AND s.enabled AND (s.last_event_id IS NULL \
        OR EXISTS (SELECT 1 FROM event_outcomes o WHERE o.event_id = s.last_event_id) \
        OR EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = s.last_event_id AND d.consumer = 'automations')) ORDER BY s.id LIMIT ?";
    const POSTGRES: &str = "SELECT s.id FROM schedules s WHERE s.waiting > 0 AND s.enabled AND (s.last_event_id IS NULL \
        OR EXISTS (SELECT 1 FROM event_outcomes o WHERE o.event_id = s.last_event_id) \
        OR EXISTS (SELECT 1 FROM dead_letters d WHERE d.event_id = s.last_event_id AND d.consumer = 'automations')) ORDER BY s.id LIMIT $1 \
        FOR UPDATE OF s SKIP LOCKED";
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            let statement = conn.by_kind(SQLITE, POSTGRES, vec![Bind::BigInt(limit.max(1))]);
            let ids: Vec<Uuid> = conn
                .load(&statement)
                .await?
                .iter()
                .map(read::<Uuid, st::Uuid>)
                .collect::<Result<_>>()?;
            let mut gone = Vec::with_capacity(ids.len());
            for Due { row, is_open } in look(conn, &ids).await? {
                // Between the look that found it and the lock another may have let one go.
                if !is_open {
                    gone.extend(promote_one(conn, row, (now, lease_until)).await?);
                }
            }
            Ok(gone)
        };
        let result = result.await;
        conn.end(result).await
    })
}

async fn promote_one(
    conn: &mut Conn,
    mut row: ScheduleRow,
    (now, lease_until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<(ScheduleRow, FireRow)>> {
    let first = f::table
        .filter(f::schedule_id.eq(row.id))
        .filter(sql::<Bool>("status = 'waiting'"))
        .order(f::nominal)
        .limit(1)
        .select(FireRow::as_select());
    let first: Option<FireRow> = first.row(conn).await?;
    let Some(mut fire) = first else {
        row.waiting = 0;
        update(s::table.filter(s::id.eq(row.id))).set(s::waiting.eq(0)).run(conn).await?;
        return Ok(None);
    };
    debug_assert_eq!(fire.status, WAITING);
    PENDING.clone_into(&mut fire.status);
    fire.fence += 1;
    fire.ready_at = Some(lease_until);
    // Its jitter began when its turn came, not when its instant did.
    fire.due_at = fire.due_at.max(now);
    let let_go = update(f::table.filter(f::id.eq(fire.id))).set((
        f::status.eq(PENDING),
        f::fence.eq(fire.fence),
        f::ready_at.eq(fire.ready_at),
        f::due_at.eq(fire.due_at),
    ));
    row.waiting = (row.waiting - 1).max(0);
    row.last_event_id = Some(fire.event_id);
    let moved = update(s::table.filter(s::id.eq(row.id)))
        .set((s::waiting.eq(row.waiting), s::last_event_id.eq(row.last_event_id)));
    let both = [collect(conn.kind(), &let_go)?, collect(conn.kind(), &moved)?];
    conn.execute_each(&both).await?;
    Ok(Some((row, fire)))
}
