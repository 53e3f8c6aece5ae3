//! Which messages are handed out, and when.

use std::{collections::HashMap, time::Duration};

use async_nats::Subject;

use super::{Arrived, Key, Out, Record, State, Taken, UNTRIED_MAX};
use crate::{Pulled, Stream};

impl State {
    /// Takes what can be handed out, up to `max`.
    pub(in super::super) fn take(&mut self, now: Duration, max: usize) -> Taken {
        if !self.is_active(now) {
            return Taken::Nothing { until: None };
        }
        self.drop_stale(now);
        self.ghosts.retain(|_, until| *until > now);
        self.overdue.retain(|_, until| *until > now);
        let overdue = self.first_overdue();
        let room = self.room(now);
        let want = room.min(max);
        if want == 0 {
            let until = self.out.values().map(|out| out.until).min();
            return Taken::Nothing { until: until.filter(|_| room == 0) };
        }
        let chosen = self.choose_again(now, want, &overdue);
        let unmarked: Vec<_> = chosen
            .iter()
            .map(|&at| &self.again[at])
            .filter(|arrived| !arrived.marked)
            .map(|arrived| {
                let out = Some(arrived.pulled.attempt);
                let key = arrived.key();
                let record = Record { failures: arrived.failures.clone(), out };
                (key, self.record_key(arrived.source, key), record)
            })
            .collect();
        if !unmarked.is_empty() {
            return Taken::Unmarked(unmarked);
        }
        let mut taken: Vec<Arrived> =
            chosen.into_iter().rev().filter_map(|at| self.again.remove(at)).collect();
        taken.reverse();
        if !self.ordered || (self.again.is_empty() && self.unresolved.is_empty()) {
            self.take_fresh(want - taken.len(), &overdue, &mut taken);
        }
        if taken.is_empty() {
            let until = self.ghosts.values().chain(self.overdue.values()).min().copied();
            return Taken::Nothing { until };
        }
        let mut extend = Vec::new();
        let pulled = taken.into_iter().map(|arrived| self.hand_out(arrived, now, &mut extend));
        let pulled = pulled.collect();
        Taken::Messages { pulled, extend }
    }

    /// Of each stream the first message that was thrown away and will come again: none behind it may be handed out.
    fn first_overdue(&self) -> HashMap<Stream, u64> {
        let mut first = HashMap::new();
        for &(stream, sequence) in self.overdue.keys() {
            let least = first.entry(stream).or_insert(sequence);
            *least = sequence.min(*least);
        }
        first
    }

    fn take_fresh(
        &mut self,
        want: usize,
        overdue: &HashMap<Stream, u64>,
        taken: &mut Vec<Arrived>,
    ) {
        if self.ghosts.is_empty() && overdue.is_empty() {
            taken.extend(self.fresh.drain(..want.min(self.fresh.len())));
            return;
        }
        let mut left = want;
        for arrived in std::mem::take(&mut self.fresh) {
            let key = arrived.key();
            let kept_back = self.ghosts.contains_key(&key) || is_behind(overdue, key);
            if kept_back && self.ordered {
                left = 0;
            }
            if kept_back || left == 0 {
                self.fresh.push_back(arrived);
            } else {
                left -= 1;
                taken.push(arrived);
            }
        }
    }

    /// Which of the repeats can be handed out.
    ///
    /// Those that may have ended the process at their last attempt, and are at the last one they have, go one at a time:
    /// whoever is in flight beside the guilty one would be given up with it.
    fn choose_again(
        &self,
        now: Duration,
        want: usize,
        overdue: &HashMap<Stream, u64>,
    ) -> Vec<usize> {
        let alive = |key: &Key| self.out.get(key).is_some_and(|out| !out.waits && out.until > now);
        let mut taken = self.chance.as_ref().is_some_and(alive);
        let mut blocked = false;
        let mut chosen = Vec::new();
        for (at, arrived) in self.again.iter().enumerate() {
            if chosen.len() == want {
                break;
            }
            // Its lane is kept for it, wherever it stands in the queue.
            let known = self.ordered && self.out.contains_key(&arrived.key());
            if self.ghosts.contains_key(&arrived.key()) {
                blocked |= self.ordered;
            } else if known {
                chosen.push(at);
            } else if blocked || is_behind(overdue, arrived.key()) || (arrived.last_chance && taken)
            {
                blocked = self.ordered;
            } else {
                taken |= arrived.last_chance;
                chosen.push(at);
            }
        }
        chosen
    }

    fn hand_out(&mut self, arrived: Arrived, now: Duration, extend: &mut Vec<Subject>) -> Pulled {
        let key = arrived.key();
        let Arrived { pulled, source, reply, since, failures, recorded, last_chance, .. } = arrived;
        self.sources[source].buffered -= 1;
        let mut until = since + self.ack_wait;
        if now.saturating_sub(since) > self.ack_wait / 8 {
            extend.push(reply.clone());
            until = now + self.ack_wait;
        }
        if last_chance {
            self.chance = Some(key);
        }
        if !self.late.is_empty() {
            self.late.remove(&key);
        }
        let copy = pulled.clone();
        self.out
            .insert(key, Out { pulled, source, reply, failures, recorded, until, waits: false });
        copy
    }

    /// Throws away what lay here for so long that the server is about to deliver it again.
    pub(super) fn drop_stale(&mut self, now: Duration) {
        let wait = self.ack_wait / 10 * 9;
        let stale = |arrived: &Arrived| arrived.since + wait <= now;
        while self.fresh.front().is_some_and(stale) {
            if let Some(arrived) = self.fresh.pop_front() {
                self.sources[arrived.source].buffered -= 1;
                if self.untried.len() >= UNTRIED_MAX {
                    self.untried.clear();
                }
                self.untried.insert(arrived.key());
                if self.ordered {
                    self.overdue.insert(arrived.key(), arrived.since + self.ack_wait / 2 * 3);
                }
            }
        }
        let Self { sources, overdue, ordered, ack_wait, .. } = self;
        let mut keep = |arrived: &Arrived| {
            let keep = !stale(arrived);
            if !keep {
                sources[arrived.source].buffered -= 1;
                if *ordered {
                    overdue.insert(arrived.key(), arrived.since + *ack_wait / 2 * 3);
                }
            }
            keep
        };
        self.again.retain(&mut keep);
        self.unresolved.retain(&mut keep);
    }
}

/// Whether a message stands behind one that was thrown away and will come again.
fn is_behind(overdue: &HashMap<Stream, u64>, (stream, sequence): Key) -> bool {
    overdue.get(&stream).is_some_and(|first| *first < sequence)
}
