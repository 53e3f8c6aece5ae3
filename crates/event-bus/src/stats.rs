//! What a bus has done since it was opened.

mod latency;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use self::latency::Latencies;
pub use self::latency::Latency;
use crate::Position;

/// Counts since the bus was opened, and where its consumers stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages put into streams.
    pub published: u64,
    /// Messages that were there already.
    pub duplicates: u64,
    /// Messages handed out, each time counted.
    pub delivered: u64,
    /// Messages handed out again.
    pub redelivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages given up.
    pub dead_lettered: u64,
    /// Each consumer that is open here, by name.
    pub consumers: Vec<ConsumerStats>,
}

/// What one consumer has done here since it was opened, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerStats {
    /// The consumer.
    pub name: String,
    /// Messages handed out, each time counted.
    pub delivered: u64,
    /// Messages handed out again.
    pub redelivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages given up.
    pub dead_lettered: u64,
    /// Messages handed out, kept back behind one of the same key, or waiting for a retry.
    pub in_flight: u64,
    /// Messages of its streams that it has not looked at yet, whether its filters select them or not.
    pub behind: u64,
    /// How long messages were out until they were acknowledged.
    pub ack_latency: Latency,
}

/// The counts of all consumers together, and of the publishers.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) consumed: Consumed,
}

/// What was consumed.
#[derive(Debug, Default)]
pub(crate) struct Consumed {
    pub(crate) delivered: Counter,
    pub(crate) redelivered: Counter,
    pub(crate) acked: Counter,
    pub(crate) dead_lettered: Counter,
    ack_latency: Latencies,
}

impl Counters {
    pub(crate) fn stats(&self, consumers: Vec<ConsumerStats>) -> Stats {
        Stats {
            published: self.published.get(),
            duplicates: self.duplicates.get(),
            delivered: self.consumed.delivered.get(),
            redelivered: self.consumed.redelivered.get(),
            acked: self.consumed.acked.get(),
            dead_lettered: self.consumed.dead_lettered.get(),
            consumers,
        }
    }
}

impl Consumed {
    /// Takes note of messages that were acknowledged, each with the time it was out.
    pub(crate) fn ack(&self, latencies: impl ExactSizeIterator<Item = Duration>) {
        self.acked.add(latencies.len());
        for latency in latencies {
            self.ack_latency.record(latency);
        }
    }

    pub(crate) fn stats(&self, position: Position) -> ConsumerStats {
        ConsumerStats {
            name: position.consumer,
            delivered: self.delivered.get(),
            redelivered: self.redelivered.get(),
            acked: self.acked.get(),
            dead_lettered: self.dead_lettered.get(),
            in_flight: position.in_flight,
            behind: position.behind,
            ack_latency: self.ack_latency.read(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
