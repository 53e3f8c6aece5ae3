//! Ten thousand types: how long the start takes, and a look.

use std::{hint::black_box, path::Path, sync::Arc, time::Instant};

use chrono::DateTime;
use omni_clock::SystemClock;
use omni_events::{EventType, Org, Payload};
use omni_registry::Registry;
use omni_store::{
    Location, Store, schemas,
    schemas::{Change, TypeRow},
};

use crate::{book::Book, cpu_of, millis, samples};

const TYPES: usize = 10_000;

fn name(number: usize) -> String {
    format!("custom.shop_{}.order_{number}.paid", number % 100)
}

async fn open(file: &Path) -> Store {
    Store::open(&Location::Sqlite(file.to_owned())).await.unwrap()
}

pub(crate) async fn fill(file: &Path) {
    let store = open(file).await;
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let schema = samples::schema(20).to_string();
    let mut conn = store.write().await.unwrap();
    for number in 0..TYPES {
        // Off: what a look costs is not to be hidden by what a payload costs.
        let mut row = TypeRow::new(Org::default().as_str(), &name(number), "off", now);
        row.description = Some("An order of this shop was paid.".into());
        let change = Change { row, schema: Some(schema.clone()), changed_by: None };
        schemas::put(&mut conn, &change).await.unwrap();
    }
}

pub(crate) async fn measure(file: &Path, book: &mut Book) {
    let store = open(file).await;
    let started = Instant::now();
    let registry = Registry::open(store, Arc::new(SystemClock::new())).await.unwrap();
    book.note("start_10k_ms", "ms", millis(started.elapsed()));

    let org = Org::default();
    // Far apart from each other in memory, as events of many senders are.
    let types: Vec<EventType> =
        (0..TYPES).map(|n| EventType::parse(&name(n * 7919 % TYPES)).unwrap()).collect();
    let payload = Payload::parse(b"{}".to_vec().into()).unwrap();
    let mut next = types.iter().cycle();
    let looked = cpu_of(|| {
        let event_type = next.next().unwrap();
        let checked = registry.check(&org, event_type, &payload).unwrap();
        assert_eq!(black_box(checked).schema_version, Some(1));
    });
    book.note("lookup_ns", "ns", looked.as_secs_f64() * 1e9);
}
