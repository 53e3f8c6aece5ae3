//! What is shown of a schedule.

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::Org;
use omni_store::schedules::ScheduleRow;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Definition,
    fire::{millis, millis_or_none},
    prepared::Prepared,
};

/// How long after its instant and jitter a schedule may be looked at before it is overdue.
pub(crate) const OVERDUE_AFTER: TimeDelta = TimeDelta::seconds(60);

/// A schedule as it is saved, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// What the user wrote.
    #[serde(flatten)]
    pub definition: Definition,
    /// The tenant.
    pub org: Org,
    /// Counts the changes, from 1.
    pub version: i32,
    /// Its instants in words, such as `At 09:00, Monday to Friday (Europe/Berlin)`.
    pub describes: String,
    /// When it last fired.
    #[serde(serialize_with = "millis_or_none")]
    pub last_run: Option<DateTime<Utc>>,
    /// The next instant, without jitter; none when it is disabled, has ended, or nobody can say.
    #[serde(serialize_with = "millis_or_none")]
    pub next_run: Option<DateTime<Utc>>,
    /// The same in its time zone: `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub next_run_local: Option<String>,
    /// How many events it made, those by hand and backfills included.
    pub fired: i64,
    /// How many instants the overlap policy left out.
    pub skipped: i64,
    /// How many instants nobody was there for, and were not made up for.
    pub missed: i64,
    /// What somebody has to look at: why there is no next instant, or why the log refused an event.
    pub alarm: Option<String>,
    /// Whether the next instant is over for longer than a minute and nobody has dealt with it.
    pub overdue: bool,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

impl Schedule {
    pub(crate) fn of(org: &Org, row: ScheduleRow, prepared: &Prepared, now: DateTime<Utc>) -> Self {
        let next = row.next_at;
        let is_over =
            |next: DateTime<Utc>| now - next > OVERDUE_AFTER + prepared.plan.jitter(row.id, next);
        Self {
            definition: prepared.definition.clone(),
            org: org.clone(),
            version: row.version,
            describes: prepared.plan.describe(),
            last_run: row.last_fired_at,
            next_run: next,
            next_run_local: next.map(|next| prepared.plan.local(next)),
            fired: row.fired,
            skipped: row.skipped,
            missed: row.missed,
            overdue: next.is_some_and(is_over),
            alarm: row.alarm.or(row.failure),
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by,
        }
    }
}
