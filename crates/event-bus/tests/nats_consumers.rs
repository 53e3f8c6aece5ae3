//! Consumers on real servers: several processes, crashes between any two steps, and servers that forget.
//!
//! A bus that is dropped without a drain stands for a process that was killed: nothing is given back, nobody is told.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

#[path = "nats_consumers/faults.rs"]
mod faults;
#[path = "nats_consumers/members.rs"]
mod members;
#[path = "nats_consumers/moves.rs"]
mod moves;
#[path = "nats_consumers/ordered.rs"]
mod ordered;
#[path = "nats_consumers/places.rs"]
mod places;

use std::{collections::BTreeMap, time::Duration};

use async_nats::jetstream;
use omni_clock::{Clock, SystemClock};
use omni_event_bus::{
    Consumer, ConsumerConfig, DeadLetter, Delivery, EventBus, Message, NatsOptions, Start,
    testing::NatsServer,
};
use omni_events::SubjectPattern;
use tokio::time::timeout;
use uuid::Uuid;

/// A wait that only a failure spends.
const PATIENCE: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

async fn open(server: &NatsServer) -> EventBus {
    EventBus::nats(NatsOptions::new(server.url())).await.unwrap()
}

/// A client without our code.
async fn stranger(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

fn filters(patterns: &[&str]) -> Vec<SubjectPattern> {
    patterns.iter().map(|pattern| SubjectPattern::parse(pattern).unwrap()).collect()
}

/// A consumer of everything in `custom` from the first message on, with a short ack wait.
fn config(name: &str) -> ConsumerConfig {
    ConsumerConfig {
        start: Start::First,
        ack_wait: SECOND,
        ..ConsumerConfig::new(name, filters(&["custom.>"]))
    }
}

fn tries(count: u32, config: ConsumerConfig) -> ConsumerConfig {
    let mut config = config;
    config.retry.max_attempts = count;
    config.retry.initial_delay_ms = 100;
    config
}

fn message(subject: &str, number: u64) -> Message {
    let id = Uuid::from_u128(u128::from(number) << 64);
    Message { id, subject: subject.into(), data: format!(r#"{{"number":{number}}}"#).into() }
}

async fn publish(bus: &EventBus, numbers: impl IntoIterator<Item = u64>) {
    let messages = numbers.into_iter().map(|number| message("custom.a._._", number));
    bus.publish_raw(messages.collect()).await.unwrap();
}

/// Lets others do something before it is tried again.
async fn pause(duration: Duration) {
    SystemClock::new().sleep(duration).await;
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens before patience ends")
}

async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let batch = within(consumer.next_batch(count - deliveries.len())).await;
        assert!(!batch.is_empty(), "the consumer ended after {} of {count}", deliveries.len());
        deliveries.extend(batch);
    }
    deliveries
}

async fn next(consumer: &mut Consumer) -> Delivery {
    within(consumer.next()).await.expect("there is a next message")
}

fn number(delivery: &Delivery) -> u64 {
    u64::try_from(delivery.message.id.as_u128() >> 64).unwrap()
}

/// The numbers and attempts of deliveries, in the order of the numbers.
fn story(deliveries: &[Delivery]) -> Vec<(u64, u32)> {
    let mut story: Vec<_> = deliveries.iter().map(|d| (number(d), d.attempt)).collect();
    story.sort_unstable();
    story
}

async fn dead(bus: &EventBus) -> Vec<DeadLetter> {
    bus.dead_letters(100).await.unwrap()
}

/// Takes and acknowledges until each of these numbers has come; returns how often each came.
async fn finish(bus: &EventBus, consumer: &mut Consumer, numbers: &[u64]) -> BTreeMap<u64, usize> {
    let mut seen = BTreeMap::new();
    while !numbers.iter().all(|number| seen.contains_key(number)) {
        let batch = within(consumer.next_batch(100)).await;
        assert!(!batch.is_empty(), "the consumer ended with {seen:?}");
        for delivery in &batch {
            *seen.entry(number(delivery)).or_default() += 1;
        }
        bus.ack_all(batch).await;
    }
    seen
}
