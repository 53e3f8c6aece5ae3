//! Documents about raw payloads.

use chrono::{DateTime, Utc};
use omni_event_log::{CapturePolicy, StoredPolicy};
use omni_store::{expunges::ExpungeRow, payloads::Due};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::millis;

/// What is captured of some types of event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StoredCapturePolicy")]
pub(crate) struct PolicyDocument {
    /// A type of event, or a pattern such as `custom.webhook.github.>`; the most specific one decides.
    pub(crate) event_type: String,
    /// What is captured, and for how long.
    pub(crate) policy: CapturePolicy,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub(crate) updated_at: DateTime<Utc>,
}

impl From<StoredPolicy> for PolicyDocument {
    fn from(stored: StoredPolicy) -> Self {
        let StoredPolicy { event_type, policy, updated_at } = stored;
        Self { event_type, policy, updated_at }
    }
}

/// What has expired, and how much of it was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CaptureExpiry")]
pub(crate) struct ExpiryDocument {
    /// Whether nothing was deleted.
    pub(crate) dry_run: bool,
    /// What has expired at this time is meant.
    #[serde(serialize_with = "millis")]
    pub(crate) at: DateTime<Utc>,
    /// What had expired before anything was deleted, by type and stage.
    pub(crate) items: Vec<DueDocument>,
    /// Parts in all.
    pub(crate) parts: i64,
    /// Bytes in the store in all.
    pub(crate) bytes: i64,
    /// Parts whose bytes were deleted by this call.
    pub(crate) deleted: i64,
}

/// What has expired of one stage of one type of event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExpiredCaptures")]
pub(crate) struct DueDocument {
    /// The type of event.
    pub(crate) event_type: String,
    /// Where on its way it was captured.
    pub(crate) stage: String,
    /// How many parts.
    pub(crate) parts: i64,
    /// Bytes that they take in the store. A part that is the payload of its event takes none.
    pub(crate) bytes: i64,
    /// Bytes before compression.
    pub(crate) size: i64,
    /// When the first of them was captured.
    #[serde(serialize_with = "millis")]
    pub(crate) oldest: DateTime<Utc>,
    /// When the last of them was captured.
    #[serde(serialize_with = "millis")]
    pub(crate) newest: DateTime<Utc>,
}

impl From<Due> for DueDocument {
    fn from(due: Due) -> Self {
        let Due { event_type, stage, parts, bytes, size, oldest, newest } = due;
        Self { event_type, stage, parts, bytes, size, oldest, newest }
    }
}

/// How many parts a deletion deleted.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeletedPayloads")]
pub(crate) struct DeletedDocument {
    /// Parts that were deleted by this call.
    pub(crate) deleted: usize,
}

/// An event whose payload was taken out.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExpungedEvent")]
pub(crate) struct ExpungedEventDocument {
    /// The event.
    pub(crate) event_id: Uuid,
    /// When, by this call or an earlier one.
    #[serde(serialize_with = "millis")]
    pub(crate) at: DateTime<Utc>,
    /// Why.
    pub(crate) reason: String,
}

impl From<ExpungeRow> for ExpungedEventDocument {
    fn from(row: ExpungeRow) -> Self {
        Self { event_id: row.event_id, at: row.expunged_at, reason: row.reason }
    }
}

/// That the payload of an event was taken out on purpose. Lists leave out when and why; reading the event tells.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Expunged")]
pub(crate) struct ExpungedDocument {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl From<ExpungeRow> for ExpungedDocument {
    fn from(row: ExpungeRow) -> Self {
        let at = omni_events::rfc3339_millis(row.expunged_at);
        Self { at: Some(at), reason: Some(row.reason) }
    }
}
