//! What becomes of the instants of a schedule that is due: pure, between reading its row and writing it.
//!
//! What must stay true: behind `decided_until` everything is decided, and nothing before it was decided twice.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::Random;
use omni_store::schedules::{
    Decided, Due, FireRow, MISSED, PENDING, SKIPPED, ScheduleRow, WAITING,
};
use uuid::Uuid;

use crate::{
    Error, Next, OverlapDecision, Reason, catch_up, overlap, prepared::Prepared, render::event_id,
};

/// An instant younger than this is simply due, whoever was away.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(10);
/// How long a fire belongs to who took it up.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(10);
/// When somebody asks again what nobody could say.
const ASK_AGAIN: TimeDelta = TimeDelta::hours(1);
/// Most fires that wait for one schedule.
const WAITING_MAX: i32 = 100;
/// Most missed instants of one decision that get a row, the newest; the others are only counted.
const MISSED_ROWS: usize = 100;

/// Decides a schedule at `now`.
pub(crate) fn judge(
    prepared: &Result<impl AsRef<Prepared>, Error>,
    due: Due,
    now: DateTime<Utc>,
    random: &Random,
) -> Decided {
    let Due { row, is_open } = due;
    let prepared = match prepared {
        Ok(prepared) => prepared.as_ref(),
        Err(error) => {
            let row = alarmed(row, error.to_string(), now);
            return Decided { row, fires: Vec::new(), cancels: Vec::new() };
        }
    };
    if !row.enabled {
        let row = ScheduleRow { due_at: None, next_at: None, ..row };
        return Decided { row, fires: Vec::new(), cancels: Vec::new() };
    }
    let mut judging =
        Judging { prepared, row, is_open, now, random, fires: vec![], cancels: vec![] };
    let (fire, missed) = judging.instants();
    judging.miss(&fire, missed);
    for nominal in fire {
        if judging.has_ended() {
            break;
        }
        judging.decide(nominal);
    }
    let Judging { mut row, fires, cancels, .. } = judging;
    row.decided_until = row.decided_until.max(now);
    Decided { row: arranged(row, prepared, now), fires, cancels }
}

struct Judging<'a> {
    prepared: &'a Prepared,
    row: ScheduleRow,
    is_open: bool,
    now: DateTime<Utc>,
    random: &'a Random,
    fires: Vec<FireRow>,
    cancels: Vec<Uuid>,
}

impl Judging<'_> {
    /// The instants that are to fire, and how many do not because nobody was there.
    fn instants(&self) -> (Vec<DateTime<Utc>>, u64) {
        let (plan, row, now) = (&self.prepared.plan, &self.row, self.now);
        // Nearly always there is one, and it is due.
        if let Some(next) = row.next_at
            && next > row.decided_until
            && next <= now
            && now - next < GRACE
            && !matches!(plan.next_after(next), Next::At(after) if after <= now)
        {
            return (vec![next], 0);
        }
        let policy = self.prepared.definition.catchup;
        let caught = catch_up(plan, policy, row.decided_until, now, GRACE);
        (caught.fire, caught.missed)
    }

    /// Counts what was missed, and keeps the newest of it.
    fn miss(&mut self, fire: &[DateTime<Utc>], missed: u64) {
        if missed == 0 {
            return;
        }
        self.row.missed = self.row.missed.saturating_add_unsigned(missed);
        let fire: HashSet<DateTime<Utc>> = fire.iter().copied().collect();
        let (from, until) = (self.row.decided_until, self.now);
        let newest = self.prepared.plan.last_between(from, until, fire.len() + MISSED_ROWS);
        for nominal in newest.into_iter().filter(|instant| !fire.contains(instant)) {
            let row = self.fire(nominal, MISSED);
            self.fires.push(row);
        }
    }

    fn has_ended(&self) -> bool {
        is_used_up(&self.row, self.prepared)
    }

    fn decide(&mut self, nominal: DateTime<Utc>) {
        let waiting = u32::try_from(self.row.waiting).unwrap_or(0);
        match overlap(self.prepared.definition.overlap, self.is_open, waiting) {
            OverlapDecision::Fire => self.go(nominal),
            OverlapDecision::FireAndCancel => {
                self.cancels.extend(self.row.last_event_id);
                self.go(nominal);
            }
            OverlapDecision::Wait if self.row.waiting < WAITING_MAX => {
                self.row.waiting += 1;
                self.row.number += 1;
                let fire = self.fire(nominal, WAITING);
                self.fires.push(FireRow { number: Some(self.row.number), ..fire });
            }
            OverlapDecision::Wait => self.skip(nominal, "too many fires wait already"),
            OverlapDecision::Skip => {
                self.skip(nominal, "the work on the fire before was not done");
            }
        }
    }

    fn go(&mut self, nominal: DateTime<Utc>) {
        self.row.number += 1;
        let fire = self.fire(nominal, PENDING);
        self.row.last_event_id = Some(fire.event_id);
        self.is_open = true;
        let number = Some(self.row.number);
        self.fires.push(if fire.due_at <= self.now {
            // Whoever decides also records it.
            FireRow { number, fence: 1, ready_at: Some(self.now + LEASE), ..fire }
        } else {
            FireRow { number, ready_at: Some(fire.due_at), ..fire }
        });
    }

    fn skip(&mut self, nominal: DateTime<Utc>, why: &str) {
        self.row.skipped += 1;
        let fire = self.fire(nominal, SKIPPED);
        self.fires.push(FireRow { error: Some(why.to_owned()), ..fire });
    }

    fn fire(&self, nominal: DateTime<Utc>, status: &str) -> FireRow {
        let is_late = self.now - nominal > GRACE;
        let reason = if is_late { Reason::Catchup } else { Reason::Regular };
        let row = &self.row;
        FireRow {
            id: self.random.uuid_v7(self.now),
            schedule_id: row.id,
            org: row.org.clone(),
            nominal,
            due_at: nominal + self.prepared.plan.jitter(row.id, nominal),
            event_id: event_id(row.id, nominal),
            number: None,
            reason: reason.as_str().to_owned(),
            status: status.to_owned(),
            ready_at: None,
            fence: 0,
            error: None,
            work_cancelled: false,
            triggered_by: None,
            created_at: self.now,
            fired_at: None,
        }
    }
}

/// Whether it has fired as often as it may.
pub(crate) fn is_used_up(row: &ScheduleRow, prepared: &Prepared) -> bool {
    let number = u64::try_from(row.number).unwrap_or(0);
    prepared.definition.max_fires.is_some_and(|most| number >= most)
}

/// Says when a schedule goes on, from what is decided and whether it is enabled.
pub(crate) fn arranged(row: ScheduleRow, prepared: &Prepared, now: DateTime<Utc>) -> ScheduleRow {
    let ends = !row.enabled || is_used_up(&row, prepared);
    let next = if ends { Next::Never } else { prepared.plan.next_after(row.decided_until) };
    match next {
        Next::At(next) => {
            ScheduleRow { next_at: Some(next), due_at: Some(next), alarm: None, ..row }
        }
        Next::Never => ScheduleRow { next_at: None, due_at: None, alarm: None, ..row },
        Next::Unknown(reason) => {
            let row = ScheduleRow { next_at: None, ..row };
            alarmed(row, reason, now)
        }
    }
}

/// Asks again later, and has it told once for as long as it stays the same.
fn alarmed(row: ScheduleRow, reason: String, now: DateTime<Utc>) -> ScheduleRow {
    let row = ScheduleRow { due_at: Some(now + ASK_AGAIN), ..row };
    if row.alarm.as_ref() == Some(&reason) {
        return row;
    }
    ScheduleRow { alarm: Some(reason), alarm_at: Some(now), alarm_told: false, ..row }
}
