//! From what a genuine request says to the events it becomes.
//!
//! What must stay true: the same request always becomes the same events under the same keys, so that a repeat is one.

use bytes::Bytes;
use http::HeaderName;
use omni_crypto::sha256;
use omni_event_log::{Capture, Draft, Stage};
use omni_events::{CloudEvent, Direction};

use super::{
    Code, Incoming,
    body::Document,
    dedupe, headers,
    judge::{Check, Refusal},
    translate,
};
use crate::{cloudevent, compiled::Compiled};

/// The events of one request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every one is the large one")]
pub(crate) enum Drafts {
    /// One.
    One(Draft),
    /// Those of a batch, in order; there may be none.
    Batch(Vec<Draft>),
}

impl Drafts {
    /// One after the other.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Draft> {
        match self {
            Self::One(draft) => std::slice::from_ref(draft).iter(),
            Self::Batch(drafts) => drafts.iter(),
        }
    }

    /// As a list.
    pub(crate) fn into_vec(self) -> Vec<Draft> {
        match self {
            Self::One(draft) => vec![draft],
            Self::Batch(drafts) => drafts,
        }
    }
}

/// The event of a body that is its payload.
pub(super) fn of_payload(source: &Compiled, incoming: &Incoming, document: Document) -> Draft {
    let headers = &incoming.headers;
    let event_type = translate::event_type(source, headers, &document);
    let keys = dedupe::keys(source, incoming, &document);
    let payload = document.payload;
    let mut draft = Draft::new(source.org.clone(), event_type, source.label.clone(), payload);
    let metadata = &mut draft.metadata;
    metadata.direction = Some(Direction::Inbound);
    metadata.correlation_id = headers::correlation_id(headers).unwrap_or_default();
    metadata.traceparent = headers::traceparent(headers);
    if let Some(template) = source.template {
        metadata.provider = Some(template.name.clone());
        metadata.provider_event_id = keys.provider;
    }
    draft.capture = Some(capture(source, incoming, draft.payload.as_bytes(), &incoming.body));
    match keys.key {
        Some((key, body_hash)) => draft.deduplicated(source.label.clone(), key, body_hash),
        None => draft,
    }
}

/// The event of a CloudEvent; `text` is what it was read from.
pub(super) fn of_event(
    source: &Compiled,
    incoming: &Incoming,
    event: &CloudEvent,
    text: Bytes,
) -> Result<Draft, Refusal> {
    let unusable = |text: String| {
        Refusal::of(
            Check::Body,
            Code::Unreadable,
            format!("The CloudEvent cannot be kept: {text}."),
        )
    };
    let draft = cloudevent::draft(source.org.clone(), &source.label, event);
    let mut draft = draft.map_err(|fault| unusable(fault.message))?;
    draft.event_type = translate::under(source, &event.event_type).map_err(unusable)?;
    let metadata = &mut draft.metadata;
    if metadata.correlation_id.is_empty() {
        metadata.correlation_id = headers::correlation_id(&incoming.headers).unwrap_or_default();
    }
    if metadata.traceparent.is_none() {
        metadata.traceparent = headers::traceparent(&incoming.headers);
    }
    draft.capture = Some(capture(source, incoming, draft.payload.as_bytes(), &text));
    Ok(draft)
}

/// The events of a batch.
pub(super) fn of_batch(
    source: &Compiled,
    incoming: &Incoming,
    events: &[(CloudEvent, Bytes)],
) -> Result<Drafts, Refusal> {
    let one = |(event, text): &(CloudEvent, Bytes)| of_event(source, incoming, event, text.clone());
    events.iter().map(one).collect::<Result<_, _>>().map(Drafts::Batch)
}

/// What was received, to be kept beside the event. A body that is the payload is kept only once.
fn capture(source: &Compiled, incoming: &Incoming, payload: &Bytes, body: &Bytes) -> Capture {
    let capture = Capture::new(
        Stage::WebhookRaw,
        headers::content_type(&incoming.headers).as_deref(),
        headers::pairs(&incoming.headers),
        source.scheme.secret_header().map(HeaderName::as_str),
    );
    // The same bytes, not merely equal ones: comparing them would cost every request.
    let same = payload.as_ptr() == body.as_ptr() && payload.len() == body.len();
    if same { capture } else { capture.with_body(body.clone()) }
}

/// The hash under which the same key with another body is a conflict.
pub(super) fn body_hash(incoming: &Incoming) -> [u8; 32] {
    sha256(&[&incoming.body])
}
