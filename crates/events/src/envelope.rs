//! The envelope: an event with everything that is known about it besides what happens to it later.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Direction, EventType, Org, Payload, Priority, time::millis};

/// Something that happened, as it is stored, published and shown.
///
/// It never changes: outcomes and retries are kept beside it, replays are new events that point at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// UUIDv7, so ids ascend with time.
    pub id: Uuid,
    /// What kind of thing happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Who said so: `webhook:github`, `api`, `automation:vip-fast`.
    pub source: String,
    /// When it happened, by the sender's clock where the sender gave a time.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub time: DateTime<Utc>,
    /// When this installation took it in.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub received_at: DateTime<Utc>,
    /// What was sent, byte for byte.
    pub payload: Payload,
    /// The version of the schema the payload was checked against, if its type has one.
    #[serde(default)]
    pub schema_version: Option<i32>,
    /// Where it belongs and what caused it.
    pub metadata: Metadata,
}

/// Where an event belongs, what caused it, and how it travelled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The tenant.
    pub org: Org,
    /// The kind of channel, such as `whatsapp`; a part of the subject.
    #[serde(default)]
    pub channel_type: Option<String>,
    /// The instance of the channel, such as `wa-001`; a part of the subject.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// Shared by everything that one cause set off.
    pub correlation_id: String,
    /// The event that caused this one.
    #[serde(default)]
    pub causation_id: Option<Uuid>,
    /// W3C trace context of the request that brought it.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// How many events stand between this one and one that came from outside.
    #[serde(default)]
    pub hops: u16,
    /// How urgent the sender says it is.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// The person or system that triggered it by hand.
    #[serde(default)]
    pub triggered_by: Option<String>,
    /// The key under which a repeat is recognised.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The event that this one replays.
    #[serde(default)]
    pub replay_of: Option<Uuid>,
    /// The provider whose format the payload has, such as `github`.
    #[serde(default)]
    pub provider: Option<String>,
    /// The provider's own id for it.
    #[serde(default)]
    pub provider_event_id: Option<String>,
    /// Which way it went.
    #[serde(default)]
    pub direction: Option<Direction>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_json() {
        let time = DateTime::parse_from_rfc3339("2026-11-21T10:00:00.123Z").unwrap().to_utc();
        let event = Event {
            id: Uuid::from_u128(7),
            event_type: EventType::parse("custom.order.paid").unwrap(),
            source: "api".into(),
            time,
            received_at: time,
            payload: Payload::parse(br#"{"total": 10.50}"#.to_vec().into()).unwrap(),
            schema_version: None,
            metadata: Metadata { correlation_id: "c-1".into(), ..Metadata::default() },
        };
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""payload":{"total": 10.50}"#), "{json}");
        assert!(json.contains(r#""receivedAt":"2026-11-21T10:00:00.123Z""#), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        assert_eq!(crate::subject(&event), "custom.order.paid._._");
    }
}
