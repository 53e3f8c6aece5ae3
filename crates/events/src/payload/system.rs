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
