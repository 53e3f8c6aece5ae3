//! The events: half deliveries of webhooks, half messages of a chat, each with a payload of one KiB.
//!
//! Everything about an event follows from the seed and its number, so the queries know what is there without looking.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use omni_event_log::{Capture, Dedupe, Draft, Stage};
use omni_events::{Direction, Event, EventType, Metadata, Org, Payload};
use omni_store::events::{NewEvent, NewKey, NewPayload};
use uuid::Uuid;

use crate::{
    payloads::{self, Chat},
    words::{Words, zipf},
};

/// Persons who write.
pub(crate) const IDENTITIES: u64 = 200_000;
/// Channels on which they write.
pub(crate) const INSTANCES: u64 = 50;
/// Tenants, and how many of ten events each has.
const ORGS: [(&str, u64); 3] = [("default", 7), ("acme", 2), ("globex", 1)];
/// What webhooks tell, and how many of ten each.
const WEBHOOKS: [(&str, u64); 4] =
    [("push", 5), ("pull_request", 2), ("workflow_run", 2), ("issues", 1)];

/// Longest that a key is known and that a raw request is kept, in the product's own settings.
const KEYS_KEPT: TimeDelta = TimeDelta::days(7);
const CAPTURES_KEPT: TimeDelta = TimeDelta::days(14);

/// Events without end.
#[derive(Clone)]
pub(crate) struct Events {
    seed: u64,
    words: Arc<Words>,
    orgs: [Org; 3],
}

/// What the queries ask for.
pub(crate) struct About {
    pub(crate) org: Org,
    pub(crate) event_type: EventType,
    pub(crate) provider_event_id: String,
    /// Of a message: who wrote or was written to, and on which channel.
    pub(crate) person: Option<Uuid>,
    pub(crate) instance: Option<String>,
    /// Some words of what was written.
    pub(crate) words: Option<String>,
}

impl Events {
    pub(crate) fn new(seed: u64) -> Self {
        let words = Arc::new(Words::new(&mut Rng::with_seed(seed)));
        let orgs = ORGS.map(|(name, _)| Org::parse(name).unwrap());
        Self { seed, words, orgs }
    }

    /// An event before it is accepted, as the intake of webhooks and the channels hand it over.
    pub(crate) fn draft(&self, number: u64) -> Draft {
        let parts = self.parts(number);
        let mut draft = Draft::new(
            parts.metadata.org.clone(),
            parts.event_type,
            parts.source,
            Payload::parse(parts.payload.into()).unwrap(),
        );
        draft.metadata = parts.metadata;
        if let Some(headers) = parts.headers {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let kind = Some("application/json");
            draft.capture = Some(Capture::new(Stage::WebhookRaw, kind, headers, None));
            self.rename(&mut draft, number);
        }
        draft
    }

    /// Makes another event of a delivery that was prepared: a new delivery id, and the key that goes with it.
    pub(crate) fn rename(&self, draft: &mut Draft, number: u64) {
        if draft.capture.is_some() {
            let delivery = self.delivery(number);
            draft.metadata.provider_event_id = Some(delivery.clone());
            draft.metadata.idempotency_key = Some(delivery.clone());
            let (scope, body_hash) = (draft.source.clone(), self.hash(number));
            draft.dedupe = Some(Dedupe { scope, key: delivery, body_hash });
        }
    }

    /// An event as it was committed at a moment; what has expired by `now` was not kept.
    pub(crate) fn committed(&self, number: u64, at: DateTime<Utc>, now: DateTime<Utc>) -> NewEvent {
        let parts = self.parts(number);
        let id = uuid_v7(at, self.mixed(number, 1));
        let mut metadata = parts.metadata;
        metadata.correlation_id = id.to_string();
        let age = now - at;
        let (mut dedupe, mut capture) = (None, None);
        if let Some(headers) = parts.headers {
            metadata.idempotency_key.clone_from(&metadata.provider_event_id);
            let key = metadata.provider_event_id.clone().unwrap_or_default();
            let (scope, body_hash) = (parts.source.clone(), self.hash(number));
            let expires_at = at + KEYS_KEPT;
            dedupe = (age < KEYS_KEPT).then_some(NewKey { scope, key, body_hash, expires_at });
            capture = (age < CAPTURES_KEPT).then(|| {
                let headers = serde_json::to_string(&headers).unwrap();
                let kind = Some("application/json".to_owned());
                let mut capture = NewPayload::new("webhook_raw", kind, headers, None);
                capture.expires_at = Some(at + CAPTURES_KEPT);
                capture
            });
        }
        let event = Event {
            id,
            event_type: parts.event_type,
            source: parts.source,
            time: at,
            received_at: at,
            payload: Payload::parse(parts.payload.into()).unwrap(),
            schema_version: None,
            metadata,
        };
        NewEvent::new(event, dedupe, capture)
    }

    /// What there is to ask about an event.
    pub(crate) fn about(&self, number: u64) -> About {
        let Parts { event_type, metadata, .. } = self.parts(number);
        let inbound = metadata.direction == Some(Direction::Inbound);
        let person =
            if inbound { metadata.sender_identity_id } else { metadata.recipient_identity_id };
        About {
            org: metadata.org,
            event_type,
            provider_event_id: metadata.provider_event_id.unwrap(),
            person,
            instance: metadata.instance_id,
            words: metadata.content_text.map(|text| {
                let words: Vec<_> = text.split(' ').take(2).collect();
                words.join(" ")
            }),
        }
    }

    fn parts(&self, number: u64) -> Parts {
        let mut rng = Rng::with_seed(self.mixed(number, 0));
        let org = self.orgs[weighted(&mut rng, &ORGS)].clone();
        if number.is_multiple_of(2) {
            self.webhook(number, org, rng)
        } else {
            self.message(org, rng)
        }
    }

    fn webhook(&self, number: u64, org: Org, mut rng: Rng) -> Parts {
        let (name, _) = WEBHOOKS[weighted(&mut rng, &WEBHOOKS)];
        let delivery = self.delivery(number);
        let metadata = Metadata {
            org,
            provider: Some("github".to_owned()),
            provider_event_id: Some(delivery.clone()),
            direction: Some(Direction::Inbound),
            ..Metadata::default()
        };
        Parts {
            event_type: EventType::parse(&format!("custom.webhook.github.{name}")).unwrap(),
            source: "webhook:github".to_owned(),
            payload: payloads::delivery(&self.words, &mut rng),
            headers: Some(payloads::headers(name, delivery)),
            metadata,
        }
    }

    fn message(&self, org: Org, mut rng: Rng) -> Parts {
        let (person, instance) = (zipf(&mut rng, IDENTITIES), rng.u64(..INSTANCES));
        let inbound = rng.u8(..10) < 6;
        let chat = Chat {
            message_id: format!("3EB0{:016X}", rng.u64(..)),
            person: payloads::telephone(person),
            text: {
                let words = 3 + zipf(&mut rng, 40) as usize;
                self.words.text(&mut rng, words)
            },
            inbound,
        };
        let ours = (identity(IDENTITIES + instance), payloads::telephone(IDENTITIES + instance));
        let theirs = (identity(person), chat.person.clone());
        let (sender, recipient) = if inbound { (theirs, ours) } else { (ours, theirs) };
        let metadata = Metadata {
            org,
            channel_type: Some("whatsapp".to_owned()),
            instance_id: Some(format!("wa-{instance:03}")),
            provider: Some("whatsapp".to_owned()),
            provider_event_id: Some(chat.message_id.clone()),
            direction: Some(if inbound { Direction::Inbound } else { Direction::Outbound }),
            sender_identity_id: Some(sender.0),
            sender_handle: Some(sender.1),
            recipient_identity_id: Some(recipient.0),
            recipient_handle: Some(recipient.1),
            content_type: Some("text".to_owned()),
            content_text: Some(chat.text.clone()),
            ..Metadata::default()
        };
        let name = if inbound { "message.received" } else { "message.sent" };
        Parts {
            event_type: EventType::parse(name).unwrap(),
            source: "channel:whatsapp".to_owned(),
            payload: payloads::message(&chat, &self.words, &mut rng),
            headers: None,
            metadata,
        }
    }

    fn delivery(&self, number: u64) -> String {
        Uuid::from_u64_pair(self.mixed(number, 2), self.mixed(number, 3)).to_string()
    }

    fn hash(&self, number: u64) -> [u8; 32] {
        let mut hash = [0; 32];
        for (place, part) in hash.chunks_mut(8).enumerate() {
            part.copy_from_slice(&self.mixed(number, 4 + place as u64).to_le_bytes());
        }
        hash
    }

    /// A number that looks like chance and is always the same.
    fn mixed(&self, number: u64, salt: u64) -> u64 {
        mix(self.seed ^ mix(number ^ mix(salt)))
    }
}

struct Parts {
    event_type: EventType,
    source: String,
    payload: String,
    /// Of a request that is captured.
    headers: Option<Vec<(String, String)>>,
    metadata: Metadata,
}

fn weighted(rng: &mut Rng, choices: &[(&str, u64)]) -> usize {
    let all: u64 = choices.iter().map(|(_, weight)| weight).sum();
    let mut place = rng.u64(..all);
    for (choice, (_, weight)) in choices.iter().enumerate() {
        if place < *weight {
            return choice;
        }
        place -= weight;
    }
    0
}

fn identity(number: u64) -> Uuid {
    uuid::Builder::from_random_bytes(Uuid::from_u64_pair(mix(number), mix(!number)).into_bytes())
        .into_uuid()
}

fn uuid_v7(at: DateTime<Utc>, random: u64) -> Uuid {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.to_le_bytes());
    bytes[8..].copy_from_slice(&mix(random).to_le_bytes()[..2]);
    let millis = u64::try_from(at.timestamp_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

/// SplitMix64.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
