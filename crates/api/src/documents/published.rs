//! The answer of publishing, and what it takes besides our own form of an event.

use omni_event_log::Appended;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::operations::events::TriggerBody;

/// The answer of publishing.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Published {
    /// The events in the order in which they were sent.
    pub(crate) items: Vec<PublishedEvent>,
}

/// An event that is in the log.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublishedEvent {
    /// The event; for a repeat, the one that was stored first.
    pub(crate) event_id: Uuid,
    /// Its place in the log.
    pub(crate) sequence: i64,
}

impl From<Appended> for PublishedEvent {
    fn from(Appended { event_id, sequence, repeat: _ }: Appended) -> Self {
        Self { event_id, sequence }
    }
}

/// One event or up to 1,000. None of them may have `scheduledAt`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only its schema is used; which of both it is decides the text itself"
)]
pub(crate) enum PublishBody {
    One(Box<TriggerBody>),
    Many(Vec<TriggerBody>),
}

/// A CloudEvent 1.0 in the JSON format. Every other member with a name of `a-z 0-9` is an extension attribute.
#[derive(JsonSchema)]
#[serde(rename = "CloudEvent", rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; it is read by the crate of events")]
pub(crate) struct CloudEventBody {
    /// `1.0`.
    specversion: String,
    /// Unique among the events of its source; with the source, the key by which a repeat is recognised.
    id: String,
    /// Who says so, a URI reference.
    source: String,
    /// What kind of thing happened; the event becomes `custom.{type}` unless it is under `custom.` already.
    r#type: String,
    /// When it happened.
    time: Option<String>,
    /// The media type of the data; without one it is JSON.
    datacontenttype: Option<String>,
    /// What is told, byte for byte.
    data: Option<serde_json::Value>,
    /// The data in base64 instead.
    #[serde(rename = "data_base64")]
    data_base64: Option<String>,
}
