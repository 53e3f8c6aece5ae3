//! What the schedules of a process have done since it began.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::TimeDelta;

/// Upper bounds of lateness that are counted apart, in milliseconds; what is later is counted together.
pub const LATENESS_MS: [u64; 10] = [5, 10, 25, 50, 100, 250, 500, 1_000, 10_000, 60_000];

/// What the schedules of a process have done since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events recorded.
    pub fired: u64,
    /// Instants that the overlap policy left out.
    pub skipped: u64,
    /// Instants that nobody was there for.
    pub missed: u64,
    /// Events that the log refused.
    pub failed: u64,
    /// Fires that were cancelled in time.
    pub cancelled: u64,
    /// How many regular fires were recorded so late after they were due, between the bound before and this one; the last
    /// counts what was later still.
    pub lateness: [u64; LATENESS_MS.len() + 1],
    /// The lateness of all regular fires together, in milliseconds.
    pub lateness_sum_ms: u64,
    /// Schedules whose next instant is over for longer than a minute, at the last look.
    pub overdue: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) fired: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) overdue: AtomicI64,
    lateness: [AtomicU64; LATENESS_MS.len() + 1],
    lateness_sum_ms: AtomicU64,
}

impl Counters {
    pub(crate) fn late(&self, lateness: TimeDelta) {
        let ms = u64::try_from(lateness.num_milliseconds()).unwrap_or(0);
        self.lateness_sum_ms.fetch_add(ms, Ordering::Relaxed);
        let place = LATENESS_MS.partition_point(|bound| *bound < ms);
        if let Some(count) = self.lateness.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            fired: read(&self.fired),
            skipped: read(&self.skipped),
            missed: read(&self.missed),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            lateness: self.lateness.each_ref().map(read),
            lateness_sum_ms: read(&self.lateness_sum_ms),
            overdue: self.overdue.load(Ordering::Relaxed),
        }
    }
}

/// Adds to a count.
pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}
