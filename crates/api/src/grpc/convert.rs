//! Between the messages of `omni.v1` and our own types. Empty text in a request means that nothing was given.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use omni_events::{Direction, Event, Metadata, Priority, Replay};
use omni_proto::{self as proto, Timestamp};
use omni_store::expunges::ExpungeRow;
use omni_store::{
    events::{Outcome, StoredEvent},
    scheduled::{CANCELLED, Scheduled},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{operations, problem::Problem};

pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}

pub(super) fn time(
    pointer: &str,
    timestamp: Option<Timestamp>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(Timestamp { seconds, nanos }) = timestamp else { return Ok(None) };
    u32::try_from(nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(seconds, nanos))
        .map(Some)
        .ok_or_else(|| Problem::field(pointer, "it is no time that exists"))
}

/// Text, unless it is empty.
pub(super) fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A limit, unless it is 0.
pub(super) fn limit(limit: i32) -> Option<i64> {
    (limit != 0).then_some(i64::from(limit))
}

/// An id as a filter, unless it is empty.
pub(super) fn filter_id(pointer: &str, text: &str) -> Result<Option<Uuid>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = Uuid::try_parse(text);
    parsed.map(Some).map_err(|_| Problem::field(pointer, "it is not a UUID"))
}

/// A document as JSON text.
pub(super) fn json(document: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(document)
        .map(Bytes::from)
        .map_err(|error| Problem::internal("Writing the answer", &error))
}

fn unknown(pointer: &str) -> Problem {
    Problem::field(pointer, "this version does not know the value")
}

pub(super) fn direction(value: i32) -> Result<Option<Direction>, Problem> {
    match proto::Direction::try_from(value).map_err(|_| unknown("/direction"))? {
        proto::Direction::Unspecified => Ok(None),
        proto::Direction::Inbound => Ok(Some(Direction::Inbound)),
        proto::Direction::Outbound => Ok(Some(Direction::Outbound)),
        proto::Direction::System => Ok(Some(Direction::System)),
    }
}

pub(super) fn priority(value: i32) -> Result<Option<Priority>, Problem> {
    match proto::Priority::try_from(value).map_err(|_| unknown("/priority"))? {
        proto::Priority::Unspecified => Ok(None),
        proto::Priority::Low => Ok(Some(Priority::Low)),
        proto::Priority::Normal => Ok(Some(Priority::Normal)),
        proto::Priority::High => Ok(Some(Priority::High)),
        proto::Priority::Critical => Ok(Some(Priority::Critical)),
    }
}

fn direction_message(direction: Direction) -> proto::Direction {
    match direction {
        Direction::Inbound => proto::Direction::Inbound,
        Direction::Outbound => proto::Direction::Outbound,
        Direction::System => proto::Direction::System,
    }
}

fn priority_message(priority: Priority) -> proto::Priority {
    match priority {
        Priority::Low => proto::Priority::Low,
        Priority::Normal => proto::Priority::Normal,
        Priority::High => proto::Priority::High,
        Priority::Critical => proto::Priority::Critical,
    }
}

pub(super) fn event(stored: StoredEvent) -> proto::Event {
    let StoredEvent { sequence, event, outcome, is_expunged } = stored;
    let Event { id, event_type, source, time, received_at, payload, schema_version, metadata: m } =
        event;
    proto::Event {
        id: id.to_string(),
        sequence,
        r#type: event_type.into(),
        source,
        time: Some(timestamp(time)),
        received_at: Some(timestamp(received_at)),
        payload: payload.as_bytes().clone(),
        schema_version,
        metadata: Some(metadata(m)),
        outcome: outcome.map(outcome_message),
        expunged: is_expunged.then(proto::EventExpunged::default),
        scheduled_at: None,
    }
}

/// An event that has not happened.
pub(super) fn scheduled(scheduled: Scheduled) -> proto::Event {
    let status = operations::scheduled::status(&scheduled);
    let Scheduled { event, due_at, changed_at, .. } = scheduled;
    let stored = StoredEvent { sequence: 0, event, outcome: None, is_expunged: false };
    proto::Event {
        outcome: Some(proto::EventOutcome {
            status: status.to_owned(),
            processed_at: (status == CANCELLED).then(|| timestamp(changed_at)),
            ..proto::EventOutcome::default()
        }),
        scheduled_at: Some(timestamp(due_at)),
        ..self::event(stored)
    }
}

/// Adds when and why the payload was taken out.
pub(super) fn expunged(mut event: proto::Event, row: Option<ExpungeRow>) -> proto::Event {
    if let Some(row) = row {
        let at = Some(timestamp(row.expunged_at));
        event.expunged = Some(proto::EventExpunged { at, reason: row.reason });
    }
    event
}

fn metadata(metadata: Metadata) -> proto::EventMetadata {
    proto::EventMetadata {
        org: metadata.org.into(),
        channel_type: metadata.channel_type,
        instance_id: metadata.instance_id,
        correlation_id: metadata.correlation_id,
        causation_id: metadata.causation_id.map(|id| id.to_string()),
        traceparent: metadata.traceparent,
        hops: metadata.hops.into(),
        priority: metadata.priority.map_or(0, |p| priority_message(p).into()),
        triggered_by: metadata.triggered_by,
        idempotency_key: metadata.idempotency_key,
        replay_of: metadata.replay_of.map(|id| id.to_string()),
        provider: metadata.provider,
        provider_event_id: metadata.provider_event_id,
        direction: metadata.direction.map_or(0, |d| direction_message(d).into()),
        sender_identity_id: metadata.sender_identity_id.map(|id| id.to_string()),
        sender_handle: metadata.sender_handle,
        recipient_identity_id: metadata.recipient_identity_id.map(|id| id.to_string()),
        recipient_handle: metadata.recipient_handle,
        content_type: metadata.content_type,
        content_text: metadata.content_text,
        content_media_url: metadata.content_media_url,
        extra: metadata.extra.map(|extra| extra.as_bytes().clone()).unwrap_or_default(),
        replay: metadata.replay.map(|replay| replay_message(&replay)),
    }
}

fn replay_message(replay: &Replay) -> proto::EventReplay {
    proto::EventReplay {
        id: replay.id.to_string(),
        automation_id: replay.automation_id.map(|id| id.to_string()),
        repeat_effects: replay.repeat_effects,
        dead_letter: replay.dead_letter,
    }
}

fn outcome_message(outcome: Outcome) -> proto::EventOutcome {
    let Outcome { status, retry_count, processed_at, executions, error } = outcome;
    let processed_at = Some(timestamp(processed_at));
    proto::EventOutcome { status, retry_count, processed_at, executions, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_and_nonsense_is_refused() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_000_000).unwrap();
        assert_eq!(time("/from", Some(timestamp(at))).unwrap(), Some(at));
        assert!(time("/from", Some(Timestamp { seconds: 0, nanos: -1 })).is_err());
        assert!(time("/from", Some(Timestamp { seconds: i64::MAX, nanos: 0 })).is_err());
    }

    #[test]
    fn words_survive() {
        for word in [Priority::Low, Priority::Normal, Priority::High, Priority::Critical] {
            assert_eq!(priority(priority_message(word).into()).unwrap(), Some(word));
        }
        for word in [Direction::Inbound, Direction::Outbound, Direction::System] {
            assert_eq!(direction(direction_message(word).into()).unwrap(), Some(word));
        }
        assert_eq!(priority(0).unwrap(), None);
        assert!(direction(99).is_err());
    }
}
