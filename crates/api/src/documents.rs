//! The JSON documents of the surface, where they are not the types of the crates below themselves.

mod automations;
mod captures;
mod checks;
mod dead_letters;
mod payloads;
mod published;
mod replays;
mod schedules;
mod schemas;

use chrono::{DateTime, Utc};
use omni_events::{Event, rfc3339_millis};
use omni_store::{
    events::{Outcome, StoredEvent},
    scheduled::{CANCELLED, Scheduled},
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::operations;

pub(crate) use self::{
    automations::{AutomationDocument, ExecutionDocument},
    captures::{
        DeletedDocument, DueDocument, ExpiryDocument, ExpungedDocument, ExpungedEventDocument,
        PolicyDocument,
    },
    checks::{Check, Loss, ReaderFinding, ReaderKind, summary},
    dead_letters::{DeadLetterDocument, DeadLetterStoryDocument, RetryJobDocument},
    payloads::{Kept, PayloadDocument},
    published::{CloudEventBody, PublishBody, Published, PublishedEvent},
    replays::{PlanDocument, ReplayAnswer, ReplayDocument, Replayed},
    schedules::{BackfillBody, PurgedDocument},
    schemas::{
        CheckBody, ConfigBody, DeleteTypeQuery, ExportFormat, ExportQuery, ImportBody,
        ImportDocument, ImportOutcome, ImportedDocument, InferBody, RegisterBody,
        RegisteredDocument, Types, TypesQuery, Versions, VersionsQuery,
    },
};

/// An event with its place in the log and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Event")]
pub(crate) struct EventDocument {
    #[serde(flatten)]
    pub(crate) event: Event,
    /// Place in the event log: ascending, gaps possible. Null while it has not happened.
    pub(crate) sequence: Option<i64>,
    /// Null until the event has been handled.
    pub(crate) outcome: Option<OutcomeDocument>,
    /// When it happens; only while it has not happened.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_millis")]
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
    /// Present when the payload was taken out of the record on purpose; the payload is null then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expunged: Option<ExpungedDocument>,
}

/// What became of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Outcome")]
pub(crate) struct OutcomeDocument {
    /// `completed`, `failed` and others; `scheduled` or `cancelled` when it has not happened.
    pub(crate) status: String,
    /// How often the event was delivered again.
    pub(crate) retry_count: i32,
    /// When the engine was done with it, or when it was cancelled.
    #[serde(serialize_with = "some_millis")]
    pub(crate) processed_at: Option<DateTime<Utc>>,
    /// How many automations ran.
    pub(crate) executions: i32,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl From<StoredEvent> for EventDocument {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { sequence, event, outcome, is_expunged } = stored;
        let outcome = outcome.map(OutcomeDocument::from);
        let expunged = is_expunged.then(ExpungedDocument::default);
        Self { event, sequence: Some(sequence), outcome, scheduled_at: None, expunged }
    }
}

impl From<Scheduled> for EventDocument {
    fn from(scheduled: Scheduled) -> Self {
        let status = operations::scheduled::status(&scheduled);
        let outcome = OutcomeDocument {
            status: status.to_owned(),
            retry_count: 0,
            processed_at: (status == CANCELLED).then_some(scheduled.changed_at),
            executions: 0,
            error: None,
        };
        let scheduled_at = Some(scheduled.due_at);
        let event = scheduled.event;
        Self { event, sequence: None, outcome: Some(outcome), scheduled_at, expunged: None }
    }
}

impl From<Outcome> for OutcomeDocument {
    fn from(outcome: Outcome) -> Self {
        let Outcome { status, retry_count, processed_at, executions, error } = outcome;
        Self { status, retry_count, processed_at: Some(processed_at), executions, error }
    }
}

/// The answer of a trigger.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Triggered {
    /// The event; for a repeat, the one that was stored first.
    pub(crate) event_id: Uuid,
    /// Its place in the log; null when it is to happen later.
    pub(crate) sequence: Option<i64>,
    /// When it is to happen, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_millis")]
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
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

#[expect(clippy::ref_option, reason = "serde hands over the field")]
fn some_millis<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.as_ref().map(|time| rfc3339_millis(*time)).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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
}
