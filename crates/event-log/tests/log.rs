//! The event log over a real store and a real bus: durable, in order, nothing lost between the two.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use futures_util::FutureExt as _;
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::{Consumer, ConsumerConfig, EventBus, Start};
use omni_event_log::{AppendError, Appender, Config, Draft, EventLog, Parts, Publisher, open};
use omni_events::{Event, EventType, HOPS_MAX, Metadata, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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

fn draft(n: usize) -> Draft {
    let payload = Payload::parse(format!("{{\"n\": {n}}}").into()).unwrap();
    Draft::new(Org::default(), EventType::parse("custom.test").unwrap(), "test", payload)
}

async fn consumer(bus: &EventBus) -> Consumer {
    let all = ConsumerConfig::new("test", vec![SubjectPattern::all()]);
    bus.consumer(ConsumerConfig { start: Start::First, ..all }).await.unwrap()
}

/// Takes so many events from the bus.
async fn take(consumer: &mut Consumer, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    while ids.len() < count {
        for delivery in consumer.next_batch(count - ids.len()).await {
            ids.push(delivery.event().unwrap().id);
            delivery.ack().await;
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appended_events_are_stored_and_reach_the_bus_in_order() {
    let (store, bus, stop) =
        (Store::temporary().await, EventBus::temporary().await, CancellationToken::new());
    let (log, appender, publisher) = opened(&store, &bus, Config::default(), system()).await;
    let appending = tokio::spawn(appender.run(stop.clone()));
    let publishing = tokio::spawn(publisher.run(stop.clone()));

    let appended = futures_util::future::join_all((0..500).map(|n| log.append(draft(n)))).await;
    let mut appended: Vec<_> = appended.into_iter().map(Result::unwrap).collect();
    appended.sort_by_key(|a| a.sequence);
    let wanted: Vec<_> = appended.iter().map(|a| a.event_id).collect();
    assert_eq!(take(&mut consumer(&bus).await, 500).await, wanted);

    let stored = log.get(&Org::default(), wanted[7]).await.unwrap().unwrap();
    assert_eq!((stored.event.id, stored.sequence), (wanted[7], appended[7].sequence));
    assert!(log.stats().commits < 500, "they were committed in groups: {:?}", log.stats());

    stop.cancel();
    appending.await.unwrap().unwrap();
    let closing = publishing.await.unwrap();
    assert_eq!(log.stats().behind, 0);
    closing.confirm().await.unwrap();
    let mut conn = store.read().await.unwrap();
    let writers = omni_store::outbox::writers(&mut conn).await.unwrap();
    assert!(writers.is_empty(), "a clean end leaves nothing to take over: {writers:?}");
    assert!(matches!(log.append(draft(0)).await, Err(AppendError::Stopped)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_one_event_whatever_happens_in_between() {
    let (store, bus, stop) =
        (Store::temporary().await, EventBus::temporary().await, CancellationToken::new());
    let (log, appender, _publisher) = opened(&store, &bus, Config::default(), system()).await;
    tokio::spawn(appender.run(stop.clone()));
    let keyed = |n, body: u8| draft(n).deduplicated("scope", "key-1", [body; 32]);
    let first = log.append(keyed(1, 7)).await.unwrap();
    let again = log.append(keyed(1, 7)).await.unwrap();
    assert_eq!(
        (again.event_id, again.sequence, again.repeat),
        (first.event_id, first.sequence, true)
    );
    match log.append(keyed(2, 8)).await {
        Err(AppendError::Conflict { event_id }) => assert_eq!(event_id, first.event_id),
        other => panic!("{other:?}"),
    }
    let elsewhere = draft(1).deduplicated("another scope", "key-1", [8; 32]);
    assert_ne!(log.append(elsewhere).await.unwrap().event_id, first.event_id);
}

/// A process that dies between commit and bus leaves its events to the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_did_not_publish_is_published_by_the_next() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let mut wanted = Vec::new();
    {
        let stop = CancellationToken::new();
        let (log, appender, publisher) = opened(&store, &bus, Config::default(), system()).await;
        let appending = tokio::spawn(appender.run(stop.clone()));
        for n in 0..700 {
            wanted.push(log.append(draft(n)).await.unwrap().event_id);
        }
        // It dies: the publisher never ran.
        drop(publisher);
        stop.cancel();
        appending.await.unwrap().unwrap();
    }
    let stop = CancellationToken::new();
    let (_log, _appender, publisher) = opened(&store, &bus, Config::default(), system()).await;
    tokio::spawn(publisher.run(stop));
    assert_eq!(take(&mut consumer(&bus).await, 700).await, wanted);
    only_the_living_writer_is_left(&store).await;
}

async fn only_the_living_writer_is_left(store: &Store) {
    let clock = SystemClock::new();
    loop {
        let mut conn = store.read().await.unwrap();
        let writers = omni_store::outbox::writers(&mut conn).await.unwrap();
        if writers.len() == 1 {
            return;
        }
        assert!(clock.elapsed().as_secs() < 30, "{writers:?}");
        tokio::task::yield_now().await;
    }
}

/// The publisher that fell behind reads the store and goes on in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_publisher_catches_up_from_the_store() {
    let (store, bus, stop) =
        (Store::temporary().await, EventBus::temporary().await, CancellationToken::new());
    let (log, appender, publisher) = opened(&store, &bus, Config::default(), system()).await;
    tokio::spawn(appender.run(stop.clone()));
    let mut wanted = Vec::new();
    // More batches than wait in memory: each append alone is a batch of its own.
    for n in 0..200 {
        wanted.push(log.append(draft(n)).await.unwrap().event_id);
    }
    tokio::spawn(publisher.run(stop.clone()));
    let mut consumer = consumer(&bus).await;
    assert_eq!(take(&mut consumer, 200).await, wanted);
    let last = log.append(draft(200)).await.unwrap().event_id;
    assert_eq!(take(&mut consumer, 1).await, [last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_may_wait_is_refused_before_it_is_accepted() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let config = Config { waiting_max: 3, ..Config::default() };
    let (log, appender, _publisher) = opened(&store, &bus, config, system()).await;
    // Nothing is committed yet, so each of these waits; whoever gives up waiting still has an event in the queue.
    for n in 0..3 {
        assert!(log.append(draft(n)).now_or_never().is_none(), "{n} waits for its commit");
    }
    let refused = log.append(draft(9)).now_or_never();
    assert!(matches!(refused, Some(Err(AppendError::Overloaded))), "{refused:?}");
    // Whoever was taken in is not let down.
    tokio::spawn(appender.run(CancellationToken::new()));
    while log.stats().appended < 3 {
        tokio::task::yield_now().await;
    }
    log.append(draft(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_that_do_not_all_find_room_are_not_taken_at_all() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let config = Config { waiting_max: 3, ..Config::default() };
    let (log, appender, _publisher) = opened(&store, &bus, config, system()).await;
    let checked = async |from: usize, count: usize| {
        let mut all = Vec::new();
        for n in from..from + count {
            all.push(log.check(draft(n)).await.unwrap());
        }
        all
    };
    assert!(log.append(draft(0)).now_or_never().is_none());
    let refused = log.append_all(checked(1, 3).await).now_or_never();
    assert!(matches!(refused, Some(Err(AppendError::Overloaded))), "{refused:?}");
    // Whoever goes away after that leaves both in the queue, and the refused ones took no room.
    assert!(log.append_all(checked(4, 2).await).now_or_never().is_none());
    tokio::spawn(appender.run(CancellationToken::new()));
    while log.stats().appended < 3 {
        tokio::task::yield_now().await;
    }
    let answers = log.append_all(checked(6, 3).await).await.unwrap();
    let sequences: Vec<i64> = answers.into_iter().map(|one| one.unwrap().sequence).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    while log.stats().appended < 6 {
        tokio::task::yield_now().await;
    }
    assert!(log.append_all(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_is_too_large_for_the_bus_fails_its_check() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let (log, _appender, _publisher) = opened(&store, &bus, Config::default(), system()).await;
    let mut large = draft(0);
    let text = format!("\"{}\"", "x".repeat(bus.message_size_max()));
    large.payload = omni_events::Payload::parse(text.into()).unwrap();
    assert!(log.check(large).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_cut_with_its_path() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let clock = ManualClock::at_unix(1_800_000_000);
    let (log, appender, _publisher) =
        opened(&store, &bus, Config::default(), Arc::new(clock)).await;
    tokio::spawn(appender.run(CancellationToken::new()));
    let mut next = draft(0);
    for hop in 0..=HOPS_MAX {
        let id = log.append(next).await.unwrap().event_id;
        let parent: Event = log.get(&Org::default(), id).await.unwrap().unwrap().event;
        assert_eq!(parent.metadata.hops, hop);
        next = draft(usize::from(hop) + 1).caused_by(&parent);
    }
    match log.append(next).await {
        Err(AppendError::Loop { limit, path }) => {
            assert_eq!((limit, path.len()), (HOPS_MAX, usize::from(HOPS_MAX) + 2));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_would_break_a_subject_is_refused() {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let (log, _appender, _publisher) = opened(&store, &bus, Config::default(), system()).await;
    let mut bad = draft(0);
    bad.metadata = Metadata { instance_id: Some("a.b".into()), ..bad.metadata };
    assert!(matches!(
        log.append(bad).await,
        Err(AppendError::Metadata { field: "instanceId", .. })
    ));
    let mut bad = draft(0);
    bad.metadata.correlation_id = "x".repeat(300);
    assert!(matches!(
        log.append(bad).await,
        Err(AppendError::Metadata { field: "correlationId", .. })
    ));
}
