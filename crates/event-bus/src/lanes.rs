//! Lanes: the messages of one key, one behind the other. Pure, no input or output, no waiting.
//!
//! It must stay true that of one key at most one message is out or waits for a retry, that the next one is the earliest
//! of its stream that is here, and that a message is here until it is settled.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    time::Duration,
};

use crate::{Pulled, Settlement, Stream, Verdict};

/// How often a message that is to come again is looked for in vain, every third of an ack wait. Then it was settled
/// where we could not see it, or retention has taken it, and its lane would stand still for ever.
const MISSED_MAX: u32 = 6;

/// The place of a message.
pub(crate) type Place = (Stream, u64);

/// A lane is named by the key of its messages; a message without one has a lane of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    Key(u64),
    Alone(Place),
}

#[derive(Debug, Default)]
struct Lane {
    /// The message that keeps back the others.
    busy: Option<Busy>,
    parked: BTreeMap<Place, Pulled>,
    /// Its turn, when its next message can be handed out.
    turn: Option<u64>,
}

#[derive(Debug)]
struct Busy {
    place: Place,
    attempt: u32,
    /// When its ack wait ends, or its retry is due.
    until: Duration,
    /// Whether someone has it; otherwise it is to come again.
    out: bool,
    /// How often it was looked for since it was due.
    missed: u32,
}

impl Lane {
    /// The next message: the earliest of its stream, and of several streams the one published first.
    fn head(&self) -> Option<Place> {
        let mut head = None;
        let mut first = self.parked.first_key_value();
        while let Some((place, pulled)) = first {
            if head.is_none_or(|(published_at, _)| pulled.published_at < published_at) {
                head = Some((pulled.published_at, *place));
            }
            let later = (Bound::Excluded((place.0, u64::MAX)), Bound::Unbounded);
            first = self.parked.range(later).next();
        }
        head.map(|(_, place)| place)
    }
}

/// All lanes of one consumer.
#[derive(Debug)]
pub(crate) struct Lanes {
    ack_wait: Duration,
    out_max: usize,
    lanes: HashMap<Name, Lane>,
    names: HashMap<Place, Name>,
    ready: BTreeMap<u64, Name>,
    next_turn: u64,
    /// What is out, by the end of its ack wait.
    out: BTreeSet<(Duration, Place)>,
}

impl Lanes {
    /// Lanes of which at most so many messages are out at once.
    pub(crate) fn new(ack_wait: Duration, out_max: usize) -> Self {
        Self {
            ack_wait,
            out_max,
            lanes: HashMap::new(),
            names: HashMap::new(),
            ready: BTreeMap::new(),
            next_turn: 0,
            out: BTreeSet::new(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self { next_turn: self.next_turn, ..Self::new(self.ack_wait, self.out_max) };
    }

    /// Takes in a message that was pulled; one that is here already is replaced, and is nobody's any more.
    pub(crate) fn offer(&mut self, pulled: Pulled, key: Option<u64>) {
        let place = (pulled.stream, pulled.sequence);
        let name = key.map_or(Name::Alone(place), Name::Key);
        self.names.insert(place, name);
        let lane = self.lanes.entry(name).or_default();
        if let Some(busy) = lane.busy.take_if(|busy| busy.place == place) {
            self.out.remove(&(busy.until, place));
        }
        lane.parked.insert(place, pulled);
        self.queue(name);
    }

    /// Hands out what can be, up to `max`.
    pub(crate) fn take(&mut self, now: Duration, max: usize) -> Vec<Pulled> {
        let room = self.room(now);
        let mut taken = Vec::new();
        while taken.len() < room.min(max)
            && let Some((_, name)) = self.ready.pop_first()
        {
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            lane.turn = None;
            let Some(pulled) = lane.head().and_then(|place| lane.parked.remove(&place)) else {
                continue;
            };
            let place = (pulled.stream, pulled.sequence);
            let until = now + self.ack_wait;
            lane.busy = Some(Busy { place, attempt: pulled.attempt, until, out: true, missed: 0 });
            self.out.insert((until, place));
            taken.push(pulled);
        }
        taken
    }

    /// How many more may be out now. What is past its ack wait is out no longer, though its lane waits for it.
    pub(crate) fn room(&mut self, now: Duration) -> usize {
        while let Some((until, place)) = self.out.first().copied()
            && until <= now
        {
            self.out.pop_first();
            if let Some(busy) = self.busy(place) {
                busy.out = false;
            }
        }
        self.out_max.saturating_sub(self.out.len())
    }

    /// When there is room again though nothing is settled.
    pub(crate) fn lapse(&self) -> Option<Duration> {
        self.out.first().map(|(until, _)| *until)
    }

    /// Takes note of what became of a message. Returns whether someone who waits can now do something.
    pub(crate) fn settle(&mut self, settlement: &Settlement, now: Duration) -> bool {
        let place = (settlement.stream, settlement.sequence);
        let (full, ready) = (self.out.len() >= self.out_max, self.ready.len());
        let ack_wait = self.ack_wait;
        let latest = self.busy(place).filter(|busy| busy.attempt == settlement.attempt);
        let (until, out) = match (&settlement.verdict, latest.is_some()) {
            (Verdict::Ack, _) | (Verdict::Dead { .. }, true) => {
                self.remove(place);
                return full || self.ready.len() > ready;
            }
            (Verdict::Retry { delay, .. }, true) => (now + *delay, false),
            (Verdict::InProgress, true) => (now + ack_wait, true),
            (_, false) => return false,
        };
        if let Some(busy) = latest {
            let before = std::mem::replace(&mut busy.until, until);
            (busy.out, busy.missed) = (out, 0);
            self.out.remove(&(before, place));
        }
        if out {
            self.out.insert((until, place));
        }
        full && !out
    }

    /// Lets a message go that is settled, or will not come again.
    fn remove(&mut self, place: Place) {
        let Some(name) = self.names.remove(&place) else { return };
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        lane.parked.remove(&place);
        if let Some(busy) = lane.busy.take_if(|busy| busy.place == place) {
            self.out.remove(&(busy.until, place));
        }
        if lane.parked.is_empty()
            && let Some(turn) = lane.turn.take()
        {
            self.ready.remove(&turn);
        }
        if lane.busy.is_none() && lane.parked.is_empty() {
            self.lanes.remove(&name);
        }
        self.queue(name);
    }

    /// What is kept back, as settlements that keep it alive.
    pub(crate) fn alive(&self) -> Vec<Settlement> {
        let parked = self.lanes.values().flat_map(|lane| lane.parked.values());
        parked
            .map(|pulled| Settlement {
                stream: pulled.stream,
                sequence: pulled.sequence,
                attempt: pulled.attempt,
                verdict: Verdict::InProgress,
            })
            .collect()
    }

    /// Looks for messages that are to come again and have not, though someone was there to take them; those missed for
    /// the last time are let go and returned.
    pub(crate) fn miss(&mut self, now: Duration) -> Vec<Place> {
        self.room(now);
        let mut missing = Vec::new();
        for busy in self.lanes.values_mut().filter_map(|lane| lane.busy.as_mut()) {
            if !busy.out && busy.until <= now {
                busy.missed += 1;
                if busy.missed >= MISSED_MAX {
                    missing.push(busy.place);
                }
            }
        }
        for place in &missing {
            self.remove(*place);
        }
        missing
    }

    fn busy(&mut self, place: Place) -> Option<&mut Busy> {
        let lane = self.lanes.get_mut(self.names.get(&place)?)?;
        lane.busy.as_mut().filter(|busy| busy.place == place)
    }

    /// Gives a lane a turn if it has something to hand out and none yet.
    fn queue(&mut self, name: Name) {
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        if lane.busy.is_some() || lane.parked.is_empty() || lane.turn.is_some() {
            return;
        }
        lane.turn = Some(self.next_turn);
        self.ready.insert(self.next_turn, name);
        self.next_turn += 1;
    }
}

#[cfg(test)]
mod tests;
