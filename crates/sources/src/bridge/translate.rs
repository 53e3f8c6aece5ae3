//! From a message on `in.{org}.{source}` to a draft, or to the reason why it is none. Pure.
//!
//! Whatever the sender writes, the organisation is the one of the subject: who may publish there is decided by the
//! permissions of the NATS server.

use bytes::Bytes;
use omni_event_log::{Capture, Draft};
use omni_events::{CloudEvent, Org, Payload};

use crate::cloudevent;

/// The part of a subject before the organisation.
const IN: &str = "in";
/// Longest name of a source, in bytes: with its prefix it is a label and the scope of keys.
const SOURCE_LEN_MAX: usize = 64;

/// Makes a draft of a message; the error says what to do about it.
pub(super) fn draft(
    subject: &str,
    message_headers: &[(String, String)],
    data: &Bytes,
) -> Result<Draft, String> {
    let (org, source) = address(subject)?;
    let pairs = message_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let event = CloudEvent::from_message(pairs, data).map_err(|error| chain(&error))?;
    let draft = cloudevent::draft(org, &format!("bridge:{source}"), &event);
    let mut draft = draft.map_err(|fault| fault.message)?;
    draft.capture = Some(capture(&draft.payload, message_headers, data));
    Ok(draft)
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

fn capture(payload: &Payload, message_headers: &[(String, String)], data: &Bytes) -> Capture {
    let content_type =
        message_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let pairs = message_headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    cloudevent::capture(payload, pairs, content_type.map(|(_, value)| value.as_str()), data)
}

/// An error with its causes, for the dead letter.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
