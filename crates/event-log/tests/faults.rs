//! What goes wrong between the store and the bus: events that the bus refuses, clocks, and a watermark that must not
//! run ahead of the disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Start, Sync};
use omni_event_log::{AppendError, Appender, Config, Draft, EventLog, Parts, Publisher, open};
use omni_events::{Event, EventType, Metadata, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::{
    Store,
    events::{NewEvent, commit_batch},
    outbox,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// More than one message of the bus holds.
const TOO_LARGE: usize = 17 << 20;

async fn opened(
    store: &Store,
    bus: &EventBus,
    config: Config,
    clock: Arc<dyn Clock>,
) -> (EventLog, Appender, Publisher) {
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let random = Arc::new(Random::from_entropy());
    let (store, bus, writer) = (store.clone(), bus.clone(), "test".to_owned());
    open(Parts { store, bus, registry, clock, random, writer, config }).await.unwrap()
}

fn system() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn draft_of(bytes: usize) -> Draft {
    let payload = Payload::parse(format!("\"{}\"", "x".repeat(bytes)).into()).unwrap();
    Draft::new(Org::default(), EventType::parse("custom.test").unwrap(), "test", payload)
}

/// Takes so many events from the bus, within a bounded time.
async fn take(bus: &EventBus, count: usize) -> Vec<Uuid> {
    let all = ConsumerConfig::new("test", vec![SubjectPattern::all()]);
    let config = ConsumerConfig { start: Start::First, ..all };
    let mut consumer = bus.consumer(config).await.unwrap();
    let mut ids = Vec::new();
    let taking = async {
        while ids.len() < count {
            for delivery in consumer.next_batch(count - ids.len()).await {
                ids.push(delivery.event().unwrap().id);
                delivery.ack().await;
            }
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(20), taking).await;
    assert!(taken.is_ok(), "only {} of {count} events reached the bus", ids.len());
    ids
}

fn event(bytes: usize, at: DateTime<Utc>) -> Event {
    let draft = draft_of(bytes);
    Event {
        id: Random::from_entropy().uuid_v7(at),
        event_type: draft.event_type,
        source: draft.source,
        time: at,
        received_at: at,
        payload: draft.payload,
        schema_version: None,
        metadata: Metadata { org: Org::default(), ..Metadata::default() },
    }
}

/// Stored, but refused by the bus for ever: it must not stand in the way of all others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_bus_refuses_holds_up_nobody() {
    let (store, bus, clock) =
        (Store::temporary().await, EventBus::temporary().await, SystemClock::new());
    let now = clock.now();
    let events = [event(1, now), event(TOO_LARGE, now), event(2, now)];
    let mut conn = store.write().await.unwrap();
    let dead = outbox::claim_writer(&mut conn, "dead", now).await.unwrap();
    let news: Vec<_> =
        events.iter().map(|event| NewEvent::new(event.clone(), None, None)).collect();
    commit_batch(&mut conn, dead, 0, now, &news).await.unwrap();
    drop(conn);

    let (log, appender, publisher) = opened(&store, &bus, Config::default(), system()).await;
    let stop = CancellationToken::new();
    tokio::spawn(appender.run(stop.clone()));
    tokio::spawn(publisher.run(stop.clone()));
    assert_eq!(take(&bus, 2).await, [events[0].id, events[2].id]);
    let next = log.append(draft_of(3)).await.unwrap();
    assert_eq!(take(&bus, 1).await, [next.event_id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bus_or_a_database_could_not_hold_is_refused_at_the_door() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let (log, appender, _publisher) = opened(&store, &bus, Config::default(), system()).await;
    tokio::spawn(appender.run(CancellationToken::new()));
    let field = async |draft| match log.append(draft).await {
        Err(AppendError::Metadata { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(draft_of(TOO_LARGE)).await, "payload");
    let mut bad = draft_of(1);
    bad.metadata.provider = Some("a\0b".into());
    assert_eq!(field(bad).await, "provider");
    let mut bad = draft_of(1);
    bad.time = Some(DateTime::<Utc>::MIN_UTC);
    assert_eq!(field(bad).await, "time");
    assert_eq!(field(draft_of(1).deduplicated("scope\0", "key", [0; 32])).await, "idempotencyKey");
}

/// The bus syncs some time after it has answered: what it got just now may be gone after a power cut, so the store must
/// not say that it is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watermark_does_not_run_ahead_of_the_disk() {
    let clock = ManualClock::at_unix(1_800_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let (store, directory) = (Store::temporary().await, tempfile::tempdir().unwrap());
    let options = EmbeddedOptions {
        sync: Sync::Interval(Duration::from_millis(500)),
        clock: shared.clone(),
        random: Arc::new(Random::seeded(1)),
        ..EmbeddedOptions::default()
    };
    let bus = EventBus::embedded(directory.path(), options).await.unwrap();
    let (log, appender, publisher) = opened(&store, &bus, Config::default(), shared).await;
    let stop = CancellationToken::new();
    let appending = tokio::spawn(appender.run(stop.clone()));
    log.append(draft_of(1)).await.unwrap();
    // It publishes in its first look at the store, and in its last one no time has passed since.
    let publishing = tokio::spawn(publisher.run(stop.clone()));
    take(&bus, 1).await;
    stop.cancel();
    appending.await.unwrap().unwrap();
    publishing.await.unwrap();
    let mut conn = store.read().await.unwrap();
    let writers = outbox::writers(&mut conn).await.unwrap();
    assert_eq!(writers[0].published_through, 0, "{writers:?}");
}

/// Events are counted in bytes, too: a slow disk and large bodies must not fill the memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded_in_bytes() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let config = Config { waiting_bytes_max: 4 << 20, ..Config::default() };
    let (log, _appender, _publisher) = opened(&store, &bus, config, system()).await;
    let mut taken = 0;
    while log.append(draft_of(1 << 20)).now_or_never().is_none() {
        taken += 1;
        assert!(taken <= 4, "{taken} MiB wait");
    }
    assert!(taken >= 3, "{taken} MiB wait");
    // One that is larger than the whole bound passes when nothing else waits, or it could never be sent.
    let config = Config { waiting_bytes_max: 1 << 20, ..Config::default() };
    let (log, appender, _publisher) = opened(&store, &bus, config, system()).await;
    tokio::spawn(appender.run(CancellationToken::new()));
    log.append(draft_of(2 << 20)).await.unwrap();
}
