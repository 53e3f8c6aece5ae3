//! What a draft must be like before it is accepted. It must stay true that nothing passes which the store, the bus or the
//! engine could not hold afterwards: one such event would fail a whole batch, or stand in the way of all that follow.

use chrono::Datelike as _;
use omni_events::{Event, check_token};

use crate::{AppendError, Draft};

/// Longest correlation id, source or label that is kept, in bytes: they are columns and log fields.
pub(crate) const LABEL_LEN_MAX: usize = 256;
/// Longest address of a medium, in bytes: what browsers and proxies take.
pub(crate) const MEDIA_URL_MAX: usize = 2048;
/// Longest text that is kept for search, in bytes: more than any channel lets people write.
pub(crate) const TEXT_MAX: usize = 64 << 10;
/// Largest `extra`, in bytes: what it tells belongs into the payload when there is more of it.
const EXTRA_MAX: usize = 64 << 10;
/// Largest payload or capture, in bytes, whatever the bus would take.
const PAYLOAD_MAX: usize = 15 << 20;
/// More than everything of an event but its payload, text and `extra` takes as JSON.
const ENVELOPE_MAX: usize = 16 << 10;
/// Bytes of JSON that one byte of a text takes at most: `\u0001`.
const ESCAPED_MAX: usize = 6;
/// What every party can write down: RFC 3339 has four digits for the year.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// Refuses a draft that would break a message, a column or a log line.
pub(crate) fn check(draft: &Draft) -> Result<(), AppendError> {
    let refused = |field, reason: String| Err(AppendError::Metadata { field, reason });
    let metadata = &draft.metadata;
    let subjects = [("channelType", &metadata.channel_type), ("instanceId", &metadata.instance_id)];
    for (field, token) in subjects {
        if let Some(Err(error)) = token.as_deref().map(check_token) {
            return refused(field, error.to_string());
        }
    }
    let dedupe = draft.dedupe.as_ref();
    let content_type = draft.capture.as_ref().and_then(|capture| capture.content_type.as_deref());
    let labels = [
        ("source", Some(draft.source.as_str())),
        ("correlationId", Some(metadata.correlation_id.as_str())),
        ("traceparent", metadata.traceparent.as_deref()),
        ("triggeredBy", metadata.triggered_by.as_deref()),
        ("idempotencyKey", metadata.idempotency_key.as_deref()),
        ("idempotencyKey", dedupe.map(|dedupe| dedupe.key.as_str())),
        ("idempotencyKey", dedupe.map(|dedupe| dedupe.scope.as_str())),
        ("provider", metadata.provider.as_deref()),
        ("providerEventId", metadata.provider_event_id.as_deref()),
        ("contentType", content_type),
        ("senderHandle", metadata.sender_handle.as_deref()),
        ("recipientHandle", metadata.recipient_handle.as_deref()),
        ("contentType", metadata.content_type.as_deref()),
    ];
    let labels = labels.map(|(field, label)| (field, label, LABEL_LEN_MAX));
    let url = ("contentMediaUrl", metadata.content_media_url.as_deref(), MEDIA_URL_MAX);
    for (field, label, max) in labels.into_iter().chain([url]) {
        let Some(label) = label else { continue };
        if label.len() > max || label.contains(char::is_control) {
            return refused(
                field,
                format!("must be at most {max} bytes without control characters"),
            );
        }
    }
    if metadata
        .content_text
        .as_ref()
        .is_some_and(|text| text.len() > TEXT_MAX || text.contains('\0'))
    {
        return refused("contentText", format!("must be at most {TEXT_MAX} bytes without NUL"));
    }
    if let Some(extra) = &metadata.extra
        && (extra.as_bytes().len() > EXTRA_MAX || !extra.as_str().trim_start().starts_with('{'))
    {
        return refused("extra", format!("must be a JSON object of at most {EXTRA_MAX} bytes"));
    }
    if draft.time.is_some_and(|time| !YEARS.contains(&time.year())) {
        return refused("time", "must be in the years 1 to 9999".to_owned());
    }
    let capture = draft.capture.as_ref().and_then(|capture| capture.body.as_ref());
    if draft.payload.as_bytes().len().max(capture.map_or(0, bytes::Bytes::len)) > PAYLOAD_MAX {
        return refused("payload", format!("must be at most {PAYLOAD_MAX} bytes"));
    }
    Ok(())
}

/// Refuses an event that the bus could not carry, which takes at most `max` bytes of JSON.
pub(crate) fn check_size(event: &Event, max: usize) -> Result<(), AppendError> {
    let payload = event.payload.as_bytes().len();
    let text = event.metadata.content_text.as_ref().map_or(0, String::len);
    let extra = event.metadata.extra.as_ref().map_or(0, |extra| extra.as_bytes().len());
    if payload + ENVELOPE_MAX + text * ESCAPED_MAX + extra <= max {
        return Ok(());
    }
    // Only what is near the limit is written to be measured.
    let size = if payload > max {
        payload
    } else {
        serde_json::to_vec(event).map_or(payload + ENVELOPE_MAX, |json| json.len())
    };
    if size > max { Err(AppendError::TooLarge { size, max }) } else { Ok(()) }
}
