//! A schema held against a hundred thousand stored events of a kilobyte.

use std::{path::Path, sync::Arc, time::Instant};

use chrono::{DateTime, TimeDelta};
use omni_clock::SystemClock;
use omni_events::{Event, EventType, Metadata, Org, Payload};
use omni_registry::{Registry, Schema};
use omni_store::{
    Location, Store,
    events::{NewEvent, commit_batch},
    outbox,
};
use uuid::Uuid;

use crate::{book::Book, samples};

const EVENTS: usize = 100_000;
const BATCH: usize = 500;

fn event_type() -> EventType {
    EventType::parse("custom.order.paid").unwrap()
}

pub(crate) async fn fill(file: &Path) -> Registry {
    let store = Store::open(&Location::Sqlite(file.to_owned())).await.unwrap();
    let registry = Registry::open(store.clone(), Arc::new(SystemClock::new())).await.unwrap();
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let mut conn = store.write().await.unwrap();
    let writer = outbox::claim_writer(&mut conn, "bench", now).await.unwrap();
    for first in (0..EVENTS).step_by(BATCH) {
        let event = |number: usize| Event {
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128),
            event_type: event_type(),
            source: "bench".into(),
            time: now,
            received_at: now + TimeDelta::milliseconds(i64::try_from(number).unwrap()),
            payload: Payload::parse(samples::event(number).into()).unwrap(),
            schema_version: None,
            metadata: Metadata::default(),
        };
        let events: Vec<NewEvent> =
            (first..first + BATCH).map(|n| NewEvent::new(event(n), None, None)).collect();
        commit_batch(&mut conn, writer, 0, now, &events).await.unwrap();
    }
    registry
}

pub(crate) async fn measure(registry: &Registry, book: &mut Book) {
    let schema = Schema::new(samples::schema(20)).unwrap();
    let (org, name, limit) = (Org::default(), event_type(), EVENTS as u64);
    let started = Instant::now();
    let found = registry.evidence(&org, &name, (&schema, limit), |_| {}).await.unwrap();
    book.note("check_100k_s", "s", started.elapsed().as_secs_f64());
    assert_eq!((found.checked, found.failing), (limit, 0));
}
