//! What a listener did, for `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Why a connection or a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// All seats are taken.
    Cap,
    /// All seats of its address are taken.
    Address,
    /// No byte came.
    Silent,
    /// The headers took too long.
    SlowHead,
    /// The answer was not taken.
    Stalled,
    /// There were too many headers, or they were too long.
    HeadTooLarge,
    /// It was not HTTP, or HTTP that two readers may read differently.
    Malformed,
    /// There was no memory left for its body.
    Memory,
}

impl Cause {
    /// Every cause with its name in `/metrics`.
    pub(crate) const ALL: [(Self, &str); 8] = [
        (Self::Cap, "cap"),
        (Self::Address, "address"),
        (Self::Silent, "silent"),
        (Self::SlowHead, "slow_head"),
        (Self::Stalled, "stalled"),
        (Self::HeadTooLarge, "head_too_large"),
        (Self::Malformed, "malformed"),
        (Self::Memory, "memory"),
    ];
}

/// The numbers of one listener.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    open: AtomicU64,
    accepted: AtomicU64,
    accept_failed: AtomicU64,
    refused: [AtomicU64; Cause::ALL.len()],
}

/// A connection that is open until this is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counts {
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    pub(super) fn accept_failed(&self) {
        self.accept_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, cause: Cause) {
        self.refused[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that are open now.
    pub(crate) fn open_now(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that were admitted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How often no connection could be accepted.
    pub(crate) fn accepts_failed(&self) -> u64 {
        self.accept_failed.load(Ordering::Relaxed)
    }

    /// Connections and requests refused for this cause.
    pub(crate) fn refused(&self, cause: Cause) -> u64 {
        self.refused[cause as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_place_and_a_name_of_its_own() {
        let counts = Arc::new(Counts::default());
        for (place, (cause, name)) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place, "{name}");
            counts.refuse(cause);
            assert_eq!(counts.refused(cause), 1, "{name}");
        }
    }

    #[test]
    fn what_is_closed_is_no_longer_open() {
        let counts = Arc::new(Counts::default());
        let (one, two) = (counts.open(), counts.open());
        drop(one);
        assert_eq!((counts.open_now(), counts.accepted()), (1, 2));
        drop(two);
        assert_eq!(counts.open_now(), 0);
    }
}
