//! Payloads of the `system` domain: what the product says about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `system.dead_letter`: an event was set aside after its last try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The event that could not be handled.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// Who tried.
    pub consumer: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last error.
    pub error: String,
    /// The dead letter, which can be retried, resolved and abandoned under this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_id: Option<String>,
    /// The automation that failed, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<String>,
}

/// `system.replay.started`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayStarted {
    /// The replay.
    pub replay_id: String,
    /// How many events it will bring back, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
}

/// `system.replay.completed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayCompleted {
    /// The replay.
    pub replay_id: String,
    /// How many events it brought back.
    pub events: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// `system.health.degraded`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthDegraded {
    /// The part that is not well: `bus`, `store`, `relay`.
    pub component: String,
    /// What is wrong.
    pub reason: String,
}

/// `system.definition.changed`: something that every process keeps in memory was made, changed or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionChanged {
    /// What kind of thing it is, such as `eventType`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What happened to it: `created`, `changed` or `deleted`.
    pub change: String,
    /// Its version, where it has one and is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
}

/// `system.schedule.alarm`: somebody has to look at a schedule, because it has no next instant though it should have one,
/// or because the log refuses its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleAlarm {
    /// The schedule.
    pub schedule_id: String,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

/// `system.schedule.overdue`: an instant of a schedule is over and nobody has dealt with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleOverdue {
    /// The schedule.
    pub schedule_id: String,
    /// Its name.
    pub name: String,
    /// The instant, RFC 3339 in UTC.
    pub next_run: String,
    /// For how many seconds it is over.
    pub late_seconds: u64,
}

/// `system.automation.executed`: an automation that announces what it does has carried out its actions for an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationExecuted {
    /// The execution, as `GET /api/events/{id}/executions` lists it.
    pub execution_id: String,
    /// The automation.
    pub automation_id: String,
    /// Its name at that time.
    pub automation_name: String,
    /// Its version.
    pub automation_version: i32,
    /// The event that it was for.
    pub event_id: String,
    /// The type of that event.
    pub event_type: String,
    /// `success` or `failed`.
    pub status: String,
    /// What became of each action, in their order.
    pub actions: Vec<ExecutedAction>,
}

/// What became of one action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecutedAction {
    /// The kind of action.
    pub action: String,
    /// `success`, `failed` or `skipped`.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How long all tries and pauses took, in milliseconds.
    pub duration_ms: f64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
