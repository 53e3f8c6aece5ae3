//! Databases of older formats open, and lose nothing by it.

use std::sync::Arc;

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    ConsumerConfig, EmbeddedOptions, EventBus, Limit, Limits, Message, Read, ReadFrom, Stream,
};
use omni_events::SubjectPattern;
use tempfile::TempDir;
use uuid::Uuid;

fn options(seed: u64) -> EmbeddedOptions {
    let limit = Limit { age: Stream::Custom.retention(), bytes: Some(22_000) };
    EmbeddedOptions {
        clock: Arc::new(ManualClock::at_unix(1_800_000_000)),
        random: Arc::new(Random::seeded(seed)),
        limits: Limits::default().with(Stream::Custom, limit),
        ..EmbeddedOptions::default()
    }
}

fn message(subject: &str) -> Message {
    Message { id: Uuid::from_u128(1), subject: subject.into(), data: vec![b'x'; 1000].into() }
}

#[tokio::test]
async fn format_1_opens_and_gets_an_identity() {
    let directory = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(directory.path().join("bus.db")).unwrap();
    database.execute_batch(include_str!("../testdata/compat/bus-format-1.sql")).unwrap();
    drop(database);

    let bus = EventBus::embedded(directory.path(), options(1)).await.unwrap();
    let identity = bus.identity().await.unwrap();
    assert!(!identity.is_empty());
    let filters = vec![SubjectPattern::parse("custom.>").unwrap()];
    let mut member = bus.consumer(ConsumerConfig::new("test", filters)).await.unwrap();
    let delivery = member.next().await.unwrap();
    assert_eq!((delivery.sequence, delivery.attempt), (71, 2), "what failed once is known");
    assert_eq!(member.next().await.unwrap().sequence, 81, "what is settled stays so");
    let published = bus.publish_raw(vec![message("custom.a._._"), message("media.a._._")]).await;
    let sequences: Vec<_> = published.unwrap().iter().map(|receipt| receipt.sequence).collect();
    assert_eq!(sequences, [101, 6]);
    // 41 messages of about 1.1 kB are there, and room for 20.
    bus.purge_expired().await.unwrap();
    let filters = vec![SubjectPattern::all()];
    let from = ReadFrom::Sequence(1);
    let read = Read { stream: Stream::Custom, from, filters, max: 200 };
    let page = bus.read(&read).await.unwrap();
    assert_eq!((page.messages[0].sequence, page.messages.len()), (82, 20));
    bus.drain().await.unwrap();
    drop((member, bus));

    let bus = EventBus::embedded(directory.path(), options(2)).await.unwrap();
    assert_eq!(bus.identity().await.unwrap(), identity, "it is given once");
}

#[tokio::test]
async fn a_directory_that_was_deleted_comes_back_as_another_one() {
    let directory = TempDir::new().unwrap();
    let bus = EventBus::embedded(directory.path(), options(1)).await.unwrap();
    let identity = bus.identity().await.unwrap();
    bus.drain().await.unwrap();
    drop(bus);
    for file in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let bus = EventBus::embedded(directory.path(), options(2)).await.unwrap();
    assert_ne!(bus.identity().await.unwrap(), identity);
}
