//! The embedded bus, and beside it the raw log.

use std::{path::Path, sync::Arc, time::Duration};

use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Start, Sync};
use omni_events::SubjectPattern;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    Extent,
    book::Book,
    events::Messages,
    latency,
    meter::{Meter, Rate, Watch},
    raw_log,
};

/// Tasks that publish at once, each one event at a time.
pub(crate) const PUBLISHERS: usize = 64;

/// Events that a publisher in a hurry hands over at once.
pub(crate) const BATCH: usize = 100;

/// Events that a consumer takes at once.
pub(crate) const TAKEN: usize = 256;

/// The sync policy of a bus whose publisher keeps the truth elsewhere.
const LATE: Sync = Sync::Interval(Duration::from_millis(100));

/// How long events take, each synced before the publisher gets its receipt.
pub(crate) async fn waits(folder: &Path, extent: &Extent, book: &mut Book) {
    let (directory, bus) = open(folder, Sync::EveryCommit).await;
    latency::bus(&bus, "embedded", extent, book).await;
    close(directory, bus).await;
}

pub(crate) async fn rates(folder: &Path, extent: &Extent, book: &mut Book) {
    let messages = Arc::new(Messages::new("custom.bench.published"));
    let raw = raw_log::publish(folder, extent, &messages).await;
    let ours = publish(folder, extent, &messages).await;
    book.pair("embedded_publish_vs_raw_log", ("embedded_publish", ours), ("raw_log_append", raw));

    let (directory, bus) = open(folder, LATE).await;
    fill(&bus, &messages, extent.count()).await;
    book.rate("embedded_consume", consume(&bus, "taken", extent.count(), None).await);
    for (name, reads) in [("embedded_flow", false), ("embedded_flow_and_read", true)] {
        book.rate(name, flow(&bus, name, &messages, (extent.count(), reads), None).await);
    }
    close(directory, bus).await;
}

/// Publishers that wait for the receipt of an event, on the disk, before they publish the next.
async fn publish(folder: &Path, extent: &Extent, messages: &Arc<Messages>) -> Rate {
    let (directory, bus) = open(folder, Sync::EveryCommit).await;
    let meter = Arc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (meter, messages, bus) = (Arc::clone(&meter), Arc::clone(messages), bus.clone());
        tasks.spawn(async move {
            while !meter.is_over() {
                bus.publish_raw(vec![messages.take()]).await.unwrap();
                meter.add(1);
            }
        });
    }
    let rate = meter.run(extent.time, None, tasks).await;
    assert_eq!((bus.stats().published, bus.stats().duplicates), (meter.done(), 0));
    close(directory, bus).await;
    rate
}

/// A consumer that takes what is in its stream already, and acknowledges batch by batch.
pub(crate) async fn consume(bus: &EventBus, name: &str, count: usize, server: Option<u32>) -> Rate {
    let start = Start::First;
    let mut consumer = bus.consumer(ConsumerConfig { start, ..config(name) }).await.unwrap();
    let watch = Watch::start(server);
    let mut left = count;
    while left > 0 {
        let deliveries = consumer.next_batch(TAKEN).await;
        assert!(!deliveries.is_empty());
        left -= deliveries.len();
        bus.ack_all(deliveries).await;
    }
    watch.rate(count as u64)
}

/// One publisher with batches beside one consumer; the events are read or only acknowledged.
pub(crate) async fn flow(
    bus: &EventBus,
    name: &str,
    messages: &Messages,
    (count, reads): (usize, bool),
    server: Option<u32>,
) -> Rate {
    let mut consumer = bus.consumer(config(name)).await.unwrap();
    let watch = Watch::start(server);
    let receiver = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut left = count;
            while left > 0 {
                let deliveries = consumer.next_batch(TAKEN).await;
                assert!(!deliveries.is_empty());
                left -= deliveries.len();
                assert!(!reads || deliveries.iter().all(|delivery| delivery.event().is_ok()));
                bus.ack_all(deliveries).await;
            }
        })
    };
    for _ in 0..count / BATCH {
        bus.publish_raw(messages.batch(BATCH)).await.unwrap();
    }
    receiver.await.unwrap();
    let rate = watch.rate(count as u64);
    bus.forget(name).await.unwrap();
    rate
}

/// Puts events into the stream, unmeasured.
pub(crate) async fn fill(bus: &EventBus, messages: &Messages, count: usize) {
    for _ in 0..count / BATCH {
        bus.publish_raw(messages.batch(BATCH)).await.unwrap();
    }
}

/// The usual settings, for events published with [`Messages`].
fn config(name: &str) -> ConsumerConfig {
    let filter = SubjectPattern::parse("custom.bench.published.>").unwrap();
    ConsumerConfig::new(name, vec![filter])
}

async fn open(folder: &Path, sync: Sync) -> (TempDir, EventBus) {
    let directory = TempDir::new_in(folder).unwrap();
    let options = EmbeddedOptions { sync, ..EmbeddedOptions::default() };
    let bus = EventBus::embedded(directory.path(), options).await.unwrap();
    (directory, bus)
}

async fn close(directory: TempDir, bus: EventBus) {
    bus.drain().await.unwrap();
    directory.close().unwrap();
}
