//! What an explanation says. These types are part of the API: members may be added, never renamed.

use chrono::{DateTime, Utc};
use omni_events::EventType;
use omni_rules::Proof;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// What automations did with one event, and why others did nothing.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EventExplanation")]
pub struct Explained {
    /// The event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: EventType,
    /// What became of it; `pending` while it has not been handled.
    pub status: String,
    /// When it was handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processed_at: Option<DateTime<Utc>>,
    /// What is to be known before any automation is looked at.
    pub notes: Vec<String>,
    /// The automations: those that match, then those that do not, the nearest to a match first.
    pub items: Vec<Explanation>,
    /// How many further automations listen to the type, or nearly, and are not shown.
    pub more: usize,
}

/// What one automation made of the event.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The automation.
    pub automation_id: Uuid,
    /// Its name.
    pub name: String,
    /// The version that was compared with the event.
    pub version: i32,
    /// The version that it has now; absent when it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<i32>,
    /// Whether this version runs for the event: nothing stands against it, and the proof holds.
    pub matched: bool,
    /// All of it in one sentence.
    pub summary: String,
    /// Why it does not run whatever the event looks like.
    pub reasons: Vec<Reason>,
    /// What may have been otherwise when the event was handled.
    pub notes: Vec<String>,
    /// The pattern and the conditions, leaf by leaf. Absent when they are not valid any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<Recorded>,
}

/// Why an automation does not run, before its pattern and conditions are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Which reason it is.
    pub kind: ReasonKind,
    /// The same in words.
    pub message: String,
}

/// The reasons before matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReasonKind {
    /// It is off.
    Disabled,
    /// It listens to another type.
    WrongType,
    /// It was made after the event was handled.
    CreatedLater,
    /// It is not there any more.
    Deleted,
    /// It cannot run any more, because an action of it is gone, for one.
    Invalid,
    /// The event was brought back for another automation alone.
    OtherReplay,
}

/// The execution of an automation for an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// The version that ran.
    pub version: i32,
    /// How it ended: `success`, `failed` or `skipped`.
    pub status: String,
    /// The first error, or why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Reason {
    pub(crate) fn new(kind: ReasonKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
