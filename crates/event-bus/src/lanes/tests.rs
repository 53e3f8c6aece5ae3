//! Random histories of an ordered consumer over a backend that does what the contract says, against what lanes promise.

use std::collections::BTreeSet;

use chrono::DateTime;
use proptest::{prelude::*, sample::Index};
use uuid::Uuid;

use super::*;
use crate::Message;

const ACK_WAIT: Duration = Duration::from_secs(10);
const OUT_MAX: usize = 3;
const WINDOW: usize = 8;

fn pulled((stream, sequence): Place, attempt: u32) -> Pulled {
    let id = Uuid::from_u128(sequence.into());
    let message = Message { id, subject: "custom.a._._".into(), data: "{}".into() };
    let published_at = DateTime::UNIX_EPOCH;
    Pulled { message, stream, sequence, published_at, attempt }
}

fn settlement((stream, sequence): Place, attempt: u32, verdict: Verdict) -> Settlement {
    Settlement { stream, sequence, attempt, verdict }
}

fn sequences(taken: &[Pulled]) -> Vec<u64> {
    taken.iter().map(|pulled| pulled.sequence).collect()
}

fn custom(sequence: u64) -> Place {
    (Stream::Custom, sequence)
}

/// Lanes with these messages, as (sequence, key).
fn lanes(messages: &[(u64, Option<u64>)]) -> Lanes {
    let mut lanes = Lanes::new(ACK_WAIT, OUT_MAX);
    for (sequence, key) in messages {
        lanes.offer(pulled(custom(*sequence), 1), *key);
    }
    lanes
}

fn retry(delay: u64) -> Verdict {
    Verdict::Retry { delay: Duration::from_secs(delay), reason: String::new() }
}

#[test]
fn messages_of_one_key_go_one_at_a_time() {
    let mut lanes = lanes(&[(1, Some(1)), (2, Some(1)), (3, Some(2)), (4, None), (5, None)]);
    let now = Duration::ZERO;
    assert_eq!(sequences(&lanes.take(now, 10)), [1, 3, 4], "three may be out");
    assert!(lanes.settle(&settlement(custom(4), 1, Verdict::Ack), now));
    assert_eq!(sequences(&lanes.take(now, 10)), [5]);
    assert!(lanes.settle(&settlement(custom(1), 1, Verdict::Ack), now));
    assert_eq!(sequences(&lanes.take(now, 10)), [2]);
}

#[test]
fn a_retry_keeps_back_its_key_alone_and_comes_first() {
    let mut lanes = lanes(&[(1, Some(1)), (2, Some(1)), (3, Some(2))]);
    let now = Duration::ZERO;
    lanes.take(now, 10);
    lanes.settle(&settlement(custom(1), 1, retry(5)), now);
    lanes.settle(&settlement(custom(3), 1, Verdict::Ack), now);
    assert_eq!(lanes.take(now, 10).len(), 0);
    let alive = lanes.alive();
    assert_eq!((alive.len(), alive[0].sequence), (1, 2));
    lanes.offer(pulled(custom(1), 2), Some(1));
    let again = lanes.take(now, 10);
    assert_eq!((sequences(&again), again[0].attempt), (vec![1], 2));
    let dead = Verdict::Dead { reason: String::new() };
    assert!(!lanes.settle(&settlement(custom(1), 1, dead.clone()), now), "an old attempt");
    assert!(lanes.settle(&settlement(custom(1), 2, dead), now));
    assert_eq!(sequences(&lanes.take(now, 10)), [2]);
}

#[test]
fn what_is_past_its_ack_wait_makes_room_but_keeps_its_lane() {
    let mut lanes = lanes(&[(1, Some(1)), (2, Some(1)), (3, None), (4, None), (5, None)]);
    assert_eq!(sequences(&lanes.take(Duration::ZERO, 10)), [1, 3, 4]);
    assert_eq!((lanes.room(ACK_WAIT / 2), lanes.lapse()), (0, Some(ACK_WAIT)));
    lanes.settle(&settlement(custom(3), 1, Verdict::InProgress), ACK_WAIT / 2);
    assert_eq!(lanes.room(ACK_WAIT), 2);
    assert_eq!(sequences(&lanes.take(ACK_WAIT, 10)), [5]);
    lanes.offer(pulled(custom(4), 2), None);
    for _ in 1..MISSED_MAX {
        assert_eq!(lanes.miss(ACK_WAIT), []);
    }
    assert_eq!(lanes.miss(ACK_WAIT), [custom(1)], "what never comes again would block its lane");
    lanes.settle(&settlement(custom(5), 1, Verdict::Ack), ACK_WAIT);
    assert_eq!(sequences(&lanes.take(ACK_WAIT, 1)), [4]);
    lanes.settle(&settlement(custom(4), 2, Verdict::Ack), ACK_WAIT);
    assert_eq!(sequences(&lanes.take(ACK_WAIT, 1)), [2]);
}

#[test]
fn an_early_ack_takes_a_message_that_came_again() {
    let mut lanes = lanes(&[(1, Some(1))]);
    lanes.take(Duration::ZERO, 1);
    lanes.offer(pulled(custom(1), 2), Some(1));
    lanes.settle(&settlement(custom(1), 1, Verdict::Ack), Duration::ZERO);
    assert_eq!(lanes.take(Duration::ZERO, 1).len(), 0);
    assert!(lanes.lanes.is_empty() && lanes.names.is_empty() && lanes.ready.is_empty());
}

#[test]
fn streams_of_one_key_are_merged_by_time_without_breaking_their_order() {
    let mut lanes = Lanes::new(ACK_WAIT, OUT_MAX);
    let at = |stream, sequence, second| Pulled {
        published_at: DateTime::from_timestamp(second, 0).unwrap(),
        ..pulled((stream, sequence), 1)
    };
    // The clock went back between 1 and 2 of the first stream.
    let all = [
        at(Stream::Message, 1, 4),
        at(Stream::Message, 2, 2),
        at(Stream::Custom, 7, 3),
        at(Stream::Custom, 8, 5),
    ];
    for one in all {
        lanes.offer(one, Some(1));
    }
    let mut order = Vec::new();
    while let Some(next) = lanes.take(Duration::ZERO, 9).pop() {
        order.push((next.stream, next.sequence));
        lanes.settle(&settlement(order[order.len() - 1], 1, Verdict::Ack), Duration::ZERO);
    }
    let (message, custom) = (Stream::Message, Stream::Custom);
    assert_eq!(order, [(custom, 7), (message, 1), (message, 2), (custom, 8)]);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Option<u64>),
    Pull(usize),
    Take(usize),
    Ack(Index),
    Retry(Index, u64),
    Bury(Index),
    Progress(Index),
    Drop(Index),
    Beat,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        6 => prop::option::weighted(0.8, 0..3u64).prop_map(Step::Publish),
        5 => (1..4usize).prop_map(Step::Pull),
        5 => (1..4usize).prop_map(Step::Take),
        4 => index().prop_map(Step::Ack),
        2 => (index(), 0..15u64).prop_map(|(index, delay)| Step::Retry(index, delay)),
        1 => index().prop_map(Step::Bury),
        1 => index().prop_map(Step::Progress),
        1 => index().prop_map(Step::Drop),
        1 => Just(Step::Beat),
        2 => (1..12u64).prop_map(Step::Pass),
    ]
}

/// A backend by its contract, the lanes over it, and those who hold messages.
struct Model {
    lanes: Lanes,
    now: Duration,
    keys: Vec<Option<u64>>,
    pulled: usize,
    /// At the backend: attempt and when it is due again.
    pending: BTreeMap<u64, (u32, Duration)>,
    held: Vec<Pulled>,
    settled: BTreeSet<u64>,
}

impl Model {
    fn key(&self, sequence: u64) -> Option<u64> {
        self.keys[sequence as usize - 1]
    }

    fn pull(&mut self, max: usize) {
        let due = self.pending.iter().filter(|(_, (_, due))| *due <= self.now);
        let mut next: Vec<u64> = due.map(|(sequence, _)| *sequence).take(max).collect();
        while next.len() < max && self.pulled < self.keys.len() && self.pending.len() < WINDOW {
            self.pulled += 1;
            self.pending.insert(self.pulled as u64, (0, Duration::ZERO));
            next.push(self.pulled as u64);
        }
        for sequence in next {
            let pending = self.pending.get_mut(&sequence).unwrap();
            *pending = (pending.0 + 1, self.now + ACK_WAIT);
            let attempt = pending.0;
            self.lanes.offer(pulled(custom(sequence), attempt), self.key(sequence));
        }
    }

    fn take(&mut self, max: usize) {
        for pulled in self.lanes.take(self.now, max) {
            let sequence = pulled.sequence;
            assert!(!self.settled.contains(&sequence), "{sequence} was settled");
            if let Some(key) = self.key(sequence) {
                let early =
                    (1..sequence).find(|s| self.key(*s) == Some(key) && !self.settled.contains(s));
                assert_eq!(early, None, "an earlier one of its key is before {sequence}");
            }
            self.held.push(pulled);
        }
        let is_out = |held: &&Pulled| {
            self.pending
                .get(&held.sequence)
                .is_some_and(|(attempt, due)| *attempt == held.attempt && *due > self.now)
        };
        let out: Vec<_> = self.held.iter().filter(is_out).collect();
        assert!(out.len() <= OUT_MAX, "{out:?}");
        let mut keys: Vec<_> = out.iter().filter_map(|held| self.key(held.sequence)).collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "two of one key are out");
    }

    fn settle(&mut self, held: &Pulled, verdict: Verdict) {
        let Pulled { sequence, attempt, .. } = *held;
        let latest = self.pending.get(&sequence).is_some_and(|(last, _)| *last == attempt);
        let known = self.pending.contains_key(&sequence);
        match &verdict {
            Verdict::Ack if known => self.done(sequence),
            Verdict::Dead { .. } if latest => self.done(sequence),
            Verdict::Retry { delay, .. } if latest => {
                self.pending.insert(sequence, (attempt, self.now + *delay));
            }
            Verdict::InProgress if latest => {
                self.pending.insert(sequence, (attempt, self.now + ACK_WAIT));
            }
            _ => {}
        }
        self.lanes.settle(&settlement(custom(sequence), attempt, verdict), self.now);
    }

    fn done(&mut self, sequence: u64) {
        self.pending.remove(&sequence);
        self.settled.insert(sequence);
    }

    fn pick(&mut self, index: Index) -> Option<Pulled> {
        if self.held.is_empty() {
            return None;
        }
        let index = index.index(self.held.len());
        Some(self.held.swap_remove(index))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(key) => self.keys.push(key),
            Step::Pull(max) => self.pull(max),
            Step::Take(max) => self.take(max),
            Step::Ack(index) => {
                if let Some(held) = self.pick(index) {
                    self.settle(&held, Verdict::Ack);
                }
            }
            Step::Retry(index, delay) => {
                if let Some(held) = self.pick(index) {
                    self.settle(&held, retry(delay));
                }
            }
            Step::Bury(index) => {
                if let Some(held) = self.pick(index) {
                    self.settle(&held, Verdict::Dead { reason: String::new() });
                }
            }
            Step::Progress(index) => {
                if let Some(held) = self.pick(index) {
                    self.settle(&held, Verdict::InProgress);
                    self.held.push(held);
                }
            }
            Step::Drop(index) => drop(self.pick(index)),
            Step::Beat => {
                for beat in self.lanes.alive() {
                    let pending = self.pending.get_mut(&beat.sequence).unwrap();
                    if pending.0 == beat.attempt {
                        pending.1 = self.now + ACK_WAIT;
                    }
                }
            }
            Step::Pass(seconds) => self.now += Duration::from_secs(seconds),
        }
    }

    /// Settles everything that is left, the way a program that has recovered would.
    fn finish(&mut self) {
        for _ in 0..4 * self.keys.len() + 4 {
            self.now += ACK_WAIT * 2;
            self.pull(WINDOW);
            self.take(WINDOW);
            while let Some(held) = self.held.pop() {
                self.settle(&held, Verdict::Ack);
            }
        }
        let all: BTreeSet<_> = (1..=self.keys.len() as u64).collect();
        assert_eq!(self.settled, all, "something was lost");
        let Lanes { lanes, names, ready, out, .. } = &self.lanes;
        assert!(lanes.is_empty() && names.is_empty() && ready.is_empty() && out.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// One at a time and in order for each key, nothing lost, and what is settled never comes again.
    #[test]
    fn order_holds_whatever_happens(history in prop::collection::vec(steps(), 0..120)) {
        let mut model = Model {
            lanes: Lanes::new(ACK_WAIT, OUT_MAX),
            now: Duration::ZERO,
            keys: Vec::new(),
            pulled: 0,
            pending: BTreeMap::new(),
            held: Vec::new(),
            settled: BTreeSet::new(),
        };
        for step in history {
            model.step(step);
        }
        model.finish();
    }
}
