//! Which ids came within the window. It must stay true that the two collections hold the same ids.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use uuid::Uuid;

use crate::Stream;

/// How long a repeat is recognised.
const WINDOW: Duration = Duration::from_mins(2);

/// The ids of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct Dedupe {
    sequences: HashMap<(Uuid, Stream), u64>,
    order: VecDeque<(i64, Uuid, Stream)>,
}

impl Dedupe {
    /// Most ids that are remembered, about 60 MB. Above some 4,000 messages per second this makes the window shorter,
    /// so a publisher that repeats itself after long must have its own check.
    pub(super) const IDS_MAX: usize = 500_000;

    /// The earliest time in microseconds that still counts.
    pub(super) fn horizon(now: i64) -> i64 {
        now - WINDOW.as_micros() as i64
    }

    /// The sequence that the id got.
    pub(super) fn get(&self, id: Uuid, stream: Stream) -> Option<u64> {
        self.sequences.get(&(id, stream)).copied()
    }

    /// Remembers an id that came at this time.
    pub(super) fn insert(&mut self, id: Uuid, stream: Stream, at: i64, sequence: u64) {
        self.sequences.insert((id, stream), sequence);
        self.order.push_back((at, id, stream));
    }

    /// Forgets the ids that were inserted last: their commit failed.
    pub(super) fn undo(&mut self, count: usize) {
        for _ in 0..count {
            if let Some((_, id, stream)) = self.order.pop_back() {
                self.sequences.remove(&(id, stream));
            }
        }
    }

    /// Forgets what is past the window, or too much.
    pub(super) fn expire(&mut self, now: i64) {
        let horizon = Self::horizon(now);
        while let Some((at, id, stream)) = self.order.front().copied()
            && (at < horizon || self.order.len() > Self::IDS_MAX)
        {
            self.order.pop_front();
            self.sequences.remove(&(id, stream));
        }
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
        assert_eq!(dedupe.sequences.len(), dedupe.order.len());
    }
}
