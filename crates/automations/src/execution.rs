//! What an automation did with an event.

use chrono::{DateTime, Utc};
use omni_store::executions::ExecutionRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Every action succeeded.
    Success,
    /// At least one action failed.
    Failed,
    /// The conditions did not hold; nothing was done.
    Skipped,
}

impl ExecutionStatus {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// How one action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionStatus {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failed,
    /// It was not tried, because one before it failed and said stop, or the next fire of a schedule took over.
    Skipped,
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionResult {
    /// The kind of action.
    pub action: String,
    /// How it ended.
    pub status: ActionStatus,
    /// What it answered; templates of later actions see it as `actions[N].result`.
    #[serde(default)]
    pub result: Value,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How long all tries and pauses took, in milliseconds.
    pub duration_ms: f64,
}

/// What one version of an automation did with one event; there is at most one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Its id.
    pub id: Uuid,
    /// The automation.
    pub automation_id: Uuid,
    /// The version that ran.
    pub automation_version: i32,
    /// The event.
    pub event_id: Uuid,
    /// The type of the event.
    pub event_type: String,
    /// How it ended: `success`, `failed` or `skipped`.
    pub status: String,
    /// Whether the conditions held.
    pub conditions_matched: bool,
    /// The actions in their order.
    pub actions_executed: Vec<ActionResult>,
    /// The first error.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub execution_time_ms: i64,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

impl Execution {
    pub(crate) fn from_row(row: ExecutionRow) -> Self {
        Self {
            id: row.id,
            automation_id: row.automation_id,
            automation_version: row.automation_version,
            event_id: row.event_id,
            event_type: row.event_type,
            status: row.status,
            conditions_matched: row.conditions_matched,
            actions_executed: serde_json::from_str(&row.actions).unwrap_or_default(),
            error: row.error,
            execution_time_ms: row.execution_time_ms,
            created_at: row.created_at,
        }
    }
}
