//! A bus on a server that goes away: publishing fails at once, events wait in the store, and follow in order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{Error, EventBus, Health, NatsOptions, testing::NatsServer};
use omni_event_log::{AppendError, Config, Draft, EventLog, Parts, open};
use omni_events::{EventType, Org, Payload};
use omni_registry::Registry;
use omni_store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

async fn opened(store: &Store, bus: &EventBus, config: Config) -> EventLog {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let random = Arc::new(Random::from_entropy());
    let (store, bus, writer) = (store.clone(), bus.clone(), "test".to_owned());
    let parts = Parts { store, bus, registry, clock, random, writer, config };
    let (log, appender, publisher) = open(parts).await.unwrap();
    tokio::spawn(appender.run(CancellationToken::new()));
    tokio::spawn(publisher.run(CancellationToken::new()));
    log
}

async fn on(nats: &NatsServer) -> EventBus {
    EventBus::nats(NatsOptions::new(nats.url())).await.unwrap()
}

fn draft(payload: &str) -> Draft {
    let payload = Payload::parse(payload.to_owned().into()).unwrap();
    Draft::new(Org::default(), EventType::parse("custom.test").unwrap(), "test", payload)
}

async fn append(log: &EventLog, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(log.append(draft("1")).await.unwrap().event_id);
    }
    ids
}

async fn stream(nats: &NatsServer) -> async_nats::jetstream::stream::Stream {
    let client = async_nats::connect(nats.url()).await.unwrap();
    async_nats::jetstream::new(client).get_stream("CUSTOM").await.unwrap()
}

/// Waits until so many messages are in the stream, and answers their ids in its order.
async fn published(nats: &NatsServer, count: u64) -> Vec<Uuid> {
    let mut stream = stream(nats).await;
    let looking = async {
        while stream.info().await.unwrap().state.messages < count {
            SystemClock::new().sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), looking).await;
    let state = stream.cached_info().state.clone();
    assert!(found.is_ok(), "{} of {count} events reached the bus", state.messages);
    let mut ids = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        ids.push(message.headers.get("Nats-Msg-Id").unwrap().as_str().parse().unwrap());
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_while_the_server_is_away_follows_in_order() {
    let (store, mut nats) = (Store::temporary().await, NatsServer::start().await);
    let bus = on(&nats).await;
    let log = opened(&store, &bus, Config::default()).await;
    let mut ids = append(&log, 50).await;
    nats.kill().await;
    let mut health = bus.health();
    let away = health.wait_for(|health| *health != Health::Up);
    tokio::time::timeout(Duration::from_secs(20), away).await.unwrap().unwrap();
    let event = log.get(&Org::default(), ids[0]).await.unwrap().unwrap().event;
    let refused = bus.publish(std::slice::from_ref(&event)).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    ids.extend(append(&log, 300).await);
    assert!(log.stats().behind > 0);
    nats.restart().await;
    ids.extend(append(&log, 50).await);
    assert_eq!(published(&nats, 400).await, ids);
    assert!(log.repeats().cover(event.received_at), "it may have been handed out before");
}

/// A server that was cut from its power comes back without what it had not synced, and says nothing: its streams are
/// those that were there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_forgot_in_an_outage_is_published_again() {
    let (store, mut nats) = (Store::temporary().await, NatsServer::start().await);
    let bus = on(&nats).await;
    let config = Config { safe_after: Duration::from_mins(3), ..Config::default() };
    let log = opened(&store, &bus, config).await;
    let ids = append(&log, 100).await;
    assert_eq!(published(&nats, 100).await, ids);
    stream(&nats).await.purge().await.unwrap();
    // Its memory of ids goes with it.
    nats.restart().await;
    assert_eq!(published(&nats, 100).await, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_larger_than_the_server_takes_is_refused_at_the_door() {
    let (store, nats) = (Store::temporary().await, NatsServer::start().await);
    let bus = on(&nats).await;
    let log = opened(&store, &bus, Config::default()).await;
    let limit = bus.message_size_max();
    let of = |size: usize| draft(&format!("\"{}\"", "x".repeat(size)));
    match log.append(of(limit)).await {
        Err(AppendError::TooLarge { size, max }) => assert!(size > max && max == limit),
        other => panic!("{other:?}"),
    }
    match log.append(of(limit - 10)).await {
        Err(error @ AppendError::TooLarge { .. }) => {
            assert!(error.to_string().contains(&limit.to_string()), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let fits = log.append(of(limit - 1000)).await.unwrap();
    assert_eq!(published(&nats, 1).await, [fits.event_id]);
}
