//! What is particular to the embedded backend: its files, its limits, and what a crash leaves.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc, time::Duration};

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    Consumer, ConsumerConfig, EmbeddedOptions, Error, EventBus, Message, Start, Stream, Sync,
};
use omni_events::SubjectPattern;
use tempfile::TempDir;
use uuid::Uuid;

fn options() -> EmbeddedOptions {
    EmbeddedOptions {
        sync: Sync::EveryCommit,
        clock: Arc::new(ManualClock::at_unix(1_800_000_000)),
        random: Arc::new(Random::seeded(7)),
        ..EmbeddedOptions::default()
    }
}

async fn open(directory: &Path) -> EventBus {
    EventBus::embedded(directory, options()).await.unwrap()
}

async fn consumer(bus: &EventBus) -> Consumer {
    let filter = SubjectPattern::parse("custom.>").unwrap();
    let config =
        ConsumerConfig { start: Start::First, ..ConsumerConfig::new("test", vec![filter]) };
    bus.consumer(config).await.unwrap()
}

fn message(subject: &str, number: u128, size: usize) -> Message {
    Message { id: Uuid::from_u128(number), subject: subject.into(), data: vec![b'x'; size].into() }
}

async fn publish(bus: &EventBus, numbers: impl IntoIterator<Item = u128>) -> Vec<u64> {
    let messages = numbers.into_iter().map(|number| message("custom.a._._", number, 100));
    let receipts = bus.publish_raw(messages.collect()).await.unwrap();
    receipts.into_iter().map(|receipt| receipt.sequence).collect()
}

/// Takes as many as are there.
async fn drained(consumer: &mut Consumer, bus: &EventBus) -> Vec<u64> {
    let end = bus.publish_raw(vec![message("custom.end._._", 1 << 100, 1)]).await.unwrap();
    let mut sequences = Vec::new();
    while sequences.last() != Some(&end[0].sequence) {
        let batch = consumer.next_batch(100).await;
        assert!(!batch.is_empty());
        sequences.extend(batch.iter().map(|delivery| delivery.sequence));
        bus.ack_all(batch).await;
    }
    sequences.pop();
    sequences
}

#[tokio::test]
async fn a_bus_is_open_once() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let second = EventBus::embedded(directory.path(), options()).await;
    let Err(error @ Error::Locked { .. }) = second else { panic!("{second:?}") };
    assert!(error.to_string().contains("bus.lock"), "{error}");
    bus.drain().await.unwrap();
    // The first handle is still there, but it has let go.
    open(directory.path()).await;
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()).await);
    let database = rusqlite::Connection::open(directory.path().join("bus.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    let refused = EventBus::embedded(directory.path(), options()).await;
    assert!(matches!(refused, Err(Error::Version { found: 99, .. })), "{refused:?}");
}

#[tokio::test]
async fn dropping_the_bus_stores_what_was_settled() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let mut member = consumer(&bus).await;
    publish(&bus, 1..=10).await;
    bus.ack_all(member.next_batch(4).await).await;
    drop((bus, member));
    let bus = open(directory.path()).await;
    assert_eq!(drained(&mut consumer(&bus).await, &bus).await, [5, 6, 7, 8, 9, 10]);
}

/// The files as they are at some moment are what a killed process leaves behind.
#[tokio::test]
async fn a_killed_process_loses_no_receipt_and_skips_nothing() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let mut member = consumer(&bus).await;
    publish(&bus, 1..=10).await;
    // Neither is stored yet: nobody publishes, and the clock stands still.
    bus.ack_all(member.next_batch(3).await).await;
    let rest = member.next_batch(2).await;
    let image = TempDir::new().unwrap();
    for file in ["bus.db", "bus.db-wal"] {
        std::fs::copy(directory.path().join(file), image.path().join(file)).unwrap();
    }
    let revived = open(image.path()).await;
    assert_eq!(publish(&revived, [7]).await, [7], "ids are known again");
    let sequences = drained(&mut consumer(&revived).await, &revived).await;
    assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
    // The next commit carries them; what is out is still out.
    publish(&bus, [11]).await;
    let image = TempDir::new().unwrap();
    for file in ["bus.db", "bus.db-wal"] {
        std::fs::copy(directory.path().join(file), image.path().join(file)).unwrap();
    }
    let revived = open(image.path()).await;
    let sequences = drained(&mut consumer(&revived).await, &revived).await;
    assert_eq!(sequences, (4..=11).collect::<Vec<_>>());
    drop(rest);
}

#[tokio::test]
async fn a_failed_commit_leaves_everything_as_it_was() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let mut member = consumer(&bus).await;
    publish(&bus, [1, 2]).await;
    let first = member.next().await.unwrap();
    let database = rusqlite::Connection::open(directory.path().join("bus.db")).unwrap();
    let trigger =
        "CREATE TRIGGER broken BEFORE INSERT ON stream_custom WHEN new.subject LIKE '%bad%'
                   BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    database.execute_batch(trigger).unwrap();
    first.ack().await;
    let batch = vec![message("custom.a._._", 3, 1), message("custom.bad._._", 4, 1)];
    let failed = bus.publish_raw(batch).await.unwrap_err();
    assert!(matches!(failed, Error::Backend { .. }), "{failed:?}");
    database.execute_batch("DROP TRIGGER broken").unwrap();
    let receipts = bus.publish_raw(vec![message("custom.a._._", 3, 1)]).await.unwrap();
    assert_eq!((receipts[0].sequence, receipts[0].duplicate), (3, false));
    drop((bus, member));
    let bus = open(directory.path()).await;
    let sequences = drained(&mut consumer(&bus).await, &bus).await;
    assert_eq!(sequences, [2, 3], "the ack of the failed commit was stored by the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_get_sequences_without_gaps() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..32_u128 {
        let bus = bus.clone();
        tasks.spawn(async move {
            let mut got = Vec::new();
            for number in 0..20 {
                got.extend(publish(&bus, [publisher * 1000 + number]).await);
            }
            assert!(got.is_sorted(), "{got:?}");
            got
        });
    }
    let mut all = tasks.join_all().await.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=640).collect::<Vec<_>>());
    assert_eq!(drained(&mut consumer(&bus).await, &bus).await, all);
}

#[tokio::test]
async fn neither_memory_nor_the_log_grow_with_the_stream() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    for number in 0..60 {
        let batch = (0..4).map(|part| message("custom.big._._", number * 4 + part, 1 << 20));
        bus.publish_raw(batch.collect()).await.unwrap();
    }
    // 240 MB went through it.
    let log = std::fs::metadata(directory.path().join("bus.db-wal")).unwrap().len();
    assert!(log < 200 << 20, "the log has {log} bytes");
    let mut member = consumer(&bus).await;
    assert_eq!(drained(&mut member, &bus).await, (1..=240).collect::<Vec<_>>());
    let huge = bus.publish_raw(vec![message("custom.huge._._", 1 << 90, 17 << 20)]).await;
    assert!(matches!(huge, Err(Error::TooLarge { .. })), "{huge:?}");
}

#[tokio::test]
async fn the_agent_removes_what_is_old() {
    let directory = TempDir::new().unwrap();
    let clock = ManualClock::at_unix(1_800_000_000);
    let options = EmbeddedOptions { clock: Arc::new(clock.clone()), ..options() };
    let bus = EventBus::embedded(directory.path(), options).await.unwrap();
    publish(&bus, 1..=3).await;
    clock.advance(Duration::from_hours(8 * 24));
    // It looks at once, and only then finds that it is to stop.
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    bus.retention().run(stop).await;
    assert_eq!(drained(&mut consumer(&bus).await, &bus).await, Vec::<u64>::new());
    assert_eq!(bus.purge_expired().await.unwrap(), 0);
}

#[tokio::test]
async fn dead_letters_outlive_their_consumer() {
    let directory = TempDir::new().unwrap();
    let bus = open(directory.path()).await;
    let mut member = consumer(&bus).await;
    publish(&bus, [1, 2]).await;
    member.next().await.unwrap().reject("one").await;
    bus.seek("test", Start::First).await.unwrap();
    member.next().await.unwrap().reject("two").await;
    bus.forget("test").await.unwrap();
    let dead = bus.dead_letters(10).await.unwrap();
    let reasons: Vec<_> = dead.into_iter().flat_map(|dead| dead.reasons).collect();
    assert_eq!(reasons, ["two", "one"], "newest first");
}

#[tokio::test]
async fn a_temporary_bus_works_and_is_gone_afterwards() {
    let bus = EventBus::temporary().await;
    let mut member = consumer(&bus).await;
    publish(&bus, [1]).await;
    let delivery = tokio::time::timeout(Duration::from_secs(20), member.next()).await.unwrap();
    assert_eq!(delivery.unwrap().stream, Stream::Custom);
}
