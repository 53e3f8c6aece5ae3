//! A draft: an event before it is accepted.

use chrono::{DateTime, Utc};
use omni_events::{Event, EventType, Metadata, Org, Payload};
use uuid::Uuid;

use crate::Capture;

/// What somebody wants to have recorded; the log gives it an id, a place and the time of receipt.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The id it was promised before, if it was; then appending it again is a repeat. Otherwise the log draws one.
    pub id: Option<Uuid>,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// Who says so, such as `webhook:github`.
    pub source: String,
    /// What was sent.
    pub payload: Payload,
    /// When it happened, if the sender said so; otherwise the time of receipt.
    pub time: Option<DateTime<Utc>>,
    /// Where it belongs and what caused it. An empty `correlation_id` becomes the id of the event itself.
    pub metadata: Metadata,
    /// Under which key a repeat is recognised.
    pub dedupe: Option<Dedupe>,
    /// The request as it arrived, to be kept beside the event.
    pub capture: Option<Capture>,
}

/// Makes a repeat recognisable: the same key in the same scope is one event.
#[derive(Clone, Debug)]
pub struct Dedupe {
    /// Whose keys these are, such as `webhook:github`; keys of different scopes never meet.
    pub scope: String,
    /// The key within the scope.
    pub key: String,
    /// Hash of what was sent; the same key with another hash is a conflict, not a repeat.
    pub body_hash: [u8; 32],
}

impl Draft {
    /// The least that an event needs.
    pub fn new(
        org: Org,
        event_type: EventType,
        source: impl Into<String>,
        payload: Payload,
    ) -> Self {
        Self {
            id: None,
            event_type,
            source: source.into(),
            payload,
            time: None,
            metadata: Metadata { org, ..Metadata::default() },
            dedupe: None,
            capture: None,
        }
    }

    /// Says which event caused this one: it takes over the correlation and stands one hop further.
    pub fn caused_by(mut self, parent: &Event) -> Self {
        self.metadata.correlation_id.clone_from(&parent.metadata.correlation_id);
        self.metadata.causation_id = Some(parent.id);
        self.metadata.traceparent.clone_from(&parent.metadata.traceparent);
        self.metadata.hops = parent.metadata.hops.saturating_add(1);
        self
    }

    /// Sets the key under which a repeat is recognised.
    pub fn deduplicated(
        mut self,
        scope: impl Into<String>,
        key: impl Into<String>,
        body_hash: [u8; 32],
    ) -> Self {
        let key = key.into();
        self.metadata.idempotency_key = Some(key.clone());
        self.dedupe = Some(Dedupe { scope: scope.into(), key, body_hash });
        self
    }
}
