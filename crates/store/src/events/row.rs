//! An event as columns: out of the envelope on its way in, back into it on its way out.

#![expect(
    clippy::ref_option_ref,
    reason = "diesel's derive takes references to optional references"
)]

use bytes::Bytes;
use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use omni_events::{Direction, Event, EventType, Metadata, Org, Payload, Priority};
use uuid::Uuid;

use crate::{
    Error, Result,
    dual::Dual,
    schema::{event_payloads as p, omni_events as e},
};

use super::{NewEvent, NewPayload};

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
    payload: &'a str,
    schema_version: Option<i32>,
    channel_type: Option<&'a str>,
    instance_id: Option<&'a str>,
    correlation_id: &'a str,
    causation_id: Option<Uuid>,
    traceparent: Option<&'a str>,
    hops: i32,
    priority: Option<&'a str>,
    triggered_by: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    replay_of: Option<Uuid>,
    provider: Option<&'a str>,
    provider_event_id: Option<&'a str>,
    direction: Option<&'a str>,
    writer: i64,
}

impl<'a> NewRow<'a> {
    pub(crate) fn new(event: &'a Event, sequence: i64, writer: i64) -> Self {
        let m = &event.metadata;
        Self {
            sequence,
            id: event.id,
            org: m.org.as_str(),
            event_type: event.event_type.as_str(),
            source: &event.source,
            occurred_at: event.time,
            received_at: event.received_at,
            payload: event.payload.as_str(),
            schema_version: event.schema_version,
            channel_type: m.channel_type.as_deref(),
            instance_id: m.instance_id.as_deref(),
            correlation_id: &m.correlation_id,
            causation_id: m.causation_id,
            traceparent: m.traceparent.as_deref(),
            hops: i32::from(m.hops),
            priority: m.priority.map(Priority::as_str),
            triggered_by: m.triggered_by.as_deref(),
            idempotency_key: m.idempotency_key.as_deref(),
            replay_of: m.replay_of,
            provider: m.provider.as_deref(),
            provider_event_id: m.provider_event_id.as_deref(),
            direction: m.direction.map(Direction::as_str),
            writer,
        }
    }
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
    payload: String,
    schema_version: Option<i32>,
    channel_type: Option<String>,
    instance_id: Option<String>,
    correlation_id: String,
    causation_id: Option<Uuid>,
    traceparent: Option<String>,
    hops: i32,
    priority: Option<String>,
    triggered_by: Option<String>,
    idempotency_key: Option<String>,
    replay_of: Option<Uuid>,
    provider: Option<String>,
    provider_event_id: Option<String>,
    direction: Option<String>,
}

impl StoredRow {
    pub(crate) fn event_type(&self) -> Result<EventType> {
        EventType::parse(&self.event_type).map_err(|error| corrupt("event_type", error))
    }

    /// Puts the envelope together again.
    pub(crate) fn into_event(self) -> Result<Event> {
        let event_type = self.event_type()?;
        let priority = self.priority.as_deref().map(Priority::parse).transpose();
        let direction = self.direction.as_deref().map(Direction::parse).transpose();
        let metadata = Metadata {
            org: Org::parse(&self.org).map_err(|error| corrupt("org", error))?,
            channel_type: self.channel_type,
            instance_id: self.instance_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            traceparent: self.traceparent,
            hops: u16::try_from(self.hops).map_err(|error| corrupt("hops", error))?,
            priority: priority.map_err(|error| corrupt("priority", error))?,
            triggered_by: self.triggered_by,
            idempotency_key: self.idempotency_key,
            replay_of: self.replay_of,
            provider: self.provider,
            provider_event_id: self.provider_event_id,
            direction: direction.map_err(|error| corrupt("direction", error))?,
        };
        Ok(Event {
            id: self.id,
            event_type,
            source: self.source,
            time: self.occurred_at,
            received_at: self.received_at,
            payload: Payload::parse(Bytes::from(self.payload))
                .map_err(|error| corrupt("payload", error))?,
            schema_version: self.schema_version,
            metadata,
        })
    }
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
    org: &'a str,
    content_type: Option<&'a str>,
    headers: &'a str,
    body: Option<&'a [u8]>,
    created_at: DateTime<Utc>,
}

impl<'a> CaptureRow<'a> {
    pub(crate) fn new(new: &'a NewEvent, capture: &'a NewPayload) -> Self {
        Self {
            event_id: new.event.id,
            stage: &capture.stage,
            org: new.event.metadata.org.as_str(),
            content_type: capture.content_type.as_deref(),
            headers: &capture.headers,
            body: capture.body.as_deref(),
            created_at: new.event.received_at,
        }
    }
}
