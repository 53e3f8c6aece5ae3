//! What was captured of an event, as the API tells it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use omni_store::{
    events::StoredEvent,
    payloads::{Body, Head, PayloadRow},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{millis, some_millis};

/// What was kept of one stage of an event's way.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) stage: String,
    pub(crate) part: i32,
    pub(crate) content_type: Option<String>,
    /// JSON text.
    pub(crate) headers: String,
    /// The bytes, unless they are gone or left out.
    pub(crate) body: Option<Bytes>,
    pub(crate) left_out: bool,
    pub(crate) size: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    pub(crate) deleted_reason: Option<String>,
}

impl Kept {
    /// A body that was not kept twice is the payload of the event.
    pub(crate) fn of(row: PayloadRow, stored: &StoredEvent) -> Self {
        let PayloadRow { head, body } = row;
        let left_out = body == Body::LeftOut;
        let payload = stored.event.payload.as_bytes();
        let (body, size) = match body {
            Body::Payload if !stored.is_expunged => (Some(payload.clone()), payload.len() as i64),
            Body::Bytes(bytes) => (Some(Bytes::from(bytes)), head.size),
            Body::Payload | Body::Gone | Body::LeftOut => (None, head.size),
        };
        let Head { stage, part, content_type, headers, created_at, .. } = head;
        Self {
            stage,
            part,
            content_type,
            headers,
            body,
            left_out,
            size,
            created_at,
            expires_at: head.expires_at,
            deleted_at: head.deleted_at,
            deleted_reason: head.deleted_reason,
        }
    }
}

/// What was kept of one stage of an event's way, such as the request of a webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EventPayload")]
pub(crate) struct PayloadDocument {
    /// Where on its way it was kept.
    pub(crate) stage: String,
    /// Counts from 0 where a stage happens more than once.
    pub(crate) part: i32,
    /// Media type as the sender named it.
    pub(crate) content_type: Option<String>,
    /// Headers, secrets taken out.
    #[schemars(with = "serde_json::Value")]
    pub(crate) headers: Option<Box<RawValue>>,
    /// The bytes, as `encoding` says; null when they are gone or left out.
    pub(crate) body: Option<String>,
    /// `utf8`, or `base64` where the bytes are no text.
    pub(crate) encoding: &'static str,
    /// How many bytes the body here has.
    pub(crate) bytes: usize,
    /// How many bytes there were; more than `bytes` when only the beginning is kept.
    pub(crate) size: i64,
    /// The bytes are kept, but would make this list too large; read the stage to get them.
    pub(crate) left_out: bool,
    /// When it was kept.
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
    /// When the bytes are deleted; null: never.
    #[serde(serialize_with = "some_millis")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// When the bytes were deleted.
    #[serde(serialize_with = "some_millis")]
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    /// Why they were deleted: `expired`, `expunged`, or what somebody said.
    pub(crate) deleted_reason: Option<String>,
}

impl From<Kept> for PayloadDocument {
    fn from(kept: Kept) -> Self {
        let bytes = kept.body.as_ref().map_or(0, Bytes::len);
        let (body, encoding) = match kept.body.as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => (Some(text.to_owned()), "utf8"),
            Some(Err(_)) => (kept.body.map(|body| STANDARD.encode(body)), "base64"),
            None => (None, "utf8"),
        };
        Self {
            stage: kept.stage,
            part: kept.part,
            content_type: kept.content_type,
            headers: RawValue::from_string(kept.headers).ok(),
            body,
            encoding,
            bytes,
            size: kept.size,
            left_out: kept.left_out,
            created_at: kept.created_at,
            expires_at: kept.expires_at,
            deleted_at: kept.deleted_at,
            deleted_reason: kept.deleted_reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_body_is_text_or_base64() {
        let kept = |body: &'static [u8]| {
            PayloadDocument::from(Kept {
                stage: "webhook_raw".into(),
                part: 0,
                content_type: None,
                headers: "[]".into(),
                body: Some(Bytes::from_static(body)),
                left_out: false,
                size: 9,
                created_at: DateTime::UNIX_EPOCH,
                expires_at: None,
                deleted_at: None,
                deleted_reason: None,
            })
        };
        assert_eq!((kept(b"{}").encoding, kept(b"{}").body.as_deref()), ("utf8", Some("{}")));
        assert_eq!(kept(b"\xff").encoding, "base64");
        assert_eq!(kept(b"\xff").body.as_deref(), Some("/w=="));
    }
}
