//! The recent end of each stream, in memory, so that a consumer that keeps up never reads the database.
//!
//! It must stay true that a tail holds every message from its first one to the head, and that the head is moved only
//! after the commit: what is at or below the head can be read from the database.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::commit::{Head, Heads};
use crate::{Message, Pulled, Stream};

/// Bytes of messages in memory that the streams in use share equally: a second of a single busy stream. A consumer that
/// falls further behind reads the database, in ranges.
const TAILS_SIZE_MAX: usize = 24 << 20;

/// What a message costs in memory besides its data, about.
const OVERHEAD: usize = 160;

/// A message and its place. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) stream: Stream,
    pub(super) sequence: u64,
    /// When it was published, in microseconds of Unix time; never goes back within a stream.
    pub(super) at: i64,
    pub(super) message: Message,
}

impl Stored {
    pub(super) fn pulled(&self, attempt: u32) -> Pulled {
        Pulled {
            message: self.message.clone(),
            stream: self.stream,
            sequence: self.sequence,
            published_at: time_of(self.at),
            attempt,
        }
    }
}

pub(super) fn time_of(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The ends of all streams.
#[derive(Debug)]
pub(super) struct Log {
    tails: [Mutex<Tail>; Stream::ALL.len()],
    /// How many tails hold something. One that was filled while there were fewer shrinks with its next message.
    in_use: AtomicUsize,
    commits: watch::Sender<()>,
}

/// What is there of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The first sequence that retention has left; one after the head when there is none.
    pub(super) kept: u64,
    /// The first that is in memory.
    pub(super) in_memory: u64,
    /// The last that is committed.
    pub(super) head: u64,
}

#[derive(Debug)]
struct Tail {
    kept: u64,
    /// Sequence of the first message in memory; one after the head when there is none.
    first: u64,
    messages: VecDeque<Stored>,
    size: usize,
}

impl Tail {
    fn head(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }

    /// Lets go of the oldest message, if there is one.
    fn pop(&mut self) -> bool {
        let Some(old) = self.messages.pop_front() else { return false };
        self.size -= old.message.data.len() + OVERHEAD;
        self.first += 1;
        true
    }
}

impl Log {
    pub(super) fn new(heads: &Heads) -> Self {
        let tail = |head: Head| {
            let (kept, first) = (head.purged + 1, head.sequence + 1);
            Mutex::new(Tail { kept, first, messages: VecDeque::new(), size: 0 })
        };
        Self {
            tails: heads.map(tail),
            in_use: AtomicUsize::new(0),
            commits: watch::Sender::new(()),
        }
    }

    fn tail(&self, stream: Stream) -> MutexGuard<'_, Tail> {
        self.tails[stream.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the stream begins and ends.
    pub(super) fn ends(&self, stream: Stream) -> Ends {
        let tail = self.tail(stream);
        Ends { kept: tail.kept, in_memory: tail.first, head: tail.head() }
    }

    /// Takes over what was committed. The messages of each stream follow its head.
    pub(super) fn append(&self, committed: Vec<Stored>) {
        let mut locked: Option<(Stream, MutexGuard<'_, Tail>)> = None;
        for stored in committed {
            let stream = stored.stream;
            let mut tail = match locked.take() {
                Some((of, tail)) if of == stream => tail,
                other => {
                    // One at a time.
                    drop(other);
                    self.tail(stream)
                }
            };
            if tail.messages.is_empty() {
                self.in_use.fetch_add(1, Ordering::Relaxed);
            }
            tail.size += stored.message.data.len() + OVERHEAD;
            tail.messages.push_back(stored);
            let share = TAILS_SIZE_MAX / self.in_use.load(Ordering::Relaxed).max(1);
            // The newest stays, however large it is: the count of tails in use relies on it.
            while tail.size > share && tail.messages.len() > 1 && tail.pop() {}
            locked = Some((stream, tail));
        }
    }

    /// Lets go of what was removed from the database.
    pub(super) fn forget(&self, stream: Stream, before: u64) {
        let mut tail = self.tail(stream);
        tail.kept = tail.kept.max(before);
        let held = !tail.messages.is_empty();
        while tail.first < before && tail.pop() {}
        if held && tail.messages.is_empty() {
            self.in_use.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Wakes everyone who waits for messages.
    pub(super) fn wake(&self) {
        self.commits.send_replace(());
    }

    /// Sees every later [`Log::wake`].
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.commits.subscribe()
    }

    /// Shows messages from a sequence on, if it is in memory, until the visitor breaks.
    pub(super) fn read(
        &self,
        stream: Stream,
        from: u64,
        mut visit: impl FnMut(&Stored) -> ControlFlow<()>,
    ) {
        let tail = self.tail(stream);
        let Some(skip) = from.checked_sub(tail.first) else { return };
        for stored in tail.messages.range((skip as usize).min(tail.messages.len())..) {
            if visit(stored).is_break() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stored(sequence: u64, size: usize) -> Stored {
        let message = Message {
            id: uuid::Uuid::from_u128(sequence.into()),
            subject: "custom.a._._".into(),
            data: Bytes::from(vec![0; size]),
        };
        Stored { stream: Stream::Custom, sequence, at: 0, message }
    }

    #[test]
    fn streams_in_use_share_the_memory() {
        let log = Log::new(&Heads::default());
        let held = |stream| {
            let Ends { in_memory, head, .. } = log.ends(stream);
            head + 1 - in_memory
        };
        for sequence in 1..=100 {
            log.append(vec![stored(sequence, 1 << 20)]);
        }
        let alone = held(Stream::Custom);
        for sequence in 1..=100 {
            log.append(vec![Stored { stream: Stream::System, ..stored(sequence, 1 << 20) }]);
        }
        log.append(vec![stored(101, 1 << 20)]);
        let shared = held(Stream::Custom);
        assert!(held(Stream::System) <= alone / 2 && shared <= alone / 2, "{shared} of {alone}");
        log.forget(Stream::System, 101);
        for sequence in 102..=200 {
            log.append(vec![stored(sequence, 1 << 20)]);
        }
        assert_eq!(held(Stream::Custom), alone, "what nobody uses any more is free again");
        let larger = TAILS_SIZE_MAX + 1;
        log.append(vec![stored(201, larger)]);
        assert_eq!(held(Stream::Custom), 1);
    }

    #[test]
    fn a_tail_is_bounded_and_without_gaps() {
        let mut heads = Heads::default();
        heads[Stream::Custom.index()] = Head { sequence: 41, purged: 7, ..Head::default() };
        let log = Log::new(&heads);
        let Ends { kept, in_memory, head } = log.ends(Stream::Custom);
        assert_eq!((kept, in_memory, head), (8, 42, 41));
        for sequence in 42..142 {
            log.append(vec![stored(sequence, 1 << 20)]);
        }
        let Ends { in_memory: first, head, .. } = log.ends(Stream::Custom);
        assert_eq!(head, 141);
        assert!(head - first < 24, "{first}..={head}");
        let mut seen = Vec::new();
        log.read(Stream::Custom, first + 1, |stored| {
            seen.push(stored.sequence);
            ControlFlow::Continue(())
        });
        assert_eq!(seen, (first + 1..=head).collect::<Vec<_>>());
        log.read(Stream::Custom, first - 1, |_| panic!("what is not in memory is not shown"));
        log.read(Stream::Custom, head + 5, |_| panic!("nor what does not exist"));
        log.forget(Stream::Custom, 100);
        assert_eq!(log.ends(Stream::Custom).kept, 100);
        log.forget(Stream::Custom, head + 1);
        let Ends { kept, in_memory, head: same } = log.ends(Stream::Custom);
        assert_eq!((kept, in_memory, same), (head + 1, head + 1, head));
    }
}
