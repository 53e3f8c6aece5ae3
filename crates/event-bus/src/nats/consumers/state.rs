//! What one consumer has here, and what became of it: pure, no input or output, no waiting.
//!
//! It must stay true that what is handed out is within its ack wait by our own count, that nothing but an ack is taken
//! for an attempt that is not the latest one here, and that what is thrown away here is still unsettled on the server.

mod outcome;
mod taking;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use async_nats::Subject;

use super::records::{self, Record};
use crate::{ConsumerConfig, DeadLetter, Pulled, Stream};

/// How long an attempt that is past its ack wait is remembered, so that a late ack still counts.
const LATE_KEPT: Duration = Duration::from_mins(10);
/// How many messages are remembered that came and were not handed out.
const UNTRIED_MAX: usize = 65_536;

/// The place of a message.
pub(super) type Key = (Stream, u64);

/// One of the server's consumers, as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// When it was made; another one of its name has another time.
    pub(super) created: String,
    /// When its stream was made.
    pub(super) made: String,
    /// Up to which sequence a first delivery may be a repeat.
    pub(super) rewound_to: u64,
    /// Messages before this one are not wanted.
    pub(super) first: u64,
    /// Messages that it has not delivered, as far as is known.
    pub(super) pending: u64,
    /// How many of its messages are here and not handed out.
    pub(super) buffered: usize,
}

/// A message that came and was not handed out.
#[derive(Clone, Debug)]
struct Arrived {
    pulled: Pulled,
    source: usize,
    reply: Subject,
    since: Duration,
    failures: Vec<String>,
    /// Whether it is written down that this attempt is handed out, as far as that is needed.
    marked: bool,
    /// Whether something is written down about it.
    recorded: bool,
    /// Whether nobody knows what became of its last attempt, and this one is the last that it has.
    last_chance: bool,
}

impl Arrived {
    fn key(&self) -> Key {
        (self.pulled.stream, self.pulled.sequence)
    }
}

/// A message that was handed out.
#[derive(Debug)]
struct Out {
    pulled: Pulled,
    source: usize,
    reply: Subject,
    failures: Vec<String>,
    recorded: bool,
    /// When its ack wait ends, or its retry is due.
    until: Duration,
    /// Whether it waits for a retry; otherwise someone has it.
    waits: bool,
}

/// A delivery by the server.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub(super) pulled: Pulled,
    pub(super) source: usize,
    pub(super) reply: Subject,
    /// How often the server has delivered it.
    pub(super) count: u64,
    /// How many are behind it.
    pub(super) pending: u64,
}

/// What a member can do now.
#[derive(Debug)]
pub(super) enum Taken {
    /// Hand these out; begin the ack wait of some anew, which were here for a while.
    Messages { pulled: Vec<Pulled>, extend: Vec<Subject> },
    /// Write these down first, for they are about to be handed out.
    Unmarked(Vec<(Key, String, Record)>),
    /// Wait for something to happen, or until this time.
    Nothing { until: Option<Duration> },
}

/// What is to be told the server. What is written down about a message is under the key of its record.
#[derive(Debug)]
pub(super) enum Action {
    /// It is done.
    Ack { reply: Subject, recorded: Option<String> },
    /// It takes longer.
    Progress { reply: Subject },
    /// Write this down, then deliver it again.
    Again { reply: Subject, key: String, record: Record, delay: Duration, before: Duration },
    /// Keep this, then it is done.
    Bury { reply: Subject, letter: Box<DeadLetter>, made: String, recorded: Option<String> },
}

/// The state of one consumer in this process.
#[derive(Debug)]
pub(super) struct State {
    name: String,
    ack_wait: Duration,
    in_flight_max: usize,
    attempts_max: u32,
    /// Whether what comes must be handed out in the order in which it came.
    ordered: bool,
    /// Until when this process may hand out messages, if only one at a time may.
    active_until: Duration,
    /// Whether everything here came since this process became active.
    taken_over: bool,
    pub(super) sources: Vec<Standing>,
    fresh: VecDeque<Arrived>,
    again: VecDeque<Arrived>,
    unresolved: Vec<Arrived>,
    out: HashMap<Key, Out>,
    late: HashMap<Key, Out>,
    /// Messages that came here once and were not handed out.
    untried: HashSet<Key>,
    /// What an ordered consumer threw away here, and until when those behind it wait for it to come again.
    overdue: HashMap<Key, Duration>,
    /// What is out of a stream that was lost, until its ack wait ends. Others have those sequences now, and are kept
    /// back: what is said about the old ones must not be taken for them.
    ghosts: HashMap<Key, Duration>,
    chance: Option<Key>,
    /// Changes when there is more to take.
    pub(super) version: u64,
}

impl State {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        Self {
            name: config.name.clone(),
            ack_wait: config.ack_wait,
            in_flight_max: config.max_in_flight,
            attempts_max: config.retry.max_attempts,
            ordered: config.ordering.is_some(),
            active_until: Duration::ZERO,
            taken_over: false,
            sources: Vec::new(),
            fresh: VecDeque::new(),
            again: VecDeque::new(),
            unresolved: Vec::new(),
            out: HashMap::new(),
            late: HashMap::new(),
            untried: HashSet::new(),
            overdue: HashMap::new(),
            ghosts: HashMap::new(),
            chance: None,
            version: 0,
        }
    }

    /// Whether this process may hand out messages at this time.
    pub(super) fn is_active(&self, now: Duration) -> bool {
        !self.ordered || now < self.active_until
    }

    /// Lets this process go on to hand out messages, until then.
    pub(super) fn activate(&mut self, until: Duration) {
        if self.taken_over {
            self.active_until = until;
        }
    }

    /// Lets this process hand out messages from now on: what comes is in order.
    pub(super) fn take_over(&mut self, until: Duration) {
        (self.taken_over, self.active_until) = (true, until);
    }

    /// Whether what is here came in order.
    pub(super) fn is_taken_over(&self) -> bool {
        self.taken_over
    }

    /// Lets this process hand out nothing, and forgets what came.
    pub(super) fn step_down(&mut self) {
        (self.taken_over, self.active_until) = (false, Duration::ZERO);
        self.forget_all();
    }

    /// Takes in a delivery.
    pub(super) fn arrive(&mut self, delivered: Delivered, now: Duration) {
        let Delivered { pulled, source, reply, count, pending } = delivered;
        let key = (pulled.stream, pulled.sequence);
        self.overdue.remove(&key);
        let known = self.out.contains_key(&key) || self.late.contains_key(&key);
        let repeat = known || count > 1 || pulled.sequence <= self.sources[source].rewound_to;
        if repeat {
            // One that lay here until the server gave it up is replaced.
            self.discard(key);
        }
        let standing = &mut self.sources[source];
        standing.pending = pending;
        standing.buffered += 1;
        self.version += 1;
        // Without a second try it must be known that the first one was made.
        let marked = self.attempts_max > 1;
        let arrived = Arrived {
            pulled,
            source,
            reply,
            since: now,
            failures: Vec::new(),
            marked,
            recorded: !marked,
            last_chance: false,
        };
        if repeat {
            self.unresolved.push(arrived);
        } else if marked {
            self.fresh.push_back(arrived);
        } else {
            self.again.push_back(arrived);
        }
    }

    /// The messages whose story must be read before they can be handed out.
    pub(super) fn unresolved(&self) -> Vec<(Key, String)> {
        let entry =
            |arrived: &Arrived| (arrived.key(), self.record_key(arrived.source, arrived.key()));
        self.unresolved.iter().map(entry).collect()
    }

    fn record_key(&self, source: usize, key: Key) -> String {
        let made = self.sources.get(source).map_or("", |standing| standing.made.as_str());
        records::key(&self.name, key.0, made, key.1)
    }

    /// Takes in the stories of messages, in the order of [`State::unresolved`].
    pub(super) fn resolve(&mut self, stories: Vec<(Key, Option<Record>)>) {
        for (key, record) in stories {
            let Some(at) = self.unresolved.iter().position(|arrived| arrived.key() == key) else {
                continue;
            };
            let mut arrived = self.unresolved.remove(at);
            arrived.recorded = record.is_some();
            let (failures, silent) = self.story(key, record);
            arrived.pulled.attempt = u32::try_from(failures.len()).unwrap_or(u32::MAX - 1) + 1;
            arrived.failures = failures;
            arrived.last_chance = silent && arrived.pulled.attempt == self.attempts_max;
            arrived.marked = false;
            self.untried.remove(&key);
            self.version += 1;
            self.again.push_back(arrived);
        }
    }

    /// What went wrong so far, and whether the last of it is that nobody knows.
    fn story(&self, key: Key, record: Option<Record>) -> (Vec<String>, bool) {
        let silent = |mut failures: Vec<String>, attempt: u32| {
            failures.push(format!("attempt {attempt}: not settled within {:?}", self.ack_wait));
            (failures, true)
        };
        let nothing_written = record.is_none();
        let written = match record {
            Some(Record { failures, out: Some(attempt) }) => silent(failures, attempt),
            Some(Record { failures, out: None }) => (failures, false),
            // It came to somebody, and perhaps it was handed out there.
            None if self.attempts_max > 1 && !self.untried.contains(&key) => silent(Vec::new(), 1),
            None => (Vec::new(), false),
        };
        // What could not be written down is known here.
        let known = self.out.get(&key).or_else(|| self.late.get(&key)).map(|out| {
            if out.waits {
                (out.failures.clone(), false)
            } else {
                silent(out.failures.clone(), out.pulled.attempt)
            }
        });
        match known {
            Some(known) if nothing_written || known.0.len() > written.0.len() => known,
            _ => written,
        }
    }

    /// Takes note that it is written down that these are handed out.
    pub(super) fn mark(&mut self, keys: &HashSet<Key>) {
        for arrived in &mut self.again {
            if keys.contains(&arrived.key()) {
                (arrived.marked, arrived.recorded) = (true, true);
            }
        }
    }

    /// How many more may be handed out.
    pub(super) fn room(&mut self, now: Duration) -> usize {
        if self.out.len() >= self.in_flight_max {
            self.expire(now);
        }
        self.in_flight_max.saturating_sub(self.out.len())
    }

    /// Puts aside what is past its time: it is in flight no longer, though a late ack for it counts.
    fn expire(&mut self, now: Duration) {
        let expired = self.out.extract_if(|_, out| out.until <= now);
        self.late.extend(expired);
        self.late.retain(|_, out| out.until + LATE_KEPT > now);
    }

    /// Removes a message that came and was not handed out.
    fn discard(&mut self, key: Key) {
        let sources = &mut self.sources;
        let mut keep = |arrived: &Arrived| {
            let keep = arrived.key() != key;
            if !keep {
                sources[arrived.source].buffered -= 1;
            }
            keep
        };
        self.fresh.retain(&mut keep);
        self.again.retain(&mut keep);
        self.unresolved.retain(&mut keep);
    }

    /// Forgets what came from one of the server's consumers, which is another one now.
    pub(super) fn forget_source(&mut self, source: usize) {
        self.fresh.retain(|arrived| arrived.source != source);
        self.again.retain(|arrived| arrived.source != source);
        self.unresolved.retain(|arrived| arrived.source != source);
        self.out.retain(|_, out| out.source != source);
        self.late.retain(|_, out| out.source != source);
        self.untried.clear();
        self.overdue.clear();
        self.sources[source].buffered = 0;
    }

    /// Forgets what came from a stream that was lost.
    pub(super) fn lose_source(&mut self, source: usize) {
        let gone = self.out.iter().filter(|(_, out)| out.source == source && !out.waits);
        self.ghosts.extend(gone.map(|(key, out)| (*key, out.until)));
        self.forget_source(source);
    }

    /// Forgets everything that came.
    pub(super) fn forget_all(&mut self) {
        for source in 0..self.sources.len() {
            self.forget_source(source);
        }
    }

    /// Gives back what came and was not handed out: how to answer, and which of them have no story yet.
    pub(super) fn give_back(&mut self) -> Vec<(Subject, Option<String>)> {
        let untouched = std::mem::take(&mut self.fresh).into_iter().map(|arrived| {
            let key = self.record_key(arrived.source, arrived.key());
            (arrived.reply, Some(key))
        });
        let mut back: Vec<_> = untouched.collect();
        let others = self.again.drain(..).chain(self.unresolved.drain(..));
        back.extend(others.map(|arrived| (arrived.reply, None)));
        for standing in &mut self.sources {
            standing.buffered = 0;
        }
        back
    }

    /// Whether someone here has a message.
    pub(super) fn is_busy(&self, now: Duration) -> bool {
        self.out.values().any(|out| out.until > now)
    }

    /// Messages that are handed out here or wait for a retry, and those that were not.
    pub(super) fn counts(&self, now: Duration) -> (u64, u64) {
        let out = self.out.values().filter(|out| out.until > now).count();
        let behind =
            self.sources.iter().map(|standing| standing.pending + standing.buffered as u64);
        (out as u64, behind.sum())
    }
}

#[cfg(test)]
mod tests;
