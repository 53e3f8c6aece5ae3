//! A histogram of durations, cheap enough to be written for every message.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

const BUCKETS: usize = 15;

/// How long it took from handing a message out until it was acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many took at most the bound of the same place in [`Latency::BOUNDS`] and longer than the one before; the last
    /// entry is those that took longer than any bound.
    pub counts: [u64; BUCKETS + 1],
    /// How many there are.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Latency {
    /// The upper bounds of the buckets.
    pub const BOUNDS: [Duration; BUCKETS] = [
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_mins(1),
    ];
}

/// Where latencies are recorded.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    counts: [AtomicU64; BUCKETS + 1],
    sum_us: AtomicU64,
}

impl Latencies {
    pub(crate) fn record(&self, latency: Duration) {
        let bucket = Latency::BOUNDS.partition_point(|bound| *bound < latency);
        self.counts[bucket].fetch_add(1, Relaxed);
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn read(&self) -> Latency {
        let counts = array::from_fn(|bucket| self.counts[bucket].load(Relaxed));
        let sum = Duration::from_micros(self.sum_us.load(Relaxed));
        Latency { counts, count: counts.iter().sum(), sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_counted_where_it_belongs() {
        let latencies = Latencies::default();
        for ms in [0, 1, 2, 3, 60_000, 60_001] {
            latencies.record(Duration::from_millis(ms));
        }
        let read = latencies.read();
        assert_eq!(read.counts, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((read.count, read.sum), (6, Duration::from_millis(120_007)));
        assert!(Latency::BOUNDS.is_sorted());
    }
}
