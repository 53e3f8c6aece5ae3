//! Automations and what they did.

use chrono::{DateTime, Utc};
use omni_automations::{ActionResult, Automation, Definition, Execution};
use omni_events::Org;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::millis;

/// An automation as it is stored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Automation")]
pub(crate) struct AutomationDocument {
    /// Its id, which stays when it is renamed.
    pub(crate) id: Uuid,
    /// The tenant.
    pub(crate) org: Org,
    /// Grows with every change; the `ETag`.
    pub(crate) version: i32,
    #[serde(flatten)]
    pub(crate) definition: Definition,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub(crate) updated_at: DateTime<Utc>,
    /// Who made it.
    pub(crate) created_by: Option<String>,
}

impl From<Automation> for AutomationDocument {
    fn from(automation: Automation) -> Self {
        let Automation { id, org, version, definition, created_at, updated_at, created_by } =
            automation;
        Self { id, org, version, definition, created_at, updated_at, created_by }
    }
}

/// What one version of an automation did with one event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Execution")]
pub(crate) struct ExecutionDocument {
    /// Its id.
    pub(crate) id: Uuid,
    /// The automation.
    pub(crate) automation_id: Uuid,
    /// The version that ran.
    pub(crate) automation_version: i32,
    /// The event.
    pub(crate) event_id: Uuid,
    /// The type of the event.
    pub(crate) event_type: String,
    /// How it ended: `success`, `failed` or `skipped`.
    pub(crate) status: String,
    /// Whether the conditions held.
    pub(crate) conditions_matched: bool,
    /// The actions in their order.
    pub(crate) actions_executed: Vec<ActionResult>,
    /// The first error.
    pub(crate) error: Option<String>,
    /// How long it took, in milliseconds.
    pub(crate) execution_time_ms: i64,
    /// When it was done.
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
}

impl From<Execution> for ExecutionDocument {
    fn from(execution: Execution) -> Self {
        Self {
            id: execution.id,
            automation_id: execution.automation_id,
            automation_version: execution.automation_version,
            event_id: execution.event_id,
            event_type: execution.event_type,
            status: execution.status,
            conditions_matched: execution.conditions_matched,
            actions_executed: execution.actions_executed,
            error: execution.error,
            execution_time_ms: execution.execution_time_ms,
            created_at: execution.created_at,
        }
    }
}
