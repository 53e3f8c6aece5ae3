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
    /// Which replay that was, and what it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Box<Replay>>,
    /// The provider whose format the payload has, such as `github`.
    #[serde(default)]
    pub provider: Option<String>,
    /// The provider's own id for it.
    #[serde(default)]
    pub provider_event_id: Option<String>,
    /// Which way it went.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// The person who sent it, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_identity_id: Option<Uuid>,
    /// The sender as the channel names them: a telephone number, a user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_handle: Option<String>,
    /// The person whom it was sent to, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_identity_id: Option<Uuid>,
    /// The recipient as the channel names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_handle: Option<String>,
    /// What kind of content it has: `text`, `image`, `audio`, `sticker`, `location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The text that it carries, for search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_text: Option<String>,
    /// Where its media can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_media_url: Option<String>,
    /// What else is known in a form of its own, as a JSON object: reactions, edits, threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Payload>,
}

/// What a replay asked for; every event that it makes carries it, so whoever handles the event needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The replay; for the retry of a dead letter, the dead letter.
    pub id: Uuid,
    /// The one automation that is to see the event; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<Uuid>,
    /// Do again what succeeded before. Otherwise actions that succeeded for the original event are left out, and the others
    /// keep the effect keys they had.
    #[serde(default)]
    pub repeat_effects: bool,
    /// It is the retry of a dead letter, so its failure belongs to that one and makes no new one.
    #[serde(default)]
    pub dead_letter: bool,
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
