//! What one consumer has handed out, and what became of it: pure, no input or output, no waiting.
//!
//! It must stay true that a message that was taken from a cursor is in `pending` until it is settled, for the floor
//! that is stored is the one below the first pending message.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    cursor::{Cursor, Page},
    log::{Log, Stored, time_of},
    ranges::Ranges,
};
use crate::{ConsumerConfig, DeadLetter, Pulled, Settlement, Stream, Verdict};

/// How many messages may be passed over before the position is stored though nothing was settled: so many are looked at
/// again after a crash.
const PASSED_MAX: u64 = 1024;

/// The place of a message.
pub(super) type Key = (Stream, u64);

/// A message that was handed out and is not settled.
#[derive(Debug)]
struct Pending {
    stored: Stored,
    /// What went wrong so far, one entry for each attempt that is over.
    failures: Vec<String>,
    /// When it is handed out again.
    due: Duration,
    /// Whether someone has it; otherwise it waits for a retry.
    out: bool,
}

impl Pending {
    fn attempt(&self) -> u32 {
        self.failures.len() as u32 + 1
    }
}

/// What has changed since it was last stored.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Everything stored for this consumer is to be removed first.
    pub(super) cleared: bool,
    /// For each stream that changed: all up to the floor is settled, and these above it.
    pub(super) floors: Vec<(Stream, u64, Ranges)>,
    /// What went wrong with pending messages; none for those that are settled.
    pub(super) failures: Vec<(Key, Option<Vec<String>>)>,
    /// Messages that were given up.
    pub(super) dead: Vec<DeadLetter>,
}

/// What a consumer can do now.
#[derive(Debug)]
pub(super) enum Taken {
    /// Hand these out.
    Messages(Vec<Pulled>),
    /// Read this range first.
    Missing { stream: Stream, from: u64, through: u64 },
    /// Wait for something to happen, or until this time.
    Nothing { until: Option<Duration> },
}

/// The state of one consumer.
#[derive(Debug)]
pub(super) struct State {
    cursors: Vec<Cursor>,
    /// Which cursor goes first, so that a busy stream does not starve the others.
    turn: usize,
    pending: BTreeMap<Key, Pending>,
    due: BTreeSet<(Duration, Key)>,
    /// Failures of an earlier run, until the message is handed out again.
    failures: HashMap<Key, Vec<String>>,
    /// Streams whose floor may have moved.
    touched: BTreeSet<Stream>,
    /// How many messages were looked at since the positions were stored.
    passed: u64,
    journal: Journal,
}

impl State {
    pub(super) fn new(cursors: Vec<Cursor>, failures: HashMap<Key, Vec<String>>) -> Self {
        let touched = cursors.iter().map(|cursor| cursor.stream).collect();
        let (pending, due) = (BTreeMap::new(), BTreeSet::new());
        Self {
            cursors,
            turn: 0,
            pending,
            due,
            failures,
            touched,
            passed: 0,
            journal: Journal::default(),
        }
    }

    /// Takes what is due again and what is new, up to `max`.
    pub(super) fn take(
        &mut self,
        log: &Log,
        config: &ConsumerConfig,
        now: Duration,
        max: usize,
    ) -> Taken {
        let free = config.max_in_flight.saturating_sub(self.pending.len());
        if free > 0
            && let Some(missing) = self.missing(log)
        {
            return missing;
        }
        let mut pulled = Vec::new();
        self.take_due(config, now, max, &mut pulled);
        let room = free.min(max - pulled.len());
        let mut fresh = Vec::new();
        self.turn = (self.turn + 1) % self.cursors.len().max(1);
        let (late, early) = self.cursors.split_at_mut(self.turn);
        for cursor in early.iter_mut().chain(late) {
            let before = cursor.next;
            cursor.take(log, &config.filters, room - fresh.len(), &mut fresh);
            if cursor.next != before {
                self.passed += cursor.next - before;
                self.touched.insert(cursor.stream);
            }
        }
        for stored in fresh {
            let key = (stored.stream, stored.sequence);
            let failures = self.failures.remove(&key).unwrap_or_default();
            let due = now + config.ack_wait;
            let pending = Pending { stored, failures, due, out: true };
            pulled.push(pending.stored.pulled(pending.attempt()));
            self.due.insert((due, key));
            self.pending.insert(key, pending);
        }
        if !pulled.is_empty() {
            return Taken::Messages(pulled);
        }
        // A page without a selected message was passed: there may be another one behind it.
        if room > 0
            && let Some(missing) = self.missing(log)
        {
            return missing;
        }
        Taken::Nothing { until: self.due.first().map(|(due, _)| *due) }
    }

    fn missing(&mut self, log: &Log) -> Option<Taken> {
        self.cursors.iter_mut().find_map(|cursor| {
            let before = cursor.next;
            let missing = cursor.missing(log);
            if cursor.next != before {
                // Over what was removed or settled.
                self.touched.insert(cursor.stream);
            }
            let (from, through) = missing?;
            Some(Taken::Missing { stream: cursor.stream, from, through })
        })
    }

    fn take_due(
        &mut self,
        config: &ConsumerConfig,
        now: Duration,
        max: usize,
        pulled: &mut Vec<Pulled>,
    ) {
        while pulled.len() < max
            && let Some((due, key)) = self.due.first().copied()
            && due <= now
        {
            self.due.pop_first();
            let Some(pending) = self.pending.get_mut(&key) else { continue };
            if pending.out {
                let (attempt, wait) = (pending.attempt(), config.ack_wait);
                pending.failures.push(format!("attempt {attempt}: not settled within {wait:?}"));
                self.journal.failures.push((key, Some(pending.failures.clone())));
            }
            pending.out = true;
            pending.due = now + config.ack_wait;
            self.due.insert((pending.due, key));
            pulled.push(pending.stored.pulled(pending.attempt()));
        }
    }

    /// Puts a page in place that was missing.
    pub(super) fn put(&mut self, stream: Stream, page: Page) {
        if let Some(cursor) = self.cursors.iter_mut().find(|cursor| cursor.stream == stream) {
            cursor.put(page);
        }
    }

    /// Whether the page that was missing still is.
    pub(super) fn misses(&mut self, log: &Log, stream: Stream, from: u64) -> bool {
        self.cursors.iter_mut().any(|cursor| {
            cursor.stream == stream && cursor.missing(log).is_some_and(|missing| missing.0 == from)
        })
    }

    /// Takes note of what became of a message. Returns whether someone who waits can now do something.
    pub(super) fn settle(
        &mut self,
        settlement: Settlement,
        config: &ConsumerConfig,
        (now, wall): (Duration, DateTime<Utc>),
    ) -> bool {
        let key = (settlement.stream, settlement.sequence);
        let full = self.pending.len() >= config.max_in_flight;
        let Some(pending) = self.pending.get_mut(&key) else { return false };
        let latest = pending.out && pending.attempt() == settlement.attempt;
        if !latest && !matches!(settlement.verdict, Verdict::Ack) {
            return false;
        }
        let until = match settlement.verdict {
            Verdict::Ack => {
                self.remove(key);
                return full;
            }
            Verdict::Dead { reason } => {
                if let Some(pending) = self.remove(key) {
                    self.journal.dead.push(dead_letter(pending, reason, &config.name, wall));
                }
                return full;
            }
            Verdict::InProgress => now + config.ack_wait,
            Verdict::Retry { delay, reason } => {
                pending.out = false;
                pending.failures.push(reason);
                self.journal.failures.push((key, Some(pending.failures.clone())));
                now + delay
            }
        };
        let waits = !pending.out;
        self.due.remove(&(std::mem::replace(&mut pending.due, until), key));
        self.due.insert((until, key));
        waits
    }

    fn remove(&mut self, key: Key) -> Option<Pending> {
        let pending = self.pending.remove(&key)?;
        self.due.remove(&(pending.due, key));
        self.touched.insert(key.0);
        if !pending.failures.is_empty() {
            self.journal.failures.push((key, None));
        }
        Some(pending)
    }

    /// The streams it reads.
    pub(super) fn streams(&self) -> Vec<Stream> {
        self.cursors.iter().map(|cursor| cursor.stream).collect()
    }

    /// Reads more streams from now on; one that it reads already stays as it is.
    pub(super) fn extend(&mut self, cursors: Vec<Cursor>) {
        for cursor in cursors {
            if !self.streams().contains(&cursor.stream) {
                self.touched.insert(cursor.stream);
                self.cursors.push(cursor);
            }
        }
    }

    /// Begins anew at other positions.
    pub(super) fn seek(&mut self, cursors: Vec<Cursor>) {
        // What was given up before is still to be stored.
        let dead = std::mem::take(&mut self.journal.dead);
        *self = Self::new(cursors, HashMap::new());
        self.journal = Journal { cleared: true, dead, ..Journal::default() };
    }

    /// Whether so much was passed over that the position is worth storing though nothing was settled.
    pub(super) fn is_stale(&self) -> bool {
        self.passed > PASSED_MAX
    }

    /// Messages that were handed out or wait for a retry, and those not looked at.
    pub(super) fn counts(&self, log: &Log) -> (u64, u64) {
        let behind = self.cursors.iter().map(|cursor| {
            let ends = log.ends(cursor.stream);
            // A cursor may be set to a sequence that is yet to come.
            (ends.head + 1).saturating_sub(cursor.next.max(ends.kept))
        });
        (self.pending.len() as u64, behind.sum())
    }

    /// What is to be stored, once: the caller stores it, or gives it back with [`State::restore`].
    pub(super) fn journal(&mut self) -> Journal {
        let mut journal = std::mem::take(&mut self.journal);
        self.passed = 0;
        for stream in std::mem::take(&mut self.touched) {
            let Some(cursor) = self.cursors.iter().find(|cursor| cursor.stream == stream) else {
                continue;
            };
            let pending =
                || self.pending.range((stream, 0)..=(stream, u64::MAX)).map(|(key, _)| key.1);
            let floor = pending().next().unwrap_or(cursor.next) - 1;
            let mut settled = Ranges::gaps(pending(), cursor.next - 1);
            settled.extend(&cursor.settled, cursor.next);
            journal.floors.push((stream, floor, settled));
        }
        journal
    }

    /// Takes back what could not be stored.
    pub(super) fn restore(&mut self, mut journal: Journal) {
        self.touched.extend(journal.floors.drain(..).map(|(stream, ..)| stream));
        journal.failures.append(&mut self.journal.failures);
        journal.dead.append(&mut self.journal.dead);
        journal.cleared |= self.journal.cleared;
        self.journal = journal;
    }
}

fn dead_letter(
    pending: Pending,
    reason: String,
    consumer: &str,
    dead_at: DateTime<Utc>,
) -> DeadLetter {
    let attempts = pending.attempt();
    let Pending { stored, failures: mut reasons, .. } = pending;
    reasons.push(reason);
    DeadLetter {
        consumer: consumer.to_owned(),
        stream: stored.stream,
        sequence: stored.sequence,
        published_at: time_of(stored.at),
        message: stored.message,
        attempts,
        reasons,
        dead_at,
    }
}

#[cfg(test)]
mod tests;
