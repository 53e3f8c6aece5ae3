//! The manual trigger: somebody says that something happened, through the API or the command line.
//!
//! It enters by the same door as everything else, so the same checks hold.

use chrono::{DateTime, Utc};
use omni_crypto::sha256;
use omni_event_log::{AppendError, Appended, Draft, EventLog};
use omni_events::{Direction, EventType, Org, Payload, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The source of such events, and the scope of their keys.
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
    /// The person or system that triggers it.
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
    let key = trigger.idempotency_key.clone().map(|key| (key, fingerprint(&trigger)));
    let Trigger { org, event_type, payload, metadata, .. } = trigger;
    let mut draft = Draft::new(org, event_type, SOURCE, payload);
    draft.time = metadata.time;
    let described = &mut draft.metadata;
    described.correlation_id =
        metadata.correlation_id.or(trigger.correlation_id).unwrap_or_default();
    described.channel_type = metadata.channel_type;
    described.instance_id = metadata.instance_id;
    described.triggered_by = metadata.triggered_by;
    described.provider = metadata.provider;
    described.provider_event_id = metadata.provider_event_id;
    described.direction = metadata.direction;
    described.priority = trigger.priority;
    described.traceparent = trigger.traceparent;
    if let Some((key, fingerprint)) = key {
        draft = draft.deduplicated(SOURCE, key, fingerprint);
    }
    log.append(draft).await
}

/// Hash of what the caller decides; the trace context differs between honest repeats and is not part of it.
fn fingerprint(trigger: &Trigger) -> [u8; 32] {
    let metadata = serde_json::to_vec(&trigger.metadata).unwrap_or_default();
    let priority = trigger.priority.map_or("", Priority::as_str);
    // No part but the last can hold a zero byte, so no two requests give the same text.
    sha256(&[
        trigger.event_type.as_str().as_bytes(),
        b"\0",
        priority.as_bytes(),
        b"\0",
        &metadata,
        b"\0",
        trigger.payload.as_bytes(),
    ])
}
