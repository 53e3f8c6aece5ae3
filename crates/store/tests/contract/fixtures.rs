//! Events, keys and times to test with.

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::{Event, EventType, Metadata, Org, Payload};
use omni_store::{
    Store,
    events::{self, Committed, NewEvent, NewKey},
    outbox,
};
use uuid::Uuid;

/// A fixed time, with microseconds.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_795_255_200_123_456).unwrap()
}

pub(crate) fn later(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// An id that ascends with its number.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

pub(crate) fn event(number: u128, event_type: &str) -> Event {
    Event {
        id: id(number),
        event_type: EventType::parse(event_type).unwrap(),
        source: "test".into(),
        time: now(),
        received_at: now(),
        payload: Payload::parse(format!(r#"{{"n": {number}}}"#).into()).unwrap(),
        schema_version: None,
        metadata: Metadata { correlation_id: format!("c-{number}"), ..Metadata::default() },
    }
}

pub(crate) fn of_org(org: &str, event: Event) -> Event {
    let org = Org::parse(org).unwrap();
    Event { metadata: Metadata { org, ..event.metadata }, ..event }
}

pub(crate) fn plain(event: Event) -> NewEvent {
    NewEvent::new(event, None, None)
}

pub(crate) fn keyed(event: Event, key: &str, body: u8) -> NewEvent {
    let dedupe = NewKey {
        scope: "webhook:github".into(),
        key: key.into(),
        body_hash: [body; 32],
        expires_at: later(60),
    };
    NewEvent::new(event, Some(dedupe), None)
}

pub(crate) async fn writer(store: &Store) -> i64 {
    let mut conn = store.write().await.unwrap();
    outbox::claim_writer(&mut conn, "test", now()).await.unwrap()
}

pub(crate) async fn commit(store: &Store, writer: i64, batch: &[NewEvent]) -> Vec<Committed> {
    let mut conn = store.write().await.unwrap();
    events::commit_batch(&mut conn, writer, 0, now(), batch).await.unwrap()
}

/// The sequence of an event that must be new.
pub(crate) fn sequence(answer: Committed) -> i64 {
    match answer {
        Committed::New { sequence } => sequence,
        other => panic!("the event is not new: {other:?}"),
    }
}
