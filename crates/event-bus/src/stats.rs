//! What a bus has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// Each consumer opened here.
    pub consumers: Vec<Position>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) delivered: Counter,
    pub(crate) redelivered: Counter,
    pub(crate) acked: Counter,
    pub(crate) dead_lettered: Counter,
}

impl Counters {
    pub(crate) fn stats(&self, consumers: Vec<Position>) -> Stats {
        Stats {
            published: self.published.get(),
            duplicates: self.duplicates.get(),
            delivered: self.delivered.get(),
            redelivered: self.redelivered.get(),
            acked: self.acked.get(),
            dead_lettered: self.dead_lettered.get(),
            consumers,
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
