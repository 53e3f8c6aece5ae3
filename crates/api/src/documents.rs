//! The JSON documents of the surface, where they are not the types of the crates below themselves.

mod automations;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use omni_events::{Event, rfc3339_millis};
use omni_store::{
    events::{Outcome, StoredEvent},
    payloads::PayloadRow,
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

pub(crate) use self::automations::{AutomationDocument, ExecutionDocument};

/// An event with its place in the log and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Event")]
pub(crate) struct EventDocument {
    #[serde(flatten)]
    pub(crate) event: Event,
    /// Place in the event log: ascending, gaps possible.
    pub(crate) sequence: i64,
    /// Null until the event has been handled.
    pub(crate) outcome: Option<OutcomeDocument>,
}

/// What became of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Outcome")]
pub(crate) struct OutcomeDocument {
    /// `completed`, `failed` and others.
    pub(crate) status: String,
    /// How often the event was delivered again.
    pub(crate) retry_count: i32,
    /// When the engine was done with it.
    #[serde(serialize_with = "millis")]
    pub(crate) processed_at: DateTime<Utc>,
    /// How many automations ran.
    pub(crate) executions: i32,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl From<StoredEvent> for EventDocument {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { sequence, event, outcome, .. } = stored;
        Self { event, sequence, outcome: outcome.map(OutcomeDocument::from) }
    }
}

impl From<Outcome> for OutcomeDocument {
    fn from(outcome: Outcome) -> Self {
        let Outcome { status, retry_count, processed_at, executions, error } = outcome;
        Self { status, retry_count, processed_at, executions, error }
    }
}

/// The answer of a trigger.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Triggered {
    /// The event; for a repeat, the one that was stored first.
    pub(crate) event_id: Uuid,
    /// Its place in the log.
    pub(crate) sequence: i64,
}

/// What was kept of one stage of an event's way.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) stage: String,
    pub(crate) content_type: Option<String>,
    /// JSON text.
    pub(crate) headers: String,
    pub(crate) body: Bytes,
    pub(crate) created_at: DateTime<Utc>,
}

impl Kept {
    /// A body that was not kept twice is the payload of the event.
    pub(crate) fn of(row: PayloadRow, event: &Event) -> Self {
        Self {
            stage: row.stage,
            content_type: row.content_type,
            headers: row.headers,
            body: row.body.map_or_else(|| event.payload.as_bytes().clone(), Bytes::from),
            created_at: row.created_at,
        }
    }
}

/// What was kept of one stage of an event's way, such as the request of a webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EventPayload")]
pub(crate) struct PayloadDocument {
    /// Where on its way it was kept.
    pub(crate) stage: String,
    /// Media type as the sender named it.
    pub(crate) content_type: Option<String>,
    /// Headers, secrets taken out.
    #[schemars(with = "serde_json::Value")]
    pub(crate) headers: Option<Box<RawValue>>,
    /// The bytes, as `encoding` says.
    pub(crate) body: String,
    /// `utf8`, or `base64` where the bytes are no text.
    pub(crate) encoding: &'static str,
    /// How many bytes the body has.
    pub(crate) bytes: usize,
    /// When it was kept.
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
}

impl From<Kept> for PayloadDocument {
    fn from(kept: Kept) -> Self {
        let (body, encoding) = match std::str::from_utf8(&kept.body) {
            Ok(text) => (text.to_owned(), "utf8"),
            Err(_) => (STANDARD.encode(&kept.body), "base64"),
        };
        Self {
            stage: kept.stage,
            content_type: kept.content_type,
            headers: RawValue::from_string(kept.headers).ok(),
            body,
            encoding,
            bytes: kept.body.len(),
            created_at: kept.created_at,
        }
    }
}

/// Counts of an organisation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Stats")]
pub(crate) struct StatsDocument {
    /// All events.
    pub(crate) events: i64,
    /// Events received within the last 24 hours.
    pub(crate) events_last24h: i64,
    /// The most frequent types, most frequent first.
    pub(crate) by_type: Vec<TypeCount>,
    /// Handled events by status.
    pub(crate) outcomes: Vec<StatusCount>,
    /// Executions by status.
    pub(crate) executions: Vec<StatusCount>,
    /// Sources.
    pub(crate) sources: i64,
    /// Automations.
    pub(crate) automations: i64,
    /// Automations that are on.
    pub(crate) automations_enabled: i64,
}

/// How often an event type occurred.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TypeCount {
    /// The type.
    pub(crate) event_type: String,
    /// How often.
    pub(crate) count: i64,
}

/// How often a status occurred.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusCount {
    /// The status.
    pub(crate) status: String,
    /// How often.
    pub(crate) count: i64,
}

/// A kind of action that automations may name.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActionKind {
    /// The word in `actions[].type`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// JSON Schema of its `config`.
    pub(crate) config_schema: serde_json::Value,
}

fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}

#[cfg(test)]
mod tests {
    use omni_events::{EventType, Metadata, Payload};

    use super::*;

    #[test]
    fn an_event_document_shows_the_payload_as_it_was_sent() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let event = Event {
            id: Uuid::nil(),
            event_type: EventType::parse("custom.order.paid").unwrap(),
            source: "api".into(),
            time,
            received_at: time,
            payload: Payload::parse(Bytes::from_static(br#"{"b": 1.50,  "a": 2}"#)).unwrap(),
            schema_version: None,
            metadata: Metadata::default(),
        };
        let outcome = Outcome {
            status: "completed".into(),
            retry_count: 0,
            processed_at: time,
            executions: 1,
            error: None,
        };
        let stored = StoredEvent { sequence: 7, event, outcome: Some(outcome), is_expunged: false };
        let text = serde_json::to_string(&EventDocument::from(stored)).unwrap();
        assert!(text.contains(r#""payload":{"b": 1.50,  "a": 2}"#), "{text}");
        assert!(text.contains(r#""sequence":7"#), "{text}");
        assert!(text.contains(r#""processedAt":"2023-11-14T22:13:20.000Z""#), "{text}");
    }

    #[test]
    fn a_kept_body_is_text_or_base64() {
        let kept = |body: &'static [u8]| {
            PayloadDocument::from(Kept {
                stage: "received".into(),
                content_type: None,
                headers: "[]".into(),
                body: Bytes::from_static(body),
                created_at: DateTime::UNIX_EPOCH,
            })
        };
        assert_eq!((kept(b"{}").encoding, kept(b"{}").body.as_str()), ("utf8", "{}"));
        assert_eq!((kept(b"\xff").encoding, kept(b"\xff").body.as_str()), ("base64", "/w=="));
    }
}
