//! What cannot be brought about from outside: a commit whose outcome is unknown.

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EventBus, Start};
use omni_events::{Event, EventType, Metadata, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::{
    Error, Store,
    events::{NewEvent, commit_batch},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Appender, Config, Draft, EventLog, Parts, Publisher, open};

struct Rig {
    store: Store,
    bus: EventBus,
    log: EventLog,
    appender: Appender,
    publisher: Publisher,
}

async fn rig() -> Rig {
    let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
    let parts = Parts {
        store: store.clone(),
        bus: bus.clone(),
        registry,
        clock,
        random: Arc::new(Random::from_entropy()),
        writer: "test".to_owned(),
        config: Config::default(),
    };
    let (log, appender, publisher) = open(parts).await.unwrap();
    Rig { store, bus, log, appender, publisher }
}

fn draft() -> Draft {
    let event_type = EventType::parse("custom.test").unwrap();
    Draft::new(Org::default(), event_type, "test", Payload::default())
}

/// The server has committed, and the connection broke before it could say so.
async fn commit_in_doubt(rig: &mut Rig) -> Uuid {
    let now = SystemClock::new().now();
    let id = Random::from_entropy().uuid_v7(now);
    let event = Event {
        id,
        event_type: draft().event_type,
        source: "test".to_owned(),
        time: now,
        received_at: now,
        payload: Payload::default(),
        schema_version: None,
        metadata: Metadata { org: Org::default(), ..Metadata::default() },
    };
    let mut conn = rig.store.write().await.unwrap();
    let news = [NewEvent::new(event, None, None)];
    commit_batch(&mut conn, rig.appender.writer, 0, now, &news).await.unwrap();
    drop(conn);
    rig.appender.fail(Vec::new(), Error::Busy { seconds: 0 }).unwrap();
    id
}

async fn take(bus: &EventBus, count: usize) -> Vec<Uuid> {
    let all = ConsumerConfig::new("test", vec![SubjectPattern::all()]);
    let mut consumer = bus.consumer(ConsumerConfig { start: Start::First, ..all }).await.unwrap();
    let mut ids = Vec::new();
    let taking = async {
        while ids.len() < count {
            let delivery = consumer.next().await.unwrap();
            ids.push(delivery.event().unwrap().id);
            delivery.ack().await;
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(10), taking).await;
    assert!(taken.is_ok(), "only {ids:?} of {count} events reached the bus");
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_a_commit_in_doubt_is_published_before_the_next() {
    let mut rig = rig().await;
    let first = commit_in_doubt(&mut rig).await;
    tokio::spawn(rig.appender.run(CancellationToken::new()));
    let next = rig.log.append(draft()).await.unwrap();
    // By the batch alone, without the look at the store that every tick takes.
    let batch = rig.publisher.batches.recv().await.unwrap();
    rig.publisher.publish(batch).await.unwrap();
    assert_eq!(take(&rig.bus, 2).await, [first, next.event_id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_a_commit_in_doubt_is_published_even_if_no_other_comes() {
    let mut rig = rig().await;
    let first = commit_in_doubt(&mut rig).await;
    tokio::spawn(rig.publisher.run(CancellationToken::new()));
    assert_eq!(take(&rig.bus, 1).await, [first]);
}
