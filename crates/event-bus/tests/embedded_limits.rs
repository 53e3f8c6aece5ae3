//! What the embedded bus keeps: by age, by size, and what that does to those who read.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc, time::Duration};

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    Consumer, ConsumerConfig, Delivery, EmbeddedOptions, EventBus, Limit, Limits, Message, Read,
    ReadFrom, ReplayConfig, ReplayFrom, ReplayUntil, Start, Stream, Sync,
};
use omni_events::SubjectPattern;
use tempfile::TempDir;
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);

/// A message of this size takes about as much of the limit.
const SIZE: usize = 1000;

/// Room for about a hundred of them.
const KEPT: u64 = 110_000;

struct Place {
    directory: TempDir,
    clock: ManualClock,
    limits: Limits,
}

impl Place {
    fn new() -> Self {
        let limit = Limit { age: 7 * DAY, bytes: Some(KEPT) };
        let limits = Limits::default().with(Stream::Custom, limit);
        let clock = ManualClock::at_unix(1_800_000_000);
        Self { directory: TempDir::new().unwrap(), clock, limits }
    }

    async fn open(&self) -> EventBus {
        self.open_at(self.directory.path()).await
    }

    async fn open_at(&self, directory: &Path) -> EventBus {
        let options = EmbeddedOptions {
            sync: Sync::EveryCommit,
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(Random::seeded(7)),
            limits: self.limits.clone(),
        };
        EventBus::embedded(directory, options).await.unwrap()
    }
}

fn filters() -> Vec<SubjectPattern> {
    vec![SubjectPattern::parse("custom.>").unwrap()]
}

async fn consumer(bus: &EventBus) -> Consumer {
    let config = ConsumerConfig { start: Start::First, ..ConsumerConfig::new("test", filters()) };
    bus.consumer(config).await.unwrap()
}

async fn publish(bus: &EventBus, subject: &str, numbers: impl IntoIterator<Item = u128>) {
    let message = |number| Message {
        id: Uuid::from_u128(number),
        subject: subject.into(),
        data: vec![b'x'; SIZE].into(),
    };
    bus.publish_raw(numbers.into_iter().map(message).collect()).await.unwrap();
}

/// The first sequence that is kept, and how many are.
async fn kept(bus: &EventBus, stream: Stream) -> (u64, usize) {
    let filters = vec![SubjectPattern::parse(">").unwrap()];
    let mut read = Read { stream, from: ReadFrom::Sequence(1), filters, max: 256 };
    let mut sequences = Vec::new();
    loop {
        let page = bus.read(&read).await.unwrap();
        sequences.extend(page.messages.into_iter().map(|pulled| pulled.sequence));
        let Some(next) = page.next else { break };
        read.from = ReadFrom::Sequence(next);
    }
    (sequences.first().copied().unwrap_or(0), sequences.len())
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> Delivery {
    within(consumer.next()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_outgrows_its_size_is_shrunk_in_the_background() {
    let place = Place::new();
    let bus = place.open().await;
    publish(&bus, "media.a._._", 10_000..10_300).await;
    for batch in 0..20 {
        publish(&bus, "custom.a._._", batch * 100..(batch + 1) * 100).await;
    }
    let shrunk = async {
        // A sixteenth more is let be.
        while kept(&bus, Stream::Custom).await.1 > 110 {
            tokio::task::yield_now().await;
        }
    };
    within(shrunk).await;
    bus.purge_expired().await.unwrap();
    let (first, count) = kept(&bus, Stream::Custom).await;
    assert_eq!((first, first + count as u64 - 1), (1901, 2000), "the newest are kept");
    assert_eq!(kept(&bus, Stream::Media).await, (1, 300), "it has no such limit");
    assert_eq!(bus.purge_expired().await.unwrap(), 0);
}

#[tokio::test]
async fn the_size_of_a_stream_is_known_after_a_restart_and_after_a_crash() {
    let place = Place::new();
    let unlimited = Place { limits: Limits::default(), ..Place::new() };
    let bus = unlimited.open().await;
    publish(&bus, "custom.a._._", 0..150).await;
    bus.drain().await.unwrap();
    drop(bus);
    let bus = unlimited.open().await;
    publish(&bus, "custom.a._._", 1000..1050).await;
    // What is in the files now is what a killed process leaves.
    for file in ["bus.db", "bus.db-wal"] {
        std::fs::copy(unlimited.directory.path().join(file), place.directory.path().join(file))
            .unwrap();
    }
    let bus = place.open().await;
    assert_eq!(bus.purge_expired().await.unwrap(), 100);
    assert_eq!(kept(&bus, Stream::Custom).await, (101, 100));
    let bus = {
        drop(bus);
        place.open().await
    };
    publish(&bus, "custom.a._._", 2000..2001).await;
    assert_eq!(bus.purge_expired().await.unwrap(), 1);
    assert_eq!(kept(&bus, Stream::Custom).await, (102, 100));
}

#[tokio::test]
async fn a_message_larger_than_the_limit_is_kept_until_the_next_one() {
    let place = Place::new();
    let bus = place.open().await;
    let huge = |number| Message {
        id: Uuid::from_u128(number),
        subject: "custom.a._._".into(),
        data: vec![b'x'; 1 << 20].into(),
    };
    bus.publish_raw(vec![huge(1)]).await.unwrap();
    bus.purge_expired().await.unwrap();
    assert_eq!(kept(&bus, Stream::Custom).await, (1, 1));
    bus.publish_raw(vec![huge(2)]).await.unwrap();
    bus.purge_expired().await.unwrap();
    assert_eq!(kept(&bus, Stream::Custom).await, (2, 1));
}

#[tokio::test]
async fn a_consumer_goes_on_behind_what_was_removed() {
    let place = Place::new();
    let bus = place.open().await;
    let mut member = consumer(&bus).await;
    publish(&bus, "custom.a._._", 0..10).await;
    let held = within(member.next_batch(3)).await;
    publish(&bus, "custom.a._._", 1000..2000).await;
    bus.purge_expired().await.unwrap();
    let (first, _) = kept(&bus, Stream::Custom).await;
    assert!(first > 900, "{first}");
    let delivery = next(&mut member).await;
    assert_eq!((delivery.sequence, delivery.attempt), (first, 1));
    delivery.ack().await;
    // What it had in hand before is its to settle still.
    held.into_iter().next().unwrap().reject("too late").await;
    assert_eq!(bus.dead_letters(1).await.unwrap()[0].sequence, 1);
    bus.drain().await.unwrap();
    drop((member, bus));

    let bus = place.open().await;
    let mut member = consumer(&bus).await;
    let delivery = next(&mut member).await;
    assert_eq!(delivery.sequence, first + 1);
    delivery.ack().await;
    // All that it has seen is gone, and all that it has not.
    place.clock.advance(8 * DAY);
    bus.purge_expired().await.unwrap();
    assert_eq!(kept(&bus, Stream::Custom).await, (0, 0));
    publish(&bus, "custom.a._._", [5000]).await;
    assert_eq!(next(&mut member).await.sequence, 1011);
}

#[tokio::test]
async fn a_replay_goes_on_behind_what_was_removed() {
    let place = Place { limits: Limits::default(), ..Place::new() };
    let bus = place.open().await;
    publish(&bus, "custom.a._._", 0..600).await;
    let (from, until) = (ReplayFrom::First, ReplayUntil::Sequence(1000));
    let config = ReplayConfig { filters: filters(), from, until, rate: None };
    let mut replay = bus.replay(config).unwrap();
    let first = replay.next().await.unwrap().unwrap();
    place.clock.advance(8 * DAY);
    publish(&bus, "custom.a._._", 1000..1002).await;
    assert_eq!(bus.purge_expired().await.unwrap(), 600);
    let mut sequences = vec![first.sequence];
    while let Some(replayed) = replay.next().await.unwrap() {
        sequences.push(replayed.sequence);
    }
    assert!(sequences.is_sorted());
    assert_eq!(sequences[sequences.len() - 2..], [601, 602]);
    assert!(sequences.len() < 602, "it read ahead all of them");
}

#[tokio::test]
async fn dead_letters_go_by_age_and_size() {
    let mut place = Place::new();
    place.limits = Limits::default();
    let bury = async |bus: &EventBus, numbers: std::ops::Range<u128>| {
        let mut member = consumer(bus).await;
        publish(bus, "custom.a._._", numbers.clone()).await;
        for _ in numbers {
            next(&mut member).await.reject("for the test").await;
        }
        bus.dead_letters(1).await.unwrap();
    };
    let dead = async |bus: &EventBus| -> Vec<u64> {
        let dead = bus.dead_letters(1000).await.unwrap();
        dead.into_iter().map(|dead| dead.sequence).collect()
    };
    let bus = place.open().await;
    bury(&bus, 0..100).await;
    place.clock.advance(20 * DAY);
    bury(&bus, 100..120).await;
    bus.purge_expired().await.unwrap();
    assert_eq!(dead(&bus).await.len(), 120);
    place.clock.advance(20 * DAY);
    bus.purge_expired().await.unwrap();
    assert_eq!(dead(&bus).await, (101..=120).rev().collect::<Vec<_>>());
    bus.drain().await.unwrap();
    drop(bus);

    place.limits.dead_letters.bytes = Some(11_000);
    let bus = place.open().await;
    assert_eq!(bus.purge_expired().await.unwrap(), 10);
    assert_eq!(dead(&bus).await, (111..=120).rev().collect::<Vec<_>>());
    place.clock.advance(20 * DAY);
    bus.purge_expired().await.unwrap();
    assert_eq!(dead(&bus).await, Vec::<u64>::new());
    bury(&bus, 200..201).await;
    bus.purge_expired().await.unwrap();
    assert_eq!(dead(&bus).await, [121]);
}
