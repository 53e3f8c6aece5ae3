//! What a draft must be like before it is accepted. It must stay true that nothing passes which the store, the bus or the
//! engine could not hold afterwards: one such event would fail a whole batch, or stand in the way of all that follow.

use chrono::Datelike as _;
use omni_events::{Event, check_token};

use crate::{AppendError, Draft};

/// Longest correlation id, source or label that is kept, in bytes: they are columns and log fields.
const LABEL_LEN_MAX: usize = 256;
/// Largest payload or capture, in bytes, whatever the bus would take.
const PAYLOAD_MAX: usize = 15 << 20;
/// More than everything of an event but its payload takes as JSON.
const ENVELOPE_MAX: usize = 16 << 10;
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
    ];
    for (field, label) in labels {
        let Some(label) = label else { continue };
        if label.len() > LABEL_LEN_MAX || label.contains(char::is_control) {
            let reason =
                format!("must be at most {LABEL_LEN_MAX} bytes without control characters");
            return refused(field, reason);
        }
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
    if payload + ENVELOPE_MAX <= max {
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
