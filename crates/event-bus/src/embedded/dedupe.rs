//! Which ids came within the window. It must stay true that the two collections hold the same arrivals.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use hashbrown::HashTable;
use uuid::Uuid;

use crate::Stream;

/// How long a repeat is recognised.
const WINDOW: Duration = Duration::from_mins(2);

/// The ids of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct Dedupe {
    /// In the order of their coming.
    arrivals: VecDeque<Arrival>,
    /// How many arrivals were forgotten; the number of an arrival is this and its place in `arrivals`, and wraps around.
    forgotten: u32,
    /// The number of each arrival, by its id and stream: a map that held the ids again would be three times as large.
    numbers: HashTable<u32>,
    /// Ids may be the choice of a sender, so nobody may know what collides.
    hashing: RandomState,
}

#[derive(Debug)]
struct Arrival {
    at: i64,
    sequence: u64,
    id: Uuid,
    stream: Stream,
}

impl Dedupe {
    /// Most ids that are remembered, about 27 MB. Above some 4,000 messages per second this makes the window shorter,
    /// so a publisher that repeats itself after long must have its own check.
    pub(super) const IDS_MAX: usize = 500_000;

    /// The earliest time in microseconds that still counts.
    pub(super) fn horizon(now: i64) -> i64 {
        now - WINDOW.as_micros() as i64
    }

    /// The sequence that the id got.
    pub(super) fn get(&self, id: Uuid, stream: Stream) -> Option<u64> {
        let hash = self.hashing.hash_one((id, stream));
        let is_it = |number: &u32| self.arrival(*number).is_some_and(|one| one.is(id, stream));
        let number = self.numbers.find(hash, is_it)?;
        self.arrival(*number).map(|arrival| arrival.sequence)
    }

    /// Remembers an id that came at this time.
    pub(super) fn insert(&mut self, id: Uuid, stream: Stream, at: i64, sequence: u64) {
        let number = self.forgotten.wrapping_add(self.arrivals.len() as u32);
        self.arrivals.push_back(Arrival { at, sequence, id, stream });
        let Self { arrivals, forgotten, numbers, hashing } = self;
        let hash = |arrival: &Arrival| hashing.hash_one((arrival.id, arrival.stream));
        numbers.insert_unique(hashing.hash_one((id, stream)), number, |number| {
            arrivals.get(number.wrapping_sub(*forgotten) as usize).map_or(0, hash)
        });
    }

    /// Forgets the ids that were inserted last: their commit failed.
    pub(super) fn undo(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.forgotten.wrapping_add(self.arrivals.len() as u32).wrapping_sub(1);
            if let Some(arrival) = self.arrivals.pop_back() {
                self.forget(number, &arrival);
            }
        }
    }

    /// Forgets what is past the window, or too much.
    pub(super) fn expire(&mut self, now: i64) {
        let horizon = Self::horizon(now);
        while let Some(first) = self.arrivals.front()
            && (first.at < horizon || self.arrivals.len() > Self::IDS_MAX)
            && let Some(arrival) = self.arrivals.pop_front()
        {
            self.forget(self.forgotten, &arrival);
            self.forgotten = self.forgotten.wrapping_add(1);
        }
    }

    fn arrival(&self, number: u32) -> Option<&Arrival> {
        self.arrivals.get(number.wrapping_sub(self.forgotten) as usize)
    }

    fn forget(&mut self, number: u32, arrival: &Arrival) {
        let hash = self.hashing.hash_one((arrival.id, arrival.stream));
        if let Ok(found) = self.numbers.find_entry(hash, |known| *known == number) {
            found.remove();
        }
    }
}

impl Arrival {
    fn is(&self, id: Uuid, stream: Stream) -> bool {
        self.id == id && self.stream == stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_forgotten_after_the_window_and_undone() {
        let id = Uuid::from_u128;
        let mut dedupe = Dedupe::default();
        for n in 0..4 {
            dedupe.insert(id(n), Stream::Custom, n as i64 * 60_000_000, n as u64 + 1);
        }
        assert_eq!(dedupe.get(id(2), Stream::Custom), Some(3));
        assert_eq!(dedupe.get(id(2), Stream::System), None);
        dedupe.expire(180_000_000);
        assert_eq!(dedupe.get(id(0), Stream::Custom), None);
        assert_eq!(dedupe.get(id(1), Stream::Custom), Some(2));
        dedupe.undo(2);
        assert_eq!(dedupe.get(id(3), Stream::Custom), None);
        assert_eq!(dedupe.numbers.len(), dedupe.arrivals.len());
    }

    #[test]
    fn more_than_can_be_remembered_forgets_the_first() {
        let mut dedupe = Dedupe { forgotten: u32::MAX - 1000, ..Dedupe::default() };
        let all = Dedupe::IDS_MAX as u64 + 5000;
        for n in 0..all {
            dedupe.insert(Uuid::from_u128(n.into()), Stream::Custom, 1, n + 1);
            dedupe.expire(1);
        }
        let kept = |n: u64| dedupe.get(Uuid::from_u128(n.into()), Stream::Custom);
        assert_eq!((kept(0), kept(4999)), (None, None));
        assert!((5000..all).all(|n| kept(n) == Some(n + 1)));
        assert_eq!(dedupe.numbers.len(), Dedupe::IDS_MAX);
        assert_eq!(dedupe.arrivals.len(), Dedupe::IDS_MAX);
    }
}
