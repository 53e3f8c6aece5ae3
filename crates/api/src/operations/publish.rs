//! Publishing one event or many.
//!
//! It must stay true that every event is checked before any is recorded: a call that is refused has stored nothing.

mod faults;

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, header};
use omni_event_log::Draft;
use omni_events::{CloudEvent, InvalidCloudEvent};
use omni_sources::{
    cloudevent,
    manual::{self, Trigger},
};
use serde_json::json;

pub(crate) use self::faults::Form;
use self::faults::{FAULTS_MAX, Faults};
use crate::{
    App,
    call::Call,
    documents::{Published, PublishedEvent},
    operations::events::TriggerBody,
    problem::{Kind, Problem},
};

/// The media type of one CloudEvent.
pub(crate) const CLOUDEVENT: &str = "application/cloudevents+json";
/// Most events of one call.
const EVENTS_MAX: usize = 1_000;
/// Longest idempotency key of a call with several events, in bytes: each event adds its index to it.
const KEY_LEN_MAX: usize = 251;
/// The source of CloudEvents that come this way, and the scope of their keys.
const LABEL: &str = "cloudevents";

/// What one call is to publish, read but not checked.
#[derive(Debug)]
pub(crate) struct Publication {
    form: Form,
    /// Whether the faults are told with the index of their event.
    batch: bool,
    drafts: Vec<Result<Draft, Problem>>,
}

impl Publication {
    /// One event.
    pub(crate) fn one(form: Form, draft: Result<Draft, Problem>) -> Self {
        Self { form, batch: false, drafts: vec![draft] }
    }

    /// A list of events, also of one or none.
    pub(crate) fn batch(form: Form, drafts: Vec<Result<Draft, Problem>>) -> Self {
        Self { form, batch: true, drafts }
    }

    /// A list of events of our own form.
    pub(crate) fn triggers(
        call: &Call,
        bodies: impl Iterator<Item = Result<TriggerBody, Problem>>,
    ) -> Result<Self, Problem> {
        if call.idempotency_key.as_ref().is_some_and(|key| key.len() > KEY_LEN_MAX) {
            let reason = format!(
                "for a list of events it must be at most {KEY_LEN_MAX} characters, because each event adds its index"
            );
            return Err(Problem::field("Idempotency-Key", reason));
        }
        let key = |index| call.idempotency_key.as_ref().map(|key| format!("{key}:{index}"));
        let drafts = bodies.enumerate().map(|(index, body)| trigger(call, body?, key(index)));
        Ok(Self::batch(Form::Own, drafts.collect()))
    }
}

/// Refuses more events than one call may have.
pub(crate) fn check_count(count: usize) -> Result<(), Problem> {
    if count <= EVENTS_MAX {
        return Ok(());
    }
    let detail = format!(
        "There are {count} events in the call and {EVENTS_MAX} are taken at most; none was stored. Send them in parts."
    );
    Err(Problem::new(Kind::TooLarge, detail))
}

/// Makes a draft of an event of our own form.
pub(crate) fn trigger(
    call: &Call,
    body: TriggerBody,
    idempotency_key: Option<String>,
) -> Result<Draft, Problem> {
    if body.scheduled_at.is_some() {
        let reason = "what is to happen later is taken by POST /api/events/trigger only";
        return Err(Problem::field("/scheduledAt", reason));
    }
    Ok(manual::draft(Trigger {
        org: call.org.clone(),
        event_type: body.event_type,
        payload: body.payload,
        metadata: body.metadata,
        priority: body.priority,
        idempotency_key,
        correlation_id: call.correlation_id.clone(),
        traceparent: call.traceparent.clone(),
    }))
}

/// Makes a draft of a CloudEvent, as the bridge of NATS does. What it was read from is kept beside the event; an event of
/// a list has no headers of its own.
pub(crate) fn cloud_event(
    call: &Call,
    form: Form,
    read: Result<CloudEvent, InvalidCloudEvent>,
    (headers, message): (Option<&HeaderMap>, &Bytes),
) -> Result<Draft, Problem> {
    let event = read.map_err(|error| faults::unreadable(form, &error))?;
    let mut draft = cloudevent::draft(call.org.clone(), LABEL, &event)
        .map_err(|fault| Problem::field(form.attribute(fault.attribute), fault.message))?;
    let metadata = &mut draft.metadata;
    if metadata.correlation_id.is_empty() {
        metadata.correlation_id = call.correlation_id.clone().unwrap_or_default();
    }
    metadata.traceparent = metadata.traceparent.take().or_else(|| call.traceparent.clone());
    let content_type = match headers {
        Some(headers) => headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()),
        None => Some(CLOUDEVENT),
    };
    let pairs =
        headers.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_bytes()));
    draft.capture = Some(cloudevent::capture(&draft.payload, pairs, content_type, message));
    Ok(draft)
}

/// Records all events or, when one is not taken, none. When this returns `Ok`, all are durable. Of a single event it also
/// answers the correlation id of its family.
pub(crate) async fn publish(
    app: &App,
    publication: Publication,
) -> Result<(Published, Option<String>), Problem> {
    let Publication { form, batch, mut drafts } = publication;
    refuse_twins(form, &mut drafts);
    let total = drafts.len();
    let keyed = drafts.iter().flatten().all(|draft| draft.dedupe.is_some());
    let given = drafts.iter().flatten().map(|draft| draft.metadata.correlation_id.clone()).next();
    let mut faults = Faults::new(batch);
    let mut checked = Vec::with_capacity(total);
    for (index, draft) in drafts.into_iter().enumerate() {
        let found = match draft {
            Ok(draft) => app.event_log.check(draft).await.map_err(|error| form.told(error.into())),
            Err(problem) => Err(problem),
        };
        match found {
            Ok(draft) => checked.push(draft),
            Err(problem) => faults.add(index, problem),
        }
    }
    if let Some(problem) = faults.refusal(total) {
        return Err(problem);
    }
    let mut stored: Vec<(usize, PublishedEvent)> = Vec::with_capacity(total);
    let mut faults = Faults::new(batch);
    for (index, answer) in app.event_log.append_all(checked).await?.into_iter().enumerate() {
        match answer {
            Ok(appended) => stored.push((index, appended.into())),
            // Making a problem of each would write as many lines into the log of the server.
            Err(_) if faults.wrong() >= FAULTS_MAX => faults.count(),
            Err(error) => faults.add(index, form.told(error.into())),
        }
    }
    if let Some(problem) = faults.failure(stored.len(), total, again(form, keyed)) {
        let item = |(index, event): &(usize, PublishedEvent)| json!({ "index": index, "eventId": event.event_id, "sequence": event.sequence });
        let items: Vec<_> = stored.iter().map(item).collect();
        return Err(if batch { problem.with("items", &items) } else { problem });
    }
    let items: Vec<PublishedEvent> = stored.into_iter().map(|(_, event)| event).collect();
    let own = || items.first().map(|event| event.event_id.to_string());
    let correlation_id = if batch { None } else { given.filter(|id| !id.is_empty()).or_else(own) };
    Ok((Published { items }, correlation_id))
}

/// What sending the call again does after a part of it was stored.
fn again(form: Form, keyed: bool) -> &'static str {
    match (form, keyed) {
        (Form::Own, false) => {
            "Send again only what is not in `items`: without an Idempotency-Key, what is sent twice happens twice."
        }
        (Form::Own, true) => {
            "Send the same call again with the same Idempotency-Key; no event is stored twice."
        }
        _ => "Send the same call again; what has the same `source` and `id` is not stored twice.",
    }
}

/// Marks every event that has the key of an earlier one of the same call but says something else.
fn refuse_twins(form: Form, drafts: &mut [Result<Draft, Problem>]) {
    let mut seen = HashMap::new();
    let mut twins = Vec::new();
    for (index, draft) in drafts.iter().enumerate() {
        let Ok(Draft { dedupe: Some(dedupe), .. }) = draft else { continue };
        let (first, body_hash) = *seen.entry(&dedupe.key).or_insert((index, dedupe.body_hash));
        if body_hash != dedupe.body_hash {
            twins.push((index, first));
        }
    }
    for (index, first) in twins {
        let reason = format!(
            "the event at index {first} has the same `source` and `id` with another type or other data; give each \
             event an `id` of its own"
        );
        drafts[index] = Err(Problem::field(form.attribute("id"), reason));
    }
}
