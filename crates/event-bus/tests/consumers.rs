//! Consumers and subscriptions of the embedded bus on a clock that is moved by hand.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc, time::Duration};

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    ConsumerConfig, EmbeddedOptions, EventBus, Latency, Message, OrderingKey, Start,
};
use omni_events::SubjectPattern;
use omni_retry::Policy;
use uuid::Uuid;

async fn open(directory: &Path, clock: &ManualClock) -> EventBus {
    let options = EmbeddedOptions {
        clock: Arc::new(clock.clone()),
        random: Arc::new(Random::seeded(3)),
        ..EmbeddedOptions::default()
    };
    EventBus::embedded(directory, options).await.unwrap()
}

fn config(name: &str) -> ConsumerConfig {
    let start = Start::First;
    ConsumerConfig { start, ..ConsumerConfig::new(name, vec![SubjectPattern::all()]) }
}

async fn publish(bus: &EventBus, numbers: impl IntoIterator<Item = u128>) {
    let message = |number| {
        let id = Uuid::from_u128(number);
        Message { id, subject: "custom.a._._".into(), data: "{}".into() }
    };
    bus.publish_raw(numbers.into_iter().map(message).collect()).await.unwrap();
}

#[tokio::test]
async fn ack_latency_is_the_time_from_handing_out() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at_unix(0));
    let bus = open(directory.path(), &clock).await;
    let mut consumer = bus.consumer(config("measured")).await.unwrap();
    publish(&bus, 1..=3).await;
    clock.advance(Duration::from_secs(5));
    let batch = consumer.next_batch(3).await;
    assert_eq!(batch.len(), 3);
    clock.advance(Duration::from_millis(30));
    bus.ack_all(batch).await;
    let stats = bus.stats().consumers.remove(0);
    let bucket = Latency::BOUNDS.iter().position(|b| *b == Duration::from_millis(50)).unwrap();
    assert_eq!((stats.acked, stats.ack_latency.counts[bucket]), (3, 3));
    assert_eq!(stats.ack_latency.sum, Duration::from_millis(90));
}

#[tokio::test]
async fn reasons_are_short_where_there_may_be_many() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at_unix(0));
    let bus = open(directory.path(), &clock).await;
    let retry = Policy { max_attempts: 1_000, ..Policy::default() };
    let mut consumer = bus.consumer(ConsumerConfig { retry, ..config("wordy") }).await.unwrap();
    publish(&bus, [1]).await;
    let long = "x".repeat(10_000);
    consumer.next().await.unwrap().retry_in(Duration::ZERO, &long).await;
    consumer.next().await.unwrap().reject(&long).await;
    let dead = bus.dead_letters(1).await.unwrap().remove(0);
    let lengths: Vec<_> = dead.reasons.iter().map(String::len).collect();
    assert_eq!(lengths, ["attempt 1: ".len() + 65, 4096]);
}

/// What is behind an ordered consumer and a subscription must not outlive them.
#[tokio::test]
async fn nothing_keeps_the_bus_open_when_its_handles_are_gone() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at_unix(0));
    for round in 1..=3 {
        let bus = open(directory.path(), &clock).await;
        let ordering = Some(OrderingKey::Subject);
        let mut consumer =
            bus.consumer(ConsumerConfig { ordering, ..config("ordered") }).await.unwrap();
        publish(&bus, [round * 2, round * 2 + 1]).await;
        assert!(consumer.next().await.is_some());
        let subscription = bus.subscribe(config("handled"), async |_| Ok(())).await.unwrap();
        subscription.stop().await;
    }
}

#[tokio::test]
async fn a_member_that_nobody_polls_holds_up_no_other() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at_unix(0));
    let bus = open(directory.path(), &clock).await;
    let config = ConsumerConfig { ordering: Some(OrderingKey::Subject), ..config("stalled") };
    let mut one = bus.consumer(config.clone()).await.unwrap();
    let mut two = bus.consumer(config).await.unwrap();
    let mut stalled = Box::pin(one.next());
    assert!(futures_util::poll!(&mut stalled).is_pending());
    publish(&bus, 1..=3).await;
    for sequence in 1..=3 {
        let delivery = tokio::time::timeout(Duration::from_secs(20), two.next()).await;
        let delivery = delivery.unwrap().unwrap();
        assert_eq!(delivery.sequence, sequence);
        delivery.ack().await;
    }
}

/// A call that is cancelled must neither lose what was pulled nor keep others from pulling.
#[tokio::test]
async fn cancelled_calls_take_nothing_from_ordered_consumers() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at_unix(0));
    let bus = open(directory.path(), &clock).await;
    let config = ConsumerConfig { ordering: Some(OrderingKey::Subject), ..config("cancelled") };
    let mut one = bus.consumer(config.clone()).await.unwrap();
    let mut two = bus.consumer(config).await.unwrap();
    for number in 1..=50 {
        // `one` waits first and is given up when `two` has got the message.
        let delivery = tokio::select! {
            biased;
            delivery = async { tokio::join!(two.next(), publish(&bus, [number])).0 } => delivery,
            delivery = one.next() => delivery,
        };
        let delivery = delivery.unwrap();
        assert_eq!((delivery.sequence, delivery.attempt), (number as u64, 1));
        delivery.ack().await;
    }
    assert_eq!(bus.stats().consumers[0].in_flight, 0);
}
