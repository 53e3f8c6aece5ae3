//! The events: 1 KiB each as JSON, all with ids of their own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::Message;
use omni_events::{Event, EventType, Metadata, Org, Payload};
use uuid::Uuid;

/// How long an event is as JSON, in bytes.
pub(crate) const SIZE: usize = 1024;

/// So many different events are written in advance; more than the caches next to a core hold.
const WRITTEN: u64 = 4096;

/// Messages without end. Taking one costs an addition: they are written already, only their ids are new.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) subject: Arc<str>,
    data: Vec<Bytes>,
    series: u64,
    next: AtomicU64,
}

impl Messages {
    pub(crate) fn new(event_type: &str) -> Self {
        let series = Random::from_entropy().next_u64();
        let written = (0..WRITTEN).map(|number| Message::of(&event(event_type, series, number)));
        let written: Vec<_> = written.map(Result::unwrap).collect();
        Self {
            subject: Arc::clone(&written[0].subject),
            data: written.into_iter().map(|message| message.data).collect(),
            series,
            next: AtomicU64::new(WRITTEN),
        }
    }

    pub(crate) fn take(&self) -> Message {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let data = self.data[(number % WRITTEN) as usize].clone();
        Message { id: id(self.series, number), subject: Arc::clone(&self.subject), data }
    }

    pub(crate) fn batch(&self, size: usize) -> Vec<Message> {
        (0..size).map(|_| self.take()).collect()
    }
}

/// An id that tells its number.
fn id(series: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(series, number)
}

/// The number that an id tells.
pub(crate) fn number(id: Uuid) -> usize {
    id.as_u64_pair().1 as usize
}

/// An event of the usual size.
pub(crate) fn event(event_type: &str, series: u64, number: u64) -> Event {
    let mut event = with_text(event_type, id(series, number), "");
    let missing = SIZE - serde_json::to_vec(&event).unwrap().len();
    let text: String = "lorem ipsum ".chars().cycle().take(missing).collect();
    event.payload = payload(&text);
    event
}

fn with_text(event_type: &str, id: Uuid, text: &str) -> Event {
    let now = SystemClock::new().now();
    Event {
        id,
        event_type: EventType::parse(event_type).unwrap(),
        source: "webhook:github".into(),
        time: now,
        received_at: now,
        payload: payload(text),
        schema_version: None,
        metadata: Metadata {
            org: Org::default(),
            correlation_id: "0190-correlation".into(),
            ..Metadata::default()
        },
    }
}

fn payload(text: &str) -> Payload {
    let json =
        format!(r#"{{"ref":"refs/heads/main","text":"{text}","n":[1,2,3],"who":{{"a":1}}}}"#);
    Payload::parse(json.into()).unwrap()
}
