//! Fires that somebody asks for: one now, those that are missing in the past, and none of those that wait.

use chrono::{DateTime, Utc};
use omni_events::Org;
use omni_store::schedules::{self as store, FireRow, PENDING, ScheduleRow};

use crate::{
    BACKFILL_MAX, Backfill, BackfillReport, Error, Fire, Problem, Reason, Schedules, judge::LEASE,
    prepared::Prepared, render::event_id, schedules::instant, stats::add,
};

/// Instants of a plan that are looked at in one piece.
const PAGE: usize = 1_000;
/// Instants that one request looks at: of a stretch that has nearly all its fires, the rest is for the next request.
const LOOKED_AT_MAX: usize = 100_000;
/// Fires added in one transaction.
const ADDED_AT_ONCE: usize = 250;

impl Schedules {
    /// Fires now, also when the schedule is disabled, has ended, or its work goes on; `None` if there is none of this
    /// name. It does not count, and changes nothing about the instants to come.
    ///
    /// When this returns, the event is durable, or the status of the fire says what became of it.
    ///
    /// # Errors
    /// When the store fails; the fire may happen all the same.
    pub async fn trigger(
        &self,
        org: &Org,
        name: &str,
        by: Option<&str>,
    ) -> Result<Option<Fire>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let now = self.0.now();
        let id = self.0.random.uuid_v7(now);
        let fire = FireRow {
            event_id: self.0.random.uuid_v7(now),
            ready_at: Some(now + LEASE),
            fence: 1,
            triggered_by: by.map(str::to_owned),
            ..asked_for(&row, id, (now, Reason::Manual), now)
        };
        let mut conn = self.0.store.write().await?;
        store::insert_fire(&mut conn, &fire).await?;
        drop(conn);
        self.record(vec![(row, fire.clone())]).await?;
        let mut conn = self.0.store.read().await?;
        let recorded = store::fire(&mut conn, id).await?;
        // Without a row the schedule was deleted meanwhile.
        Ok(recorded.map(Fire::of))
    }

    /// Fires the instants of a stretch of time that have no fire, the oldest first and in the background, whatever the
    /// overlap policy says; `None` if there is none of this name. They do not count.
    ///
    /// Asking again changes nothing about what has fired or is about to, so a request that failed half-way is repeated.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a stretch that is none, or a `max` out of bounds.
    pub async fn backfill(
        &self,
        org: &Org,
        name: &str,
        request: Backfill,
    ) -> Result<Option<BackfillReport>, Error> {
        check(&request)?;
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let prepared = self.0.ready.get(&row)?;
        let mut report = self.missing(&row, &prepared, &request).await?;
        if request.dry_run {
            return Ok(Some(report));
        }
        let mut added = 0;
        for some in report.instants.chunks(ADDED_AT_ONCE) {
            let now = self.0.now();
            let rows: Vec<FireRow> = some
                .iter()
                .map(|instant| {
                    let id = self.0.random.uuid_v7(now);
                    asked_for(&row, id, (instant.time, Reason::Backfill), now)
                })
                .collect();
            let mut conn = self.0.store.write().await?;
            added += store::backfill(&mut conn, row.id, &rows).await?;
        }
        report.count = added;
        self.0.changed.notify_one();
        Ok(Some(report))
    }

    /// Cancels the fires that wait, for their jitter, for work to be done or as part of a backfill, and answers how many;
    /// `None` if there is no schedule of this name. What is being recorded is left alone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self, org: &Org, name: &str) -> Result<Option<u64>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let mut conn = self.0.store.write().await?;
        let cancelled = store::purge(&mut conn, row.id).await?;
        add(&self.0.counters.cancelled, usize::try_from(cancelled).unwrap_or(usize::MAX));
        Ok(Some(cancelled))
    }

    async fn missing(
        &self,
        row: &ScheduleRow,
        prepared: &Prepared,
        request: &Backfill,
    ) -> Result<BackfillReport, Error> {
        let to = request.to.min(self.0.now());
        let (mut after, mut looked_at) = (request.from, 0);
        let mut report = BackfillReport {
            dry_run: request.dry_run,
            count: 0,
            instants: Vec::new(),
            present: 0,
            next_from: None,
        };
        loop {
            let page = prepared.plan.between(after, to, PAGE);
            let Some(last) = page.last().copied() else { break };
            let mut conn = self.0.store.read().await?;
            let present = store::present(&mut conn, row.id, after, last).await?;
            drop(conn);
            for nominal in page {
                if report.instants.len() == request.max || looked_at == LOOKED_AT_MAX {
                    report.next_from = Some(after);
                    report.count = report.instants.len();
                    return Ok(report);
                }
                looked_at += 1;
                after = nominal;
                if present.binary_search(&nominal).is_ok() {
                    report.present += 1;
                } else {
                    report.instants.push(instant(row, prepared, nominal));
                }
            }
        }
        report.count = report.instants.len();
        Ok(report)
    }
}

fn check(request: &Backfill) -> Result<(), Error> {
    let mut problems = Vec::new();
    if request.from >= request.to {
        problems.push(Problem::at("/to", "it must be later than `from`"));
    }
    if !(1..=BACKFILL_MAX).contains(&request.max) {
        problems.push(Problem::at("/max", format!("it must be 1 to {BACKFILL_MAX}")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

/// A fire that is due now and nobody has taken up.
fn asked_for(
    row: &ScheduleRow,
    id: uuid::Uuid,
    (nominal, reason): (DateTime<Utc>, Reason),
    now: DateTime<Utc>,
) -> FireRow {
    FireRow {
        id,
        schedule_id: row.id,
        org: row.org.clone(),
        nominal,
        due_at: now,
        event_id: event_id(row.id, nominal),
        number: None,
        reason: reason.as_str().to_owned(),
        status: PENDING.to_owned(),
        ready_at: Some(now),
        fence: 0,
        error: None,
        work_cancelled: false,
        triggered_by: None,
        created_at: now,
        fired_at: None,
    }
}
