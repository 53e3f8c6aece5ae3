//! CloudEvents over HTTP in their three modes: attributes in headers, the whole event as JSON, and several of those.

use bytes::Bytes;
use http::HeaderMap;
use omni_events::{CloudEvent, InvalidCloudEvent, Payload};

use super::{Content, Unreadable};

/// What every media type of CloudEvents begins with.
const ANY: &str = "application/cloudevents";
/// One event.
const ONE: &str = "application/cloudevents+json";
/// Several events.
const SEVERAL: &str = "application/cloudevents-batch+json";
/// The header without which a request is no CloudEvent with its attributes in headers.
const VERSION: &str = "ce-specversion";
/// Most events of one batch: they are stored together.
const EVENTS_MAX: usize = 1000;

/// Reads a body if its request says that it is a CloudEvent.
pub(super) fn read(
    headers: &HeaderMap,
    kind: &str,
    body: &Bytes,
) -> Result<Option<Content>, Unreadable> {
    if kind.get(..ANY.len()).is_some_and(|start| start.eq_ignore_ascii_case(ANY)) {
        return whole(kind, body).map(Some);
    }
    if !headers.contains_key(VERSION) {
        return Ok(None);
    }
    let pairs = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), str::from_utf8(value.as_bytes()).ok()?)));
    let event = CloudEvent::from_message(pairs, body).map_err(|error| unreadable(&error))?;
    Ok(Some(Content::CloudEvent(Box::new(event))))
}

fn whole(kind: &str, body: &Bytes) -> Result<Content, Unreadable> {
    if kind.eq_ignore_ascii_case(ONE) {
        Payload::parse(body.clone())?;
        let event = CloudEvent::from_json(body).map_err(|error| unreadable(&error))?;
        return Ok(Content::CloudEvent(Box::new(event)));
    }
    if !kind.eq_ignore_ascii_case(SEVERAL) {
        return Err(Unreadable::Other(format!(
            "Of CloudEvents, {ONE} and {SEVERAL} are read, and attributes as `ce-` headers."
        )));
    }
    let text = Payload::parse(body.clone())?;
    let Some(elements) = text.elements() else {
        return Err(Unreadable::Other(format!("{SEVERAL} is an array of CloudEvents.")));
    };
    if elements.len() > EVENTS_MAX {
        return Err(Unreadable::Other(format!("A batch has at most {EVENTS_MAX} events.")));
    }
    let one = |(index, element): (usize, &str)| {
        // A copy, so that a small event does not hold the memory of the whole body.
        let text = Bytes::copy_from_slice(element.as_bytes());
        let event = CloudEvent::from_json(&text).map_err(|error| {
            Unreadable::Other(format!("The event at index {index}: {}.", chain(&error)))
        })?;
        Ok((event, text))
    };
    elements.into_iter().enumerate().map(one).collect::<Result<_, _>>().map(Content::CloudEvents)
}

fn unreadable(error: &InvalidCloudEvent) -> Unreadable {
    Unreadable::Other(format!("The CloudEvent cannot be read: {}.", chain(error)))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
