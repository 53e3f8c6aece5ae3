//! From a message on `in.{org}.{source}` to a draft, or to the reason why it is none. Pure.
//!
//! Whatever the sender writes, the type stays under `custom.` and the organisation is the one of the subject: who may
//! publish there is decided by the permissions of the NATS server.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use omni_crypto::sha256;
use omni_event_log::{Capture, Draft, Stage};
use omni_events::{CloudEvent, Direction, EventType, Org, Payload};
use serde_json::json;

use crate::webhook::headers;

/// The part of a subject before the organisation.
const IN: &str = "in";
/// Longest name of a source, in bytes: with its prefix it is a label and the scope of keys.
const SOURCE_LEN_MAX: usize = 64;
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

/// Makes a draft of a message; the error says what to do about it.
pub(super) fn draft(
    subject: &str,
    message_headers: &[(String, String)],
    data: &Bytes,
) -> Result<Draft, String> {
    let (org, source) = address(subject)?;
    let pairs = message_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let event = CloudEvent::from_message(pairs, data).map_err(|error| chain(&error))?;
    for (name, value) in [("id", &event.id), ("source", &event.source)] {
        if value.len() > NAME_LEN_MAX {
            return Err(format!("the attribute `{name}` is longer than {NAME_LEN_MAX} bytes"));
        }
    }
    let event_type = event_type(&event.event_type)?;
    let payload = payload(&event)?;
    let label = format!("bridge:{source}");
    let mut draft = Draft::new(org, event_type, label.clone(), payload);
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
    metadata.hops = extension(HOPS).map_or(Ok(0), hops)?;
    metadata.direction = Some(Direction::Inbound);
    metadata.provider = Some(event.source.clone());
    metadata.provider_event_id = Some(event.id.clone());
    draft.capture = Some(capture(&draft.payload, message_headers, data));
    // Another time or another tracing header does not make a repeat another event.
    let body_hash = sha256(&[event.event_type.as_bytes(), b"\0", &event.data]);
    Ok(draft.deduplicated(label, key(&event), body_hash))
}

/// The organisation and the source in a subject `[{prefix}.]in.{org}.{source}`.
fn address(subject: &str) -> Result<(Org, &str), String> {
    let mut parts = subject.rsplit('.');
    let (Some(source), Some(org), Some(IN)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("the subject `{subject}` is not `in.{{org}}.{{source}}`"));
    };
    let org = Org::parse(org).map_err(|error| format!("the subject `{subject}`: {error}"))?;
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if source.is_empty() || source.len() > SOURCE_LEN_MAX || !source.bytes().all(good) {
        return Err(format!(
            "the subject `{subject}`: `{source}` is not a source: use 1 to {SOURCE_LEN_MAX} of a-z, 0-9, `-` and `_`"
        ));
    }
    Ok((org, source))
}

/// `com.example.Order/Paid` becomes `custom.com.example.order-paid`; what is under `custom.` already stays there.
fn event_type(name: &str) -> Result<EventType, String> {
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

fn capture(payload: &Payload, message_headers: &[(String, String)], data: &Bytes) -> Capture {
    let content_type =
        message_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let pairs = message_headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let content_type = content_type.map(|(_, value)| value.as_str());
    let capture = Capture::new(Stage::WebhookRaw, content_type, pairs, None);
    if payload.as_bytes() == data { capture } else { capture.with_body(data.clone()) }
}

/// An error with its causes, for the dead letter.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
