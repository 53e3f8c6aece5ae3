//! The manual trigger: somebody says that something happened, through the API or the command line.
//!
//! It enters by the same door as everything else, so the same checks hold.

use chrono::{DateTime, Utc};
use omni_crypto::sha256;
use omni_event_log::{AppendError, Appended, Draft, EventLog, ScheduleError};
use omni_events::{Direction, EventType, Org, Payload, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The source of such events, the scope of their keys, and who triggered those of callers that say nothing of themselves.
const SOURCE: &str = "api";

/// An event that somebody triggers by hand.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The tenant.
    pub org: Org,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// What is told about it.
    pub payload: Payload,
    /// Where it belongs.
    pub metadata: Metadata,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// The key under which a repeat is recognised.
    pub idempotency_key: Option<String>,
    /// What it belongs together with; the metadata's own comes first.
    pub correlation_id: Option<String>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// What whoever triggers an event may say about it. Causes and hops are not among it: they cannot be claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    /// The kind of channel, such as `whatsapp`; a part of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<String>,
    /// The instance of the channel, such as `wa-001`; a part of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Shared by everything that one cause set off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The person or system that triggers it, such as `admin-user-123`; `api` when absent. The command line says `cli` or
    /// `cli:{who}`, the console `console` or `console:{who}`. It is what the caller says, and no proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<String>,
    /// The provider whose format the payload has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's own id for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_event_id: Option<String>,
    /// Which way it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The person who sent it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_identity_id: Option<Uuid>,
    /// The sender as the channel names them; read from the payload of a core message when absent, as are the fields below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_handle: Option<String>,
    /// The person whom it was sent to, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_identity_id: Option<Uuid>,
    /// The recipient as the channel names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_handle: Option<String>,
    /// What kind of content it has: `text`, `image` and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The text that it carries, for search; 64 KiB at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_text: Option<String>,
    /// Where its media can be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_media_url: Option<String>,
    /// A JSON object with what else is known: reactions, edits, threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Payload>,
    /// When it happened, if that was not just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
}

/// Records the event.
///
/// With an idempotency key, a repeat answers with the first event; another request under the same key is a conflict.
///
/// # Errors
/// See [`AppendError`].
pub async fn trigger(log: &EventLog, trigger: Trigger) -> Result<Appended, AppendError> {
    log.append(draft(trigger)).await
}

/// Makes the draft that [`trigger`] records, for whoever records several together.
pub fn draft(trigger: Trigger) -> Draft {
    let fingerprint = fingerprint(&trigger, None);
    identified(trigger, fingerprint)
}

/// Has the event recorded at a later time, and answers the id that it will have.
///
/// With an idempotency key, a repeat answers with the first event; another request under the same key is a conflict.
///
/// # Errors
/// See [`ScheduleError`].
pub async fn schedule(
    log: &EventLog,
    trigger: Trigger,
    at: DateTime<Utc>,
) -> Result<Uuid, ScheduleError> {
    let fingerprint = fingerprint(&trigger, Some(at));
    log.schedule(identified(trigger, fingerprint), at).await
}

fn identified(trigger: Trigger, fingerprint: [u8; 32]) -> Draft {
    let key = trigger.idempotency_key;
    let Trigger { org, event_type, payload, metadata, .. } = trigger;
    let mut draft = Draft::new(org, event_type, SOURCE, payload);
    draft.time = metadata.time;
    let described = &mut draft.metadata;
    described.correlation_id =
        metadata.correlation_id.or(trigger.correlation_id).unwrap_or_default();
    described.channel_type = metadata.channel_type;
    described.instance_id = metadata.instance_id;
    described.triggered_by = metadata.triggered_by.or_else(|| Some(SOURCE.to_owned()));
    described.provider = metadata.provider;
    described.provider_event_id = metadata.provider_event_id;
    described.direction = metadata.direction;
    described.sender_identity_id = metadata.sender_identity_id;
    described.sender_handle = metadata.sender_handle;
    described.recipient_identity_id = metadata.recipient_identity_id;
    described.recipient_handle = metadata.recipient_handle;
    described.content_type = metadata.content_type;
    described.content_text = metadata.content_text;
    described.content_media_url = metadata.content_media_url;
    described.extra = metadata.extra;
    described.priority = trigger.priority;
    described.traceparent = trigger.traceparent;
    match key {
        Some(key) => draft.deduplicated(SOURCE, key, fingerprint),
        None => draft,
    }
}

/// Hash of what the caller decides; the trace context differs between honest repeats and is not part of it.
fn fingerprint(trigger: &Trigger, at: Option<DateTime<Utc>>) -> [u8; 32] {
    // No type is empty, so what begins with a zero byte is no text of an event that happens at once.
    let at = at.map_or_else(String::new, |at| format!("\0{}\0", at.timestamp_micros()));
    let metadata = serde_json::to_vec(&trigger.metadata).unwrap_or_default();
    let priority = trigger.priority.map_or("", Priority::as_str);
    // No part but the last can hold a zero byte, so no two requests give the same text.
    sha256(&[
        at.as_bytes(),
        trigger.event_type.as_str().as_bytes(),
        b"\0",
        priority.as_bytes(),
        b"\0",
        &metadata,
        b"\0",
        trigger.payload.as_bytes(),
    ])
}
