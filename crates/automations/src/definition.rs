//! The document that defines an automation.

use chrono::{DateTime, Utc};
use omni_events::{Org, TypePattern};
use omni_retry::Policy;
use omni_rules::{Condition, Pattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// When this, do that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AutomationDefinition")]
pub struct Definition {
    /// Its name, unique in the organisation.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The event type that triggers it, or a pattern: `message.*`, `custom.webhook.>`.
    pub trigger_event_type: TypePattern,
    /// What the event must look like besides: `{"payload": {"total": [{"numeric": [">=", 1000]}]}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_pattern: Option<Pattern>,
    /// What must hold besides; all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trigger_conditions: Vec<Condition>,
    /// What is done, in this order.
    pub actions: Vec<ActionSpec>,
    /// Whether it is on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Of several automations that match one event, those with the higher priority run first.
    #[serde(default)]
    pub priority: i32,
    /// Whether each execution is told by a `system.automation.executed` event, kept like any other. Costs one more event
    /// per execution.
    #[serde(default, skip_serializing_if = "is_off")]
    pub announce: bool,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionSpec {
    /// The kind of action, such as `webhook`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind needs; texts may hold templates.
    #[serde(default = "empty_object")]
    pub config: Value,
    /// Whether the following actions run when this one fails.
    #[serde(default)]
    pub on_error: OnError,
    /// How often and after which pauses it is tried; once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Policy>,
    /// How long one try may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a failed action means for those after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// They run all the same.
    #[default]
    Continue,
    /// They do not run.
    Stop,
}

/// A definition as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    /// Its id, which stays when it is renamed.
    pub id: Uuid,
    /// The tenant.
    pub org: Org,
    /// Grows with every change.
    pub version: i32,
    /// The document.
    #[serde(flatten)]
    pub definition: Definition,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field like this")]
fn is_off(on: &bool) -> bool {
    !on
}

fn yes() -> bool {
    true
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}
