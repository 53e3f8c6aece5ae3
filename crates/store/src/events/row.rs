//! An event as columns: out of the envelope on its way in, back into it on its way out.

#![expect(
    clippy::ref_option_ref,
    reason = "diesel's derive takes references to optional references"
)]

use bytes::Bytes;
use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use omni_events::{Direction, Event, EventType, Metadata, Org, Payload, Priority, Replay};
use uuid::Uuid;

use crate::{
    Error, Result,
    dual::Dual,
    pack::unpack,
    schema::{event_payloads as p, omni_events as e},
};

use super::{NewEvent, NewPayload, Place};

/// A row on its way in; it borrows the event, so that nothing is copied before the database copies it.
#[derive(Insertable)]
#[diesel(table_name = e, treat_none_as_default_value = false)]
pub(crate) struct NewRow<'a> {
    pub(crate) sequence: i64,
    pub(crate) id: Uuid,
    org: &'a str,
    event_type: &'a str,
    source: &'a str,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    payload: &'a [u8],
    schema_version: Option<i32>,
    channel_type: Option<&'a str>,
    instance_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
    causation_id: Option<Uuid>,
    traceparent: Option<&'a str>,
    hops: i32,
    priority: Option<&'a str>,
    triggered_by: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    replay_of: Option<Uuid>,
    replay: Option<String>,
    provider: Option<&'a str>,
    provider_event_id: Option<&'a str>,
    direction: Option<&'a str>,
    sender_identity_id: Option<Uuid>,
    sender_handle: Option<&'a str>,
    recipient_identity_id: Option<Uuid>,
    recipient_handle: Option<&'a str>,
    content_type: Option<&'a str>,
    content_text: Option<&'a str>,
    content_media_url: Option<&'a str>,
    extra: Option<&'a str>,
    writer: i64,
}

impl<'a> NewRow<'a> {
    pub(crate) fn new(new: &'a NewEvent, sequence: i64, writer: i64) -> Self {
        let event = &new.event;
        let m = &event.metadata;
        Self {
            sequence,
            id: event.id,
            org: m.org.as_str(),
            event_type: event.event_type.as_str(),
            source: &event.source,
            occurred_at: event.time,
            received_at: event.received_at,
            payload: &new.packed,
            schema_version: event.schema_version,
            channel_type: m.channel_type.as_deref(),
            instance_id: m.instance_id.as_deref(),
            correlation_id: (!is_own(&m.correlation_id, event.id)).then_some(&m.correlation_id),
            causation_id: m.causation_id,
            traceparent: m.traceparent.as_deref(),
            hops: i32::from(m.hops),
            priority: m.priority.map(Priority::as_str),
            triggered_by: m.triggered_by.as_deref(),
            idempotency_key: m.idempotency_key.as_deref(),
            replay_of: m.replay_of,
            replay: m.replay.as_ref().map(|replay| write_replay(replay)),
            provider: m.provider.as_deref(),
            provider_event_id: m.provider_event_id.as_deref(),
            direction: m.direction.map(Direction::as_str),
            sender_identity_id: m.sender_identity_id,
            sender_handle: m.sender_handle.as_deref(),
            recipient_identity_id: m.recipient_identity_id,
            recipient_handle: m.recipient_handle.as_deref(),
            content_type: m.content_type.as_deref(),
            content_text: m.content_text.as_deref(),
            content_media_url: m.content_media_url.as_deref(),
            extra: m.extra.as_ref().map(Payload::as_str),
            writer,
        }
    }
}

/// Whether a correlation id is the event's own, which most are; then it takes no room.
fn is_own(correlation_id: &str, id: Uuid) -> bool {
    let mut text = Uuid::encode_buffer();
    correlation_id == &*id.hyphenated().encode_lower(&mut text)
}

/// A replay holds ids and flags, which can always be written.
fn write_replay(replay: &Replay) -> String {
    serde_json::to_string(replay).unwrap_or_default()
}

/// A row on its way out, in the order of the columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = e, check_for_backend(Dual))]
pub(crate) struct StoredRow {
    pub(crate) sequence: i64,
    pub(crate) id: Uuid,
    org: String,
    event_type: String,
    source: String,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    payload: Vec<u8>,
    schema_version: Option<i32>,
    channel_type: Option<String>,
    instance_id: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<Uuid>,
    traceparent: Option<String>,
    hops: i32,
    priority: Option<String>,
    triggered_by: Option<String>,
    idempotency_key: Option<String>,
    replay_of: Option<Uuid>,
    replay: Option<String>,
    provider: Option<String>,
    provider_event_id: Option<String>,
    direction: Option<String>,
    sender_identity_id: Option<Uuid>,
    sender_handle: Option<String>,
    recipient_identity_id: Option<Uuid>,
    recipient_handle: Option<String>,
    content_type: Option<String>,
    content_text: Option<String>,
    content_media_url: Option<String>,
    extra: Option<String>,
}

impl StoredRow {
    pub(crate) fn place(&self) -> Place {
        Place { received_at: self.received_at, sequence: self.sequence }
    }

    pub(crate) fn event_type(&self) -> Result<EventType> {
        EventType::parse(&self.event_type).map_err(|error| corrupt("event_type", error))
    }

    /// Puts the envelope together again; the payload of an expunged event is `null`.
    pub(crate) fn into_event(self) -> Result<Event> {
        self.into_parts().map(|(event, _)| event)
    }

    /// The envelope, and whether its payload was expunged.
    pub(crate) fn into_parts(self) -> Result<(Event, bool)> {
        let event_type = self.event_type()?;
        let priority = self.priority.as_deref().map(Priority::parse).transpose();
        let direction = self.direction.as_deref().map(Direction::parse).transpose();
        let metadata = Metadata {
            org: Org::parse(&self.org).map_err(|error| corrupt("org", error))?,
            channel_type: self.channel_type,
            instance_id: self.instance_id,
            correlation_id: self.correlation_id.unwrap_or_else(|| self.id.to_string()),
            causation_id: self.causation_id,
            traceparent: self.traceparent,
            hops: u16::try_from(self.hops).map_err(|error| corrupt("hops", error))?,
            priority: priority.map_err(|error| corrupt("priority", error))?,
            triggered_by: self.triggered_by,
            idempotency_key: self.idempotency_key,
            replay_of: self.replay_of,
            replay: self.replay.map(|text| read_replay(&text)).transpose()?,
            provider: self.provider,
            provider_event_id: self.provider_event_id,
            direction: direction.map_err(|error| corrupt("direction", error))?,
            sender_identity_id: self.sender_identity_id,
            sender_handle: self.sender_handle,
            recipient_identity_id: self.recipient_identity_id,
            recipient_handle: self.recipient_handle,
            content_type: self.content_type,
            content_text: self.content_text,
            content_media_url: self.content_media_url,
            extra: self.extra.map(|text| parse("extra", text.into_bytes())).transpose()?,
        };
        let payload = unpack(self.payload).map_err(|error| corrupt("payload", error))?;
        let is_expunged = payload.is_none();
        let payload = payload.map_or(Ok(Payload::default()), |bytes| parse("payload", bytes))?;
        let event = Event {
            id: self.id,
            event_type,
            source: self.source,
            time: self.occurred_at,
            received_at: self.received_at,
            payload,
            schema_version: self.schema_version,
            metadata,
        };
        Ok((event, is_expunged))
    }
}

fn parse(column: &'static str, bytes: Vec<u8>) -> Result<Payload> {
    Payload::kept(Bytes::from(bytes)).map_err(|error| corrupt(column, error))
}

fn read_replay(text: &str) -> Result<Box<Replay>> {
    serde_json::from_str(text).map_err(|error| corrupt("replay", error))
}

fn corrupt(column: &'static str, error: impl ToString) -> Error {
    Error::corrupt("omni_events", column, error)
}

/// What was received with an event, on its way in.
#[derive(Insertable)]
#[diesel(table_name = p, treat_none_as_default_value = false)]
pub(crate) struct CaptureRow<'a> {
    event_id: Uuid,
    stage: &'a str,
    part: i32,
    org: &'a str,
    content_type: Option<&'a str>,
    headers: &'a str,
    body: Option<&'a [u8]>,
    size: i64,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl<'a> CaptureRow<'a> {
    /// The same under another number.
    pub(crate) fn numbered(mut self, part: i32) -> Self {
        self.part = part;
        self
    }

    pub(crate) fn new(
        event_id: Uuid,
        org: &'a str,
        capture: &'a NewPayload,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            event_id,
            stage: &capture.stage,
            part: capture.part,
            org,
            content_type: capture.content_type.as_deref(),
            headers: &capture.headers,
            body: capture.body.as_deref(),
            size: capture.size,
            created_at,
            expires_at: capture.expires_at,
        }
    }
}
