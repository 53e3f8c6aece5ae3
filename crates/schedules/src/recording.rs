//! From fires that were taken up to events in the log, and to marks that say so.
//!
//! What must stay true: a fire is marked after its event is durable, and only by who has it; recording it again is a repeat.
//! What the log will never take ends as failed, so that it is not tried for ever.

use std::time::Duration;

use chrono::{DateTime, Utc};
use omni_event_log::{AppendError, CheckedDraft, Draft};
use omni_store::schedules::{self as store, Ended, FireRow, Mark, ScheduleRow};

use crate::{Error, Reason, Schedules, judge::LEASE, render, stats::add};

/// Events handed to the log at once: some share a commit, and few enough to find room beside others.
const AT_ONCE: usize = 256;
/// Pause when the log takes nothing more for a moment.
const PAUSE: Duration = Duration::from_millis(20);

/// A fire somebody has taken up, with its schedule.
pub(crate) type Taken = (ScheduleRow, FireRow);

impl Schedules {
    /// Records the events of fires in their order and marks them. What the log cannot take now stays as it is: it is taken
    /// up again when the lease is over.
    pub(crate) async fn record(&self, taken: Vec<Taken>) -> Result<(), Error> {
        let mut rest = taken.into_iter();
        loop {
            let some: Vec<Taken> = rest.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            let marks = self.record_some(some).await;
            if marks.is_empty() {
                continue;
            }
            let mut conn = self.0.store.write().await?;
            store::mark(&mut conn, self.0.now(), &marks).await?;
        }
    }

    async fn record_some(&self, taken: Vec<Taken>) -> Vec<Mark> {
        let mut marks = Vec::with_capacity(taken.len());
        let mut ready: Vec<(FireRow, CheckedDraft)> = Vec::with_capacity(taken.len());
        let actual = self.0.now();
        for (row, fire) in taken {
            match self.checked(&row, &fire, actual).await {
                Ok(checked) => ready.push((fire, checked)),
                Err(Refusal::Later(error)) => later(&fire, &error),
                Err(Refusal::Never(why)) => marks.push(self.failed(&fire, why)),
            }
        }
        let (fires, drafts): (Vec<FireRow>, Vec<CheckedDraft>) = ready.into_iter().unzip();
        let answers = match self.append(drafts).await {
            Ok(answers) => answers,
            Err(error) => {
                for fire in &fires {
                    later(fire, &error);
                }
                return marks;
            }
        };
        let now = self.0.now();
        for (fire, answer) in fires.iter().zip(answers) {
            match answer.map_err(Refusal::from) {
                // An event under its key that is not its own was never made by a fire.
                Ok(appended) if appended.event_id != fire.event_id => {
                    let other = appended.event_id;
                    marks
                        .push(self.failed(fire, format!("event {other} has the key of this fire")));
                }
                Ok(_) => marks.push(self.fired(fire, now)),
                Err(Refusal::Later(error)) => later(fire, &error),
                Err(Refusal::Never(why)) => marks.push(self.failed(fire, why)),
            }
        }
        marks
    }

    async fn checked(
        &self,
        row: &ScheduleRow,
        fire: &FireRow,
        actual: DateTime<Utc>,
    ) -> Result<CheckedDraft, Refusal> {
        let never = |error: &dyn std::fmt::Display| Refusal::Never(error.to_string());
        let prepared = self.0.ready.get(row).map_err(|error| never(&error))?;
        let draft: Draft = render::draft(&prepared, fire, actual).map_err(|error| never(&error))?;
        Ok(self.0.log.check(draft).await?)
    }

    /// Appends all of them, as soon as there is room; not longer than the lease.
    async fn append(
        &self,
        drafts: Vec<CheckedDraft>,
    ) -> Result<Vec<Result<omni_event_log::Appended, AppendError>>, AppendError> {
        let patience = LEASE.to_std().unwrap_or_default() / 2;
        let until = self.0.clock.elapsed().saturating_add(patience);
        loop {
            match self.0.log.append_all(drafts.clone()).await {
                Err(AppendError::Overloaded) if self.0.clock.elapsed() < until => {
                    self.0.clock.sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }

    fn fired(&self, fire: &FireRow, now: DateTime<Utc>) -> Mark {
        add(&self.0.counters.fired, 1);
        if fire.reason == Reason::Regular.as_str() {
            self.0.counters.late(now - fire.due_at);
        }
        mark(fire, Ended::Fired)
    }

    fn failed(&self, fire: &FireRow, why: String) -> Mark {
        add(&self.0.counters.failed, 1);
        tracing::warn!(schedule = %fire.schedule_id, nominal = %fire.nominal, why, "the event of a schedule is refused");
        let nominal = omni_events::rfc3339_millis(fire.nominal);
        mark(fire, Ended::Failed(format!("the event of {nominal} is refused: {why}")))
    }
}

fn mark(fire: &FireRow, ended: Ended) -> Mark {
    Mark {
        id: fire.id,
        schedule_id: fire.schedule_id,
        fence: fire.fence,
        event_id: fire.event_id,
        ended,
    }
}

fn later(fire: &FireRow, error: &AppendError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(schedule = %fire.schedule_id, nominal = %fire.nominal, error, "the event of a schedule waits for the log");
}

/// Why an event was not taken.
enum Refusal {
    /// It is taken at another time.
    Later(AppendError),
    /// It is never taken as it is.
    Never(String),
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_) => {
                Self::Later(error)
            }
            other => Self::Never(other.to_string()),
        }
    }
}
