//! `POST /api/events`: one event or many, as CloudEvents or in our own form.

use axum::{body::Body, extract::State};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use omni_events::CloudEvent;

use crate::{
    body::{self, BODY_MAX},
    call::Call,
    correlation::CORRELATION_ID,
    documents::{CloudEventBody, PublishBody, Published},
    operations::publish::{self, CLOUDEVENT, Form, Publication},
    problem::{Kind, Problem},
    rest::{Answer, AppState, json},
    routes::Route,
};

/// The media type of several CloudEvents.
const CLOUDEVENTS: &str = "application/cloudevents-batch+json";
/// What every media type of CloudEvents begins with.
const ANY_CLOUDEVENT: &str = "application/cloudevents";
/// What the headers of a CloudEvent in the binary mode begin with.
const ATTRIBUTE: &str = "ce-";

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/events"), "publishEvents", "Publishes one event or up to 1,000: all or, when one is not taken, none", publish)
            .rpc("EventService.Publish").body::<PublishBody>().or_body::<CloudEventBody>(CLOUDEVENT).or_body::<Vec<CloudEventBody>>(CLOUDEVENTS)
            .status(StatusCode::ACCEPTED).answer::<Published>(),
    ]
}

async fn publish(State(app): AppState, call: Call, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let form = form(&headers)?;
    let bytes = body::read(body, &headers, BODY_MAX, &*app.clock).await?;
    let publication = match form {
        Sent::Own => own(&call, bytes)?,
        Sent::Structured => structured(&call, &headers, &bytes)?,
        Sent::Batch => batch(&call, bytes)?,
        Sent::Binary => binary(&call, &headers, &bytes)?,
    };
    let (published, correlation_id) = publish::publish(&app, publication).await?;
    let mut response = json(StatusCode::ACCEPTED, &published)?;
    if let Some(Ok(id)) = correlation_id.map(HeaderValue::try_from) {
        response.headers_mut().insert(CORRELATION_ID, id);
    }
    Ok(response)
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Own,
    Structured,
    Batch,
    Binary,
}

fn form(headers: &HeaderMap) -> Result<Sent, Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        CLOUDEVENT => return Ok(Sent::Structured),
        CLOUDEVENTS => return Ok(Sent::Batch),
        other if other.starts_with(ANY_CLOUDEVENT) => {
            let detail = format!(
                "Content-Type is `{said}`; of CloudEvents, {CLOUDEVENT} and {CLOUDEVENTS} are read."
            );
            return Err(Problem::new(Kind::MediaType, detail));
        }
        _ => {}
    }
    let binary = headers.keys().any(|name| name.as_str().starts_with(ATTRIBUTE));
    // A CloudEvent without data says no type of it.
    if !binary || headers.contains_key(header::CONTENT_TYPE) {
        body::check_media_type(headers)?;
    }
    Ok(if binary { Sent::Binary } else { Sent::Own })
}

fn own(call: &Call, bytes: Bytes) -> Result<Publication, Problem> {
    let text = body::json(bytes)?;
    let Some(elements) = text.elements() else {
        let body = body::read_text(text.as_bytes());
        let draft =
            body.and_then(|body| publish::trigger(call, body, call.idempotency_key.clone()));
        return Ok(Publication::one(Form::Own, draft));
    };
    publish::check_count(elements.len())?;
    Publication::triggers(call, elements.into_iter().map(|text| body::read_text(text.as_bytes())))
}

fn structured(call: &Call, headers: &HeaderMap, bytes: &Bytes) -> Result<Publication, Problem> {
    body::json(bytes.clone())?;
    let form = Form::CloudEvent;
    let event = CloudEvent::from_json(bytes);
    let draft = publish::cloud_event(call, form, event, (Some(headers), bytes));
    Ok(Publication::one(form, draft))
}

fn batch(call: &Call, bytes: Bytes) -> Result<Publication, Problem> {
    let text = body::json(bytes)?;
    let Some(elements) = text.elements() else {
        return Err(Problem::field("", format!("{CLOUDEVENTS} is an array of CloudEvents")));
    };
    publish::check_count(elements.len())?;
    let drafts = elements.into_iter().map(|element| {
        // A copy, so that a small event does not hold the memory of the whole body.
        let element = Bytes::copy_from_slice(element.as_bytes());
        let event = CloudEvent::from_json(&element);
        publish::cloud_event(call, Form::CloudEvent, event, (None, &element))
    });
    Ok(Publication::batch(Form::CloudEvent, drafts.collect()))
}

fn binary(call: &Call, headers: &HeaderMap, bytes: &Bytes) -> Result<Publication, Problem> {
    if !bytes.is_empty() {
        body::check_media_type(headers)?;
        body::json(bytes.clone())?;
    }
    let mut pairs = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match str::from_utf8(value.as_bytes()) {
            Ok(value) => pairs.push((name.as_str(), value)),
            Err(_) if name.as_str().starts_with(ATTRIBUTE) => {
                return Err(Problem::field(name.as_str(), "it must be UTF-8"));
            }
            Err(_) => {}
        }
    }
    let form = Form::Headers;
    let event = CloudEvent::from_message(pairs, bytes);
    let draft = publish::cloud_event(call, form, event, (Some(headers), bytes));
    Ok(Publication::one(form, draft))
}
