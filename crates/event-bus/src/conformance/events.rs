//! Events for checks, and what handlers saw of them.

use omni_events::{Event, EventType, Metadata, Org, Payload};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Received;

/// An event with a number in its id.
pub(super) fn event(event_type: &str, number: u64, payload: &str) -> Event {
    let time = chrono::DateTime::UNIX_EPOCH;
    Event {
        id: Uuid::from_u128(u128::from(number) << 64),
        event_type: EventType::parse(event_type).expect("a type"),
        source: "conformance".into(),
        time,
        received_at: time,
        payload: Payload::parse(payload.to_owned().into()).expect("a payload"),
        schema_version: None,
        metadata: Metadata {
            org: Org::default(),
            correlation_id: "c".into(),
            ..Metadata::default()
        },
    }
}

/// What a handler was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) attempt: u32,
}

impl Seen {
    pub(super) fn of(received: &Received) -> Self {
        let number = (received.event.id.as_u128() >> 64) as u64;
        Self { number, attempt: received.attempt }
    }
}

/// Where handlers say what they were given.
pub(super) fn seen() -> (mpsc::UnboundedSender<Seen>, mpsc::UnboundedReceiver<Seen>) {
    mpsc::unbounded_channel()
}
