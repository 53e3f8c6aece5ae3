//! What is looked after beside the firing: the clock, alarms, and fires that are old.
//!
//! What must stay true: nothing of it keeps a fire waiting, and doing it twice changes nothing.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_event_log::{AppendError, Draft};
use omni_events::{
    EventType, Org, Payload,
    payload::{ScheduleAlarm, ScheduleOverdue},
    rfc3339_millis,
};
use omni_store::{
    Kind,
    schedules::{self as store, ScheduleRow},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::until_stopped;
use crate::{Error, Schedules, judge::LEASE, schedule::OVERDUE_AFTER};

/// How often it looks for alarms.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How often the clock is held against that of the database.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
/// How often old fires are forgotten.
const TRIM_EVERY: Duration = Duration::from_mins(10);
/// How long the fires of a schedule are listed, and how many of them at most.
const FIRES_STAY: TimeDelta = TimeDelta::days(90);
const FIRES_MAX: i64 = 10_000;
/// Rows forgotten in one transaction, and the pause between two of them for whoever wants to write.
const TRIM_BATCH: i64 = 512;
const TRIM_PAUSE: Duration = Duration::from_millis(20);
/// Alarms told at once.
const TOLD_MAX: i64 = 256;
/// Who tells them.
const SOURCE: &str = "system:schedules";

/// Runs until stopped.
pub(super) async fn run(schedules: Schedules, stop: CancellationToken) {
    let clock = schedules.0.clock.clone();
    // The runner compares the clocks before it begins.
    let mut compare_at = clock.elapsed() + COMPARE_EVERY;
    let mut trim_at = clock.elapsed() + TRIM_EVERY;
    loop {
        log(tell(&schedules).await, "alarms of schedules are told later");
        if clock.elapsed() >= compare_at {
            log(compare_clocks(&schedules).await, "the clock of the database cannot be read");
            compare_at = clock.elapsed() + COMPARE_EVERY;
        }
        if clock.elapsed() >= trim_at {
            match until_stopped(&stop, trim(&schedules)).await {
                None => return,
                Some(done) => log(done, "old fires are forgotten later"),
            }
            trim_at = clock.elapsed() + TRIM_EVERY;
        }
        if until_stopped(&stop, clock.sleep(TELL_EVERY)).await.is_none() {
            return;
        }
    }
}

fn log(done: Result<(), Error>, what: &str) {
    if let Err(error) = done {
        tracing::warn!(error = &error as &dyn std::error::Error, "{what}");
    }
}

/// Reads how far the clock of the database is ahead, so that all replicas have one time; and ends leases that were given
/// before that clock was set back.
pub(super) async fn compare_clocks(schedules: &Schedules) -> Result<(), Error> {
    let inner = &schedules.0;
    if !inner.clock.is_system() || inner.store.kind() == Kind::Sqlite {
        return Ok(());
    }
    let mut conn = inner.store.write().await?;
    let (before, began) = (inner.clock.now(), inner.clock.elapsed());
    let theirs = store::database_time(&mut conn).await?;
    let took = inner.clock.elapsed().saturating_sub(began);
    if let Some(theirs) = theirs {
        // It was read about half-way between asking and being answered.
        let ours = before + TimeDelta::from_std(took / 2).unwrap_or_default();
        let ahead = (theirs - ours).num_microseconds().unwrap_or(0);
        inner.ahead.store(ahead, Ordering::Relaxed);
    }
    let now = inner.now();
    store::release(&mut conn, now, now + LEASE * 2).await?;
    Ok(())
}

/// Tells what is wrong by one event each. Whoever tells it a second time, because somebody died before writing down that it
/// is told, uses the same key.
async fn tell(schedules: &Schedules) -> Result<(), Error> {
    let inner = &schedules.0;
    let before = inner.now() - OVERDUE_AFTER;
    let mut conn = inner.store.read().await?;
    let untold = store::untold(&mut conn, TOLD_MAX).await?;
    let overdue = store::overdue(&mut conn, before, TOLD_MAX).await?;
    let late = store::late(&mut conn, before).await?;
    drop(conn);
    inner.counters.overdue.store(late, Ordering::Relaxed);
    for row in untold {
        let Some(at) = row.alarm_at else { continue };
        let Some(reason) = row.alarm.clone().or(row.failure.clone()) else {
            // It is over before anybody was told.
            let mut conn = inner.store.write().await?;
            store::set_alarm_told(&mut conn, row.id, at).await?;
            continue;
        };
        tracing::warn!(org = row.org, schedule = row.name, reason, "a schedule needs somebody");
        let about =
            ScheduleAlarm { schedule_id: row.id.to_string(), name: row.name.clone(), reason };
        if say(schedules, &row, "system.schedule.alarm", (&about, at)).await {
            let mut conn = inner.store.write().await?;
            store::set_alarm_told(&mut conn, row.id, at).await?;
        }
    }
    for row in overdue {
        let Some(due) = row.due_at else { continue };
        let late = (inner.now() - due).num_seconds();
        let about = ScheduleOverdue {
            schedule_id: row.id.to_string(),
            name: row.name.clone(),
            next_run: rfc3339_millis(row.next_at.unwrap_or(due)),
            late_seconds: u64::try_from(late).unwrap_or(0),
        };
        if say(schedules, &row, "system.schedule.overdue", (&about, due)).await {
            let mut conn = inner.store.write().await?;
            store::set_overdue_told(&mut conn, row.id, due).await?;
        }
    }
    Ok(())
}

/// Records an event about a schedule; `false` when it has to be said later.
async fn say(
    schedules: &Schedules,
    row: &ScheduleRow,
    event_type: &'static str,
    (about, since): (&impl Serialize, DateTime<Utc>),
) -> bool {
    let draft = || {
        let parsed = EventType::parse(event_type).ok()?;
        let payload = Payload::from_value(&serde_json::to_value(about).ok()?);
        let draft = Draft::new(Org::parse(&row.org).ok()?, parsed, SOURCE, payload);
        let key = format!("{}:{}", row.id, since.timestamp_micros());
        Some(draft.deduplicated(event_type, key, [0; 32]))
    };
    let Some(draft) = draft() else {
        tracing::error!(event_type, "an event about a schedule cannot be written");
        return true;
    };
    match schedules.0.log.append(draft).await {
        Ok(_) | Err(AppendError::Conflict { .. }) => true,
        Err(AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_)) => false,
        Err(error) => {
            tracing::error!(event_type, error = %error, "an event about a schedule is refused");
            true
        }
    }
}

/// Forgets fires that are old, and of each schedule those beyond the newest.
async fn trim(schedules: &Schedules) -> Result<(), Error> {
    let inner = &schedules.0;
    let oldest = first_id(inner.now() - FIRES_STAY);
    loop {
        let mut conn = inner.store.write().await?;
        let gone = store::trim(&mut conn, oldest, TRIM_BATCH).await?;
        drop(conn);
        if (gone as i64) < TRIM_BATCH {
            break;
        }
        inner.clock.sleep(TRIM_PAUSE).await;
    }
    let mut after = None;
    loop {
        // Looked for by a reader: it may pass over many schedules.
        let mut conn = inner.store.read().await?;
        let found = store::overfull(&mut conn, after, FIRES_MAX).await?;
        drop(conn);
        let Some((schedule, last)) = found else { return Ok(()) };
        after = Some(schedule);
        let Some(last) = last else { continue };
        loop {
            let mut conn = inner.store.write().await?;
            let gone = store::trim_schedule(&mut conn, schedule, last, TRIM_BATCH).await?;
            drop(conn);
            inner.clock.sleep(TRIM_PAUSE).await;
            if (gone as i64) < TRIM_BATCH {
                break;
            }
        }
    }
}

/// The least id that something decided at this time can have.
fn first_id(time: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
