//! Several streams as one, by the time of publishing. Pure: the caller reads the pages.
//!
//! It must stay true that nothing is given out before every stream has shown its next message or its end.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use crate::{Page, Pulled, ReadFrom, Stream};

/// The last message that is replayed of each stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The one with this sequence.
    Sequence(u64),
    /// The last one published at or before this time.
    Time(DateTime<Utc>),
}

/// The part of one stream that is replayed.
#[derive(Debug)]
pub(super) struct Source {
    stream: Stream,
    until: End,
    /// Where to read on; none at the end.
    next: Option<ReadFrom>,
    buffered: VecDeque<Pulled>,
    /// About how many come after those that are buffered.
    remaining: u64,
}

impl Source {
    pub(super) fn new(stream: Stream, from: ReadFrom, until: End) -> Self {
        Self { stream, until, next: Some(from), buffered: VecDeque::new(), remaining: 0 }
    }

    fn put(&mut self, page: Page) {
        let until = self.until;
        let wanted = |pulled: &Pulled| match until {
            End::Sequence(last) => pulled.sequence <= last,
            End::Time(last) => pulled.published_at <= last,
        };
        let is_beyond = |next: u64| matches!(until, End::Sequence(last) if next > last);
        let count = page.messages.len();
        // Sequences and times ascend within a stream, so the first that is not wanted is the end.
        self.buffered.extend(page.messages.into_iter().take_while(wanted));
        let passed = self.buffered.len() < count;
        self.next = page.next.filter(|next| !passed && !is_beyond(*next)).map(ReadFrom::Sequence);
        self.remaining = match (self.next, until) {
            (None, _) => 0,
            (Some(ReadFrom::Sequence(next)), End::Sequence(last)) => {
                page.remaining.min(last - next + 1)
            }
            (Some(_), _) => page.remaining,
        };
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Merge(Vec<Source>);

impl Merge {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        Self(sources)
    }

    /// What must be read before the next message is known, if anything.
    pub(super) fn missing(&self) -> Option<(Stream, ReadFrom)> {
        self.0.iter().find_map(|source| {
            source.next.filter(|_| source.buffered.is_empty()).map(|next| (source.stream, next))
        })
    }

    /// Puts a page in place that [`Merge::missing`] asked for.
    pub(super) fn put(&mut self, stream: Stream, page: Page) {
        if let Some(source) = self.0.iter_mut().find(|source| source.stream == stream) {
            source.put(page);
        }
    }

    /// Whether all was given out.
    pub(super) fn is_done(&self) -> bool {
        self.0.iter().all(|source| source.buffered.is_empty() && source.next.is_none())
    }

    /// Gives out the oldest message, if none is missing.
    pub(super) fn pop(&mut self) -> Option<Pulled> {
        if self.missing().is_some() {
            return None;
        }
        let oldest = self
            .0
            .iter_mut()
            .filter(|source| !source.buffered.is_empty())
            .min_by_key(|source| source.buffered.front().map(|pulled| pulled.published_at))?;
        oldest.buffered.pop_front()
    }

    /// About how many messages are left.
    pub(super) fn remaining(&self) -> u64 {
        self.0.iter().map(|source| source.buffered.len() as u64 + source.remaining).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Message;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A page of messages, given as sequence and time.
    fn page(messages: &[(u64, i64)], next: Option<u64>, remaining: u64) -> Page {
        let pulled = |&(sequence, second): &(u64, i64)| Pulled {
            message: Message {
                id: uuid::Uuid::nil(),
                subject: "custom.a._._".into(),
                data: Bytes::new(),
            },
            stream: Stream::Custom,
            sequence,
            published_at: at(second),
            attempt: 1,
        };
        Page { messages: messages.iter().map(pulled).collect(), next, remaining }
    }

    fn merge(until: End) -> Merge {
        let source = |stream| Source::new(stream, ReadFrom::Sequence(1), until);
        Merge::new([Stream::Media, Stream::Custom].map(source).into())
    }

    fn seconds(merge: &mut Merge) -> Vec<i64> {
        std::iter::from_fn(|| merge.pop()).map(|pulled| pulled.published_at.timestamp()).collect()
    }

    #[test]
    fn streams_are_merged_by_time() {
        let mut merge = merge(End::Time(at(9)));
        assert_eq!(merge.missing(), Some((Stream::Media, ReadFrom::Sequence(1))));
        merge.put(Stream::Media, page(&[(1, 1), (2, 4), (3, 5)], None, 0));
        assert!(merge.pop().is_none(), "the other stream may have an older one");
        merge.put(Stream::Custom, page(&[(7, 2), (8, 3)], Some(9), 40));
        assert_eq!(merge.remaining(), 45);
        assert_eq!(seconds(&mut merge), [1, 2, 3]);
        // It has nothing buffered, but more may come: the others wait for it.
        assert_eq!(merge.missing(), Some((Stream::Custom, ReadFrom::Sequence(9))));
        assert!(!merge.is_done());
        merge.put(Stream::Custom, page(&[], Some(12), 30));
        assert_eq!(merge.missing(), Some((Stream::Custom, ReadFrom::Sequence(12))));
        merge.put(Stream::Custom, page(&[(30, 6)], None, 0));
        assert_eq!(seconds(&mut merge), [4, 5, 6]);
        assert!(merge.is_done());
        assert_eq!(merge.remaining(), 0);
    }

    #[test]
    fn it_ends_exactly_where_it_was_told_to() {
        let mut by_time = merge(End::Time(at(3)));
        by_time.put(Stream::Media, page(&[(1, 3), (2, 4)], Some(3), 9));
        by_time.put(Stream::Custom, page(&[(1, 1), (2, 2)], Some(3), 9));
        assert_eq!(seconds(&mut by_time), [1, 2]);
        by_time.put(Stream::Custom, page(&[(3, 7)], Some(4), 8));
        assert_eq!(seconds(&mut by_time), [3]);
        assert!(by_time.is_done());

        let mut by_sequence = merge(End::Sequence(5));
        by_sequence.put(Stream::Media, page(&[(4, 1), (5, 2), (6, 3)], Some(7), 9));
        by_sequence.put(Stream::Custom, page(&[(2, 4)], Some(3), 100));
        assert_eq!(by_sequence.remaining(), 2 + 1 + 3, "no more than up to the end");
        assert_eq!(seconds(&mut by_sequence), [1, 2, 4]);
        by_sequence.put(Stream::Custom, page(&[], Some(6), 9));
        assert!(by_sequence.is_done(), "what comes after the end is not asked for");
    }
}
