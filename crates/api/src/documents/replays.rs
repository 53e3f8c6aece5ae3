//! Replays as documents.

use chrono::{DateTime, Utc};
use omni_event_log::{ReplayJob, ReplayPlan, ReplaySelection, ReplaySpec};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{millis, some_millis};

/// What a replay would bring back; nothing was done.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ReplayPlan")]
pub(crate) struct PlanDocument {
    /// Always true.
    pub(crate) dry_run: bool,
    /// How many events it would bring back.
    pub(crate) total: i64,
    /// The same by type.
    pub(crate) by_type: Vec<PlannedType>,
    /// When the first of them was received.
    #[serde(serialize_with = "some_millis")]
    pub(crate) first: Option<DateTime<Utc>>,
    /// When the last of them was received.
    #[serde(serialize_with = "some_millis")]
    pub(crate) last: Option<DateTime<Utc>>,
    /// How long it would take at the rate that was asked for, in seconds.
    pub(crate) estimated_seconds: f64,
    /// Of these, how many the one automation has succeeded on already; what it did for those is not done again. Null when
    /// it is for all automations, or repeats effects.
    pub(crate) already_succeeded: Option<i64>,
}

/// The events of one type.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedType {
    /// The type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// How many there are.
    pub(crate) events: i64,
}

/// A replay and how far it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Replay")]
pub(crate) struct ReplayDocument {
    /// Its id; every event that it brings back carries it as `metadata.replay.id`.
    pub(crate) id: Uuid,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`.
    pub(crate) status: String,
    /// Always false.
    pub(crate) dry_run: bool,
    /// Which events.
    pub(crate) selection: ReplaySelection,
    /// The one automation that sees them; null for all.
    pub(crate) automation_id: Option<Uuid>,
    /// Whether it does again what succeeded before.
    pub(crate) repeat_effects: bool,
    /// Events per second at most.
    pub(crate) rate_per_second: u32,
    /// How many events there are; null until they are counted.
    pub(crate) total: Option<i64>,
    /// How many were brought back.
    pub(crate) done: i64,
    /// How many could not be.
    pub(crate) failed: i64,
    /// How many were left out because their payload was taken out on purpose.
    pub(crate) skipped: i64,
    /// Events received up to then were looked at.
    #[serde(serialize_with = "some_millis")]
    pub(crate) through: Option<DateTime<Utc>>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// When it was asked for.
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
    /// When it last moved.
    #[serde(serialize_with = "millis")]
    pub(crate) changed_at: DateTime<Utc>,
    /// When it ended; null while it is open.
    #[serde(serialize_with = "some_millis")]
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The event that brings another back.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replayed {
    /// The new event.
    pub(crate) event_id: Uuid,
    /// Its place in the log.
    pub(crate) sequence: i64,
}

/// A plan or a replay, by what was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ReplayAnswer")]
pub(crate) enum ReplayAnswer {
    /// Of a dry run.
    Plan(PlanDocument),
    /// Otherwise.
    Replay(Box<ReplayDocument>),
}

impl PlanDocument {
    pub(crate) fn of(plan: ReplayPlan, spec: &ReplaySpec) -> Self {
        let total: i64 = plan.types.iter().map(|count| count.events).sum();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = total as f64 / f64::from(spec.rate_per_second.max(1));
        Self {
            dry_run: true,
            total,
            first: plan.types.iter().map(|count| count.first).min(),
            last: plan.types.iter().map(|count| count.last).max(),
            estimated_seconds: (seconds * 10.0).ceil() / 10.0,
            already_succeeded: plan.succeeded,
            by_type: plan
                .types
                .into_iter()
                .map(|count| PlannedType { event_type: count.event_type, events: count.events })
                .collect(),
        }
    }
}

impl From<ReplayJob> for ReplayDocument {
    fn from(job: ReplayJob) -> Self {
        let ReplayJob { row, spec, skipped, through } = job;
        Self {
            id: row.id,
            status: row.status,
            dry_run: false,
            selection: spec.selection,
            automation_id: spec.automation_id,
            repeat_effects: spec.repeat_effects,
            rate_per_second: spec.rate_per_second,
            total: row.total,
            done: row.done,
            failed: row.failed,
            skipped,
            through,
            error: row.error,
            created_at: row.created_at,
            changed_at: row.changed_at,
            finished_at: row.finished_at,
        }
    }
}
