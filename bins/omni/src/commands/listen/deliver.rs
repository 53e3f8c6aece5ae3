//! One forward and what came of it. A local server that is down is a result like any other.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use omni_clock::{Clock as _, SystemClock};
use omni_egress::Request;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::origin::Origin;
use super::{Event, Local};
use crate::output::clean;

/// Tells the local server which event it is.
const EVENT_ID: HeaderName = HeaderName::from_static("x-omni-event-id");

/// What came of one event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    received_at: String,
    sequence: i64,
    #[serde(rename = "type")]
    kind: String,
    event_id: String,
    /// What the local server answered.
    status: Option<u16>,
    milliseconds: u64,
    /// Why it answered nothing.
    error: Option<String>,
    /// What was not sent as it originally was.
    note: Option<String>,
}

/// Sends a request on. Without one nothing is sent.
pub(super) async fn deliver(event: Event<'_>, origin: Option<Origin>, local: &Local) -> Delivery {
    let mut delivery = Delivery {
        received_at: event.received_at,
        sequence: event.sequence,
        kind: event.kind,
        event_id: event.id,
        status: None,
        milliseconds: 0,
        error: None,
        note: None,
    };
    let Some(Origin { mut headers, body, secret, note }) = origin else {
        delivery.error = Some("its payload was expunged; nothing was sent".to_owned());
        return delivery;
    };
    delivery.note = note.or_else(|| without(&secret, local));
    headers.extend(HeaderValue::from_str(&delivery.event_id).ok().map(|id| (EVENT_ID, id)));
    for (name, value) in &local.headers {
        headers.insert(name, value.clone());
    }
    let mut request = Request::new(Method::POST, local.url.clone());
    (request.headers, request.body) = (headers, body);
    let clock = SystemClock::new();
    let started = clock.elapsed();
    let sent = local.egress.send(request).await;
    delivery.milliseconds = millis(clock.elapsed().saturating_sub(started));
    match sent {
        Ok(response) => delivery.status = Some(response.status.as_u16()),
        Err(error) => delivery.error = Some(error.to_string()),
    }
    delivery
}

/// Names the headers that the local server will miss.
fn without(secret: &[String], local: &Local) -> Option<String> {
    let is_set =
        |name: &&String| local.headers.iter().any(|(set, _)| set.as_str() == name.as_str());
    let missing: Vec<&str> =
        secret.iter().filter(|name| !is_set(name)).map(String::as_str).collect();
    let names = missing.join(", ");
    (!names.is_empty()).then(|| format!("without {names}, a secret that is not kept; -H sets it"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Delivery {
    fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// One line.
    pub(super) fn people(&self) -> String {
        let Self { received_at, kind, event_id, milliseconds, .. } = self;
        let what = match (self.status, &self.error) {
            (Some(status), _) if self.is_taken() => status.green().to_string(),
            (Some(status), _) => status.red().to_string(),
            (None, error) => {
                clean(error.as_deref().unwrap_or("nothing was sent")).red().to_string()
            }
        };
        let note = self.note.as_deref().map(|note| format!("  {}", clean(note).yellow()));
        format!(
            "{} {} {} {what} {milliseconds} ms{}",
            clean(received_at).dimmed(),
            clean(kind).bold(),
            clean(event_id),
            note.unwrap_or_default()
        )
    }
}

/// How many forwards ended how.
#[derive(Debug, Default)]
pub(super) struct Counts {
    taken: u64,
    refused: u64,
    failed: u64,
}

impl Counts {
    pub(super) fn add(&mut self, delivery: &Delivery) {
        let count = match delivery.status {
            Some(_) if delivery.is_taken() => &mut self.taken,
            Some(_) => &mut self.refused,
            None => &mut self.failed,
        };
        *count += 1;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { taken, refused, failed } = self;
        let all = taken + refused + failed;
        let events = if all == 1 { "event" } else { "events" };
        write!(
            f,
            "{all} {events}: {taken} taken (2xx), {refused} answered otherwise, {failed} not delivered"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_each_event_once() {
        let delivery = |status, error: Option<&str>| Delivery {
            received_at: String::new(),
            sequence: 1,
            kind: "custom.a\u{1b}[2J".to_owned(),
            event_id: String::new(),
            status,
            milliseconds: 3,
            error: error.map(str::to_owned),
            note: None,
        };
        let mut counts = Counts::default();
        for delivery in [
            delivery(Some(204), None),
            delivery(Some(500), None),
            delivery(Some(302), None),
            delivery(None, Some("down")),
        ] {
            assert!(!delivery.people().contains("[2J") || !delivery.people().contains("\u{1b}[2J"));
            counts.add(&delivery);
        }
        assert_eq!(
            counts.to_string(),
            "4 events: 1 taken (2xx), 2 answered otherwise, 1 not delivered"
        );
    }
}
