//! The server goes away, comes back, and forgets.

use std::{collections::HashSet, time::Duration};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::TryStreamExt as _;
use omni_event_bus::{Error, EventBus, Health, Message, Stream, testing::NatsServer};
use tokio::time::timeout;

use super::{PATIENCE, healthy, open, orders, stranger};

/// Well below what a lost answer is waited for.
const SOON: Duration = Duration::from_secs(5);

async fn down(bus: &EventBus) {
    healthy(bus, |health| *health != Health::Up).await;
}

async fn up(bus: &EventBus) {
    healthy(bus, |health| *health == Health::Up).await;
}

#[tokio::test]
async fn publishing_fails_at_once_while_the_server_is_away_and_works_when_it_is_back() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let messages = orders(10);
    bus.publish_raw(messages.clone()).await.unwrap();
    let identity = bus.identity().await.unwrap();

    server.kill().await;
    down(&bus).await;
    for _ in 0..3 {
        let answer = timeout(SOON, bus.publish_raw(orders(10))).await.unwrap();
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
        let answer = timeout(SOON, bus.identity()).await.unwrap();
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    }

    server.restart().await;
    up(&bus).await;
    assert_eq!(bus.identity().await.unwrap(), identity);
    // What failed was not sent behind our back.
    assert_eq!(bus.publish_raw(orders(1)).await.unwrap()[0].sequence, 11);
    let repeated = bus.publish_raw(messages).await.unwrap();
    assert!(repeated.iter().all(|receipt| receipt.duplicate));
}

#[tokio::test]
async fn who_waits_for_receipts_is_told_when_the_connection_is_lost() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    // The server stands still, so that no answer comes.
    let pause = |signal: &str| {
        let status =
            std::process::Command::new("kill").args([signal, &server.pid().to_string()]).status();
        assert!(status.unwrap().success());
    };
    pause("-STOP");
    let publishing = tokio::spawn({
        let bus = bus.clone();
        async move { bus.publish_raw(orders(100)).await }
    });
    tokio::task::yield_now().await;
    pause("-KILL");
    let answer = timeout(SOON, publishing).await.unwrap().unwrap();
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
}

#[tokio::test]
async fn after_ten_tries_somebody_should_look_and_it_goes_on_trying() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let mut health = bus.health();
    assert_eq!(*health.borrow_and_update(), Health::Up);
    server.kill().await;
    let mut before = 0;
    loop {
        timeout(PATIENCE, health.changed()).await.unwrap().unwrap();
        match *health.borrow_and_update() {
            Health::Reconnecting { attempts } => {
                assert!(attempts >= before && attempts < Health::ATTEMPTS_MAX, "{attempts}");
                before = attempts;
            }
            Health::Degraded { attempts } => {
                assert_eq!(attempts, Health::ATTEMPTS_MAX);
                break;
            }
            Health::Up => panic!("nobody is there"),
        }
    }
    server.restart().await;
    up(&bus).await;
    bus.publish_raw(orders(1)).await.unwrap();
}

/// Publishes again and again until all have receipts, as a relay does.
async fn relay(bus: EventBus, messages: Vec<Message>) {
    for batch in messages.chunks(1_000) {
        while let Err(error) = bus.publish_raw(batch.to_vec()).await {
            assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
            up(&bus).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_after_a_kill_is_there_once_and_in_order() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    let messages = orders(20_000);
    let relaying = tokio::spawn(relay(bus.clone(), messages.clone()));
    for kills in 1..=4 {
        // In the midst of a batch.
        let watcher = stranger(&server).await;
        let mut stream = watcher.get_stream("CUSTOM").await.unwrap();
        let so_far = async { while stream.info().await.unwrap().state.messages < kills * 3_500 {} };
        timeout(PATIENCE, so_far).await.unwrap();
        assert!(!relaying.is_finished());
        server.kill().await;
        down(&bus).await;
        server.restart().await;
        up(&bus).await;
    }
    timeout(PATIENCE, relaying).await.unwrap().unwrap();

    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let reader = stranger(&server).await.create_consumer_on_stream(config, "CUSTOM").await.unwrap();
    let batch = reader.fetch().max_messages(2 * messages.len()).messages().await.unwrap();
    let stored: Vec<_> = batch.map_ok(|stored| stored.payload.clone()).try_collect().await.unwrap();
    let distinct: HashSet<_> = stored.iter().collect();
    assert_eq!(distinct.len(), stored.len(), "something is there twice");
    assert_eq!(stored.len(), messages.len());
    let inversions = stored.iter().zip(&messages).filter(|(stored, sent)| **stored != sent.data);
    assert_eq!(inversions.count(), 0, "out of order");
}

#[tokio::test]
async fn a_deleted_stream_is_made_again_by_the_next_publisher() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    bus.publish_raw(orders(5)).await.unwrap();
    let identity = bus.identity().await.unwrap();
    let jetstream = stranger(&server).await;
    jetstream.delete_stream("CUSTOM").await.unwrap();

    let messages = orders(300);
    let receipts = bus.publish_raw(messages).await.unwrap();
    let sequences: Vec<_> = receipts.iter().map(|receipt| receipt.sequence).collect();
    assert_eq!(sequences, (1..=300).collect::<Vec<_>>());
    assert!(receipts.iter().all(|receipt| receipt.stream == Stream::Custom && !receipt.duplicate));
    let after = bus.identity().await.unwrap();
    assert_ne!(after, identity);
    assert_eq!(bus.identity().await.unwrap(), after);
}

#[tokio::test]
async fn asking_for_the_identity_makes_a_deleted_stream_again() {
    let server = NatsServer::start().await;
    let bus = open(&server).await;
    let identity = bus.identity().await.unwrap();
    let jetstream = stranger(&server).await;
    jetstream.delete_stream("SYSTEM").await.unwrap();
    assert_ne!(bus.identity().await.unwrap(), identity);
    jetstream.get_stream("SYSTEM").await.unwrap();
}

#[tokio::test]
async fn a_server_that_lost_everything_is_set_up_again() {
    let mut server = NatsServer::start().await;
    let bus = open(&server).await;
    bus.publish_raw(orders(5)).await.unwrap();
    let identity = bus.identity().await.unwrap();
    server.delete_data().await;
    down(&bus).await;
    server.restart().await;
    up(&bus).await;
    let receipts = bus.publish_raw(orders(2)).await.unwrap();
    assert_eq!(receipts.iter().map(|receipt| receipt.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_ne!(bus.identity().await.unwrap(), identity);
    let jetstream = stranger(&server).await;
    for name in ["DEAD_LETTERS", "KV_omni_failures", "KV_omni_leases"] {
        jetstream.get_stream(name).await.unwrap();
    }
}
