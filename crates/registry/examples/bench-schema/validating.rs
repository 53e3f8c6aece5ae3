//! What validation adds to publishing an event, beside its two halves by hand: reading the text, and the engine.

use std::{hint::black_box, sync::Arc};

use omni_clock::SystemClock;
use omni_events::{EventType, Org, Payload};
use omni_registry::{NewType, Registry, TypeOptions};
use omni_store::Store;
use serde_json::Value;

use crate::{book::Book, cpu_of, samples};

pub(crate) async fn measure(book: &mut Book) {
    let clock = Arc::new(SystemClock::new());
    let registry = Registry::open(Store::temporary().await, clock).await.unwrap();
    let event_type = EventType::parse("custom.order.paid").unwrap();
    let new = NewType {
        event_type: event_type.clone(),
        schema: samples::schema(20),
        options: TypeOptions::default(),
        created_by: None,
    };
    let org = Org::default();
    registry.register(&org, new).await.unwrap();
    let text = samples::event(7);
    book.note("event", "bytes", text.len() as f64);
    let payload = Payload::parse(text.clone().into()).unwrap();
    let checked = cpu_of(|| {
        black_box(registry.check(&org, &event_type, &payload).unwrap());
    });
    let read = cpu_of(|| drop(black_box(serde_json::from_slice::<Value>(&text).unwrap())));
    let engine = jsonschema::validator_for(&samples::schema(20)).unwrap();
    let value = payload.to_value();
    let validated = cpu_of(|| assert!(black_box(engine.is_valid(&value))));
    for (name, cpu) in
        [("validate_us", checked), ("serde_json_us", read), ("jsonschema_us", validated)]
    {
        book.note(name, "us", cpu.as_secs_f64() * 1e6);
    }
}
