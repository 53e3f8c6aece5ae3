//! What a body says: JSON as it is, forms and uploads as JSON, CloudEvents as what they are, and all else as it came.
//!
//! What must stay true: this is only asked after the proof, which is over the bytes as received; a body is parsed once;
//! and what is made of it is bounded by its own size. Nothing is decompressed: a few bytes would become millions.

mod cloud_events;
mod form;
mod multipart;
mod raw;

use std::cell::OnceCell;

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use omni_events::{CloudEvent, InvalidJson, Payload};
use serde_json::Value;

/// What stands in a body.
#[derive(Debug)]
pub(crate) enum Content {
    /// One event's payload.
    Payload(Payload),
    /// One event with a name, an id and a source of its own.
    CloudEvent(Box<CloudEvent>),
    /// Several of them in order, each with its text.
    CloudEvents(Vec<(CloudEvent, Bytes)>),
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It says that it is JSON.
    #[error("The body is not JSON: {0}.")]
    Json(#[from] InvalidJson),
    #[error("The body has the Content-Encoding `{0}`; send it as it is.")]
    Encoded(String),
    /// It is not what its content type says.
    #[error("{0}")]
    Other(String),
}

/// A payload that is parsed into a tree when somebody looks inside, and then only once.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) payload: Payload,
    tree: OnceCell<Value>,
}

impl Document {
    pub(crate) fn new(payload: Payload) -> Self {
        Self { payload, tree: OnceCell::new() }
    }

    pub(crate) fn tree(&self) -> &Value {
        self.tree.get_or_init(|| self.payload.to_value())
    }

    /// The text at a member of the outermost object.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.tree().get(member)?.as_str()
    }
}

/// Reads a body by its content type. An object or array of JSON is taken as JSON whatever it is called.
pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Content, Unreadable> {
    check_encoding(headers)?;
    let said = said(headers);
    let kind = essence(said);
    if let Some(content) = cloud_events::read(headers, kind, body)? {
        return Ok(content);
    }
    payload(kind, said, body).map(Content::Payload)
}

fn payload(kind: &str, said: &str, body: &Bytes) -> Result<Payload, Unreadable> {
    if body.is_empty() {
        return Ok(Payload::default());
    }
    if is_json(kind) {
        return Ok(Payload::parse(body.clone())?);
    }
    if kind.eq_ignore_ascii_case("multipart/form-data") {
        return multipart::read(said, body);
    }
    // Without a name anything may be JSON; with another name only what nothing else begins with.
    if (kind.is_empty() || looks_like_json(body))
        && let Ok(payload) = Payload::parse(body.clone())
    {
        return Ok(payload);
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return form::read(body);
    }
    Ok(raw::read(kind, said, body))
}

/// Refuses what is compressed: the sender is told in the way of RFC 7694 to send it as it is.
fn check_encoding(headers: &HeaderMap) -> Result<(), Unreadable> {
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
        if let Some(coding) = text.split(',').map(str::trim).find(|coding| !plain(coding)) {
            return Err(Unreadable::Encoded(coding.chars().take(40).collect()));
        }
    }
    Ok(())
}

fn said(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The media type without its parameters.
fn essence(said: &str) -> &str {
    said.split(';').next().unwrap_or_default().trim()
}

/// Whether a media type is JSON by its name.
fn is_json(kind: &str) -> bool {
    let Some((_, subtype)) = kind.rsplit_once('/') else { return false };
    let end = subtype.get(subtype.len().saturating_sub(5)..).unwrap_or_default();
    subtype.eq_ignore_ascii_case("json") || end.eq_ignore_ascii_case("+json")
}

/// Whether a body begins as an object or array does.
pub(crate) fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests;
