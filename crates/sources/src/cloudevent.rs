//! From a CloudEvent to a draft, whichever way it came. Pure.
//!
//! Whatever the sender writes, the type stays under `custom.`: no foreign event passes for one of ours.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use omni_crypto::sha256;
use omni_event_log::{Capture, Draft, Stage};
use omni_events::{CloudEvent, Direction, EventType, Org, Payload};
use serde_json::json;

use crate::webhook::headers;

/// Longest `id` and `source` of a CloudEvent, in bytes: they are kept as labels of the event.
const NAME_LEN_MAX: usize = 256;
/// What the types of all foreign events are under.
const CUSTOM: &str = "custom";

/// Extension attributes that are understood; all others are kept with the message.
const CORRELATION: &str = "correlationid";
const TRACEPARENT: &str = "traceparent";
const CHANNEL: &str = "omnichannel";
const INSTANCE: &str = "omniinstance";
const HOPS: &str = "omnihops";

/// Why a CloudEvent cannot become an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The attribute at fault, or `data`.
    pub attribute: &'static str,
    /// What is wrong and what would be right, with the name of the attribute.
    pub message: String,
}

impl Fault {
    fn new(attribute: &'static str, message: String) -> Self {
        Self { attribute, message }
    }
}

/// Makes a draft of a CloudEvent. `label` says which way it came: it is the source of the event and the scope of its key.
///
/// The same `source` and `id` with the same type and data is the same event. The draft has no capture yet.
///
/// # Errors
/// When an attribute or the data cannot be kept.
pub fn draft(org: Org, label: &str, event: &CloudEvent) -> Result<Draft, Fault> {
    for (name, value) in [("id", &event.id), ("source", &event.source)] {
        if value.len() > NAME_LEN_MAX {
            let text = format!("the attribute `{name}` is longer than {NAME_LEN_MAX} bytes");
            return Err(Fault::new(name, text));
        }
    }
    let event_type = event_type(&event.event_type).map_err(|text| Fault::new("type", text))?;
    let payload = payload(event).map_err(|text| Fault::new("data", text))?;
    let mut draft = Draft::new(org, event_type, label, payload);
    draft.time = event.time;
    let metadata = &mut draft.metadata;
    let extension = |name: &str| event.extensions.get(name).map(String::as_str);
    let good = extension(CORRELATION).filter(|id| headers::is_correlation_id(id));
    good.unwrap_or_default().clone_into(&mut metadata.correlation_id);
    metadata.traceparent = extension(TRACEPARENT)
        .filter(|context| headers::is_traceparent(context))
        .map(str::to_owned);
    metadata.channel_type = extension(CHANNEL).map(str::to_owned);
    metadata.instance_id = extension(INSTANCE).map(str::to_owned);
    metadata.hops = extension(HOPS).map_or(Ok(0), hops).map_err(|text| Fault::new(HOPS, text))?;
    metadata.direction = Some(Direction::Inbound);
    metadata.provider = Some(event.source.clone());
    metadata.provider_event_id = Some(event.id.clone());
    // Another time or another tracing header does not make a repeat another event.
    let body_hash = sha256(&[event.event_type.as_bytes(), b"\0", &event.data]);
    Ok(draft.deduplicated(label, key(event), body_hash))
}

/// `com.example.Order/Paid` becomes `custom.com.example.order-paid`; what is under `custom.` already stays there.
pub(crate) fn event_type(name: &str) -> Result<EventType, String> {
    let letter = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '.') => c,
        _ => '-',
    };
    let text: String = name.chars().map(letter).collect();
    let parts = text.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    let mut parts: Vec<&str> = parts.collect();
    if parts.is_empty() {
        return Err("the attribute `type` has no letter or digit to make an event type of".into());
    }
    if parts.len() < 2 || parts[0] != CUSTOM {
        parts.insert(0, CUSTOM);
    }
    // It is not cut: two types that differ at their end must not become one.
    EventType::parse(&parts.join(".")).map_err(|error| format!("the attribute `type`: {error}"))
}

/// The data as it was sent if it is JSON, and in an object that says what it is if not.
fn payload(event: &CloudEvent) -> Result<Payload, String> {
    if event.data.is_empty() {
        return Ok(Payload::from_value(&json!(null)));
    }
    let kind = event.content_type.as_deref();
    if event.is_json() {
        match Payload::parse(event.data.clone()) {
            Err(fault) if kind.is_some() => return Err(format!("the data is not JSON: {fault}")),
            Err(_) => {}
            Ok(payload) => return Ok(payload),
        }
    }
    let text = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/"));
    let wrapped = match str::from_utf8(&event.data) {
        Ok(data) if text => json!({ "contentType": kind, "text": data }),
        _ => json!({ "contentType": kind, "base64": STANDARD.encode(&event.data) }),
    };
    Ok(Payload::from_value(&wrapped))
}

/// One more than the sender says, so that a chain which leaves the installation and comes back is cut, too.
fn hops(text: &str) -> Result<u16, String> {
    let hops = text.parse::<u16>();
    hops.map(|hops| hops.saturating_add(1))
        .map_err(|_| format!("the attribute `{HOPS}` must be a whole number from 0 to 65535"))
}

/// A CloudEvent is told from all others by `source` and `id`; neither can hold a zero byte.
fn key(event: &CloudEvent) -> String {
    let hash = sha256(&[event.source.as_bytes(), b"\0", event.id.as_bytes()]);
    format!("sha256:{}", hex::encode(hash))
}

/// The message that a draft was made of, to be kept beside the event: what has no place in the event is only there.
pub fn capture<'h>(
    payload: &Payload,
    message_headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    content_type: Option<&str>,
    message: &Bytes,
) -> Capture {
    let capture = Capture::new(Stage::WebhookRaw, content_type, message_headers, None);
    if payload.as_bytes() == message { capture } else { capture.with_body(message.clone()) }
}
