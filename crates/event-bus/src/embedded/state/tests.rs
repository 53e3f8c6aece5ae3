//! Random histories of one consumer, with crashes, against what it promises.

use std::collections::BTreeSet;

use bytes::Bytes;
use omni_events::SubjectPattern;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Message;

const STREAM: Stream = Stream::Custom;

#[derive(Clone, Debug)]
enum Step {
    Publish { selected: bool },
    Take(usize),
    Ack(prop::sample::Index),
    Fail(prop::sample::Index),
    Bury(prop::sample::Index),
    Pass(u64),
    Store,
    StoreFails,
    Crash,
    Purge(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|selected| Step::Publish { selected }),
        4 => (1..4usize).prop_map(Step::Take),
        4 => any::<prop::sample::Index>().prop_map(Step::Ack),
        1 => any::<prop::sample::Index>().prop_map(Step::Fail),
        1 => any::<prop::sample::Index>().prop_map(Step::Bury),
        1 => (1..40u64).prop_map(Step::Pass),
        2 => Just(Step::Store),
        1 => Just(Step::StoreFails),
        1 => Just(Step::Crash),
        1 => any::<prop::sample::Index>().prop_map(Step::Purge),
    ]
}

struct Model {
    log: Log,
    config: ConsumerConfig,
    state: State,
    now: Duration,
    published: u64,
    selected: BTreeSet<u64>,
    out: Vec<Pulled>,
    settled: BTreeSet<u64>,
    /// Up to here retention has removed everything.
    purged: u64,
    /// What a crash leaves: the stored position, failures, and what was settled by then.
    stored: (u64, Ranges, HashMap<Key, Vec<String>>, BTreeSet<u64>),
}

impl Model {
    fn new() -> Self {
        let pattern = SubjectPattern::parse("custom.yes.>").unwrap();
        let config =
            ConsumerConfig { max_in_flight: 5, ..ConsumerConfig::new("model", vec![pattern]) };
        Self {
            log: Log::new(&Default::default()),
            config,
            state: Self::state(0, Ranges::default(), HashMap::new()),
            now: Duration::ZERO,
            published: 0,
            selected: BTreeSet::new(),
            out: Vec::new(),
            settled: BTreeSet::new(),
            purged: 0,
            stored: Default::default(),
        }
    }

    fn state(floor: u64, settled: Ranges, failures: HashMap<Key, Vec<String>>) -> State {
        State::new(vec![Cursor::new(STREAM, floor + 1, settled)], failures)
    }

    fn publish(&mut self, selected: bool) {
        self.published += 1;
        let subject = if selected { "custom.yes._._" } else { "custom.no._._" };
        let id = Uuid::from_u128(self.published.into());
        let message = Message { id, subject: subject.into(), data: Bytes::new() };
        self.log.append(vec![Stored { stream: STREAM, sequence: self.published, at: 0, message }]);
        if selected {
            self.selected.insert(self.published);
        }
    }

    fn take(&mut self, max: usize) -> usize {
        let taken = match self.state.take(&self.log, &self.config, self.now, max) {
            Taken::Messages(taken) => taken,
            Taken::Nothing { .. } => Vec::new(),
            missing @ Taken::Missing { .. } => panic!("all is in memory, yet {missing:?}"),
        };
        assert!(taken.len() <= max);
        for pulled in &taken {
            assert!(self.selected.contains(&pulled.sequence), "{pulled:?} was not asked for");
            assert!(!self.settled.contains(&pulled.sequence), "{pulled:?} was settled");
            self.out.retain(|out| out.sequence != pulled.sequence);
        }
        self.out.extend(taken.iter().cloned());
        assert!(self.state.counts(&self.log).0 <= 5, "too many in flight");
        taken.len()
    }

    fn settle(&mut self, index: prop::sample::Index, verdict: Verdict) {
        if self.out.is_empty() {
            return;
        }
        let pulled = self.out.remove(index.index(self.out.len()));
        if !matches!(verdict, Verdict::Retry { .. }) {
            self.settled.insert(pulled.sequence);
        }
        let Pulled { stream, sequence, attempt, .. } = pulled;
        let settlement = Settlement { stream, sequence, attempt, verdict };
        self.state.settle(settlement, &self.config, (self.now, DateTime::UNIX_EPOCH));
    }

    fn store(&mut self) {
        let journal = self.state.journal();
        for (_, floor, ranges) in journal.floors {
            self.stored.0 = floor;
            self.stored.1 = Ranges::from_json(&ranges.to_json()).unwrap();
        }
        for (key, reasons) in journal.failures {
            match reasons {
                Some(reasons) => self.stored.2.insert(key, reasons),
                None => self.stored.2.remove(&key),
            };
        }
        self.stored.3.clone_from(&self.settled);
    }

    fn crash(&mut self) {
        let (floor, ranges, failures, settled) = self.stored.clone();
        self.state = Self::state(floor, ranges, failures);
        self.settled = settled;
        self.out.clear();
    }

    fn step(&mut self, step: Step) {
        let fail = || Verdict::Retry { delay: Duration::from_secs(3), reason: "no".into() };
        match step {
            Step::Publish { selected } => self.publish(selected),
            Step::Take(max) => {
                self.take(max);
            }
            Step::Ack(index) => self.settle(index, Verdict::Ack),
            Step::Fail(index) => self.settle(index, fail()),
            Step::Bury(index) => self.settle(index, Verdict::Dead { reason: "no".into() }),
            Step::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Step::Store => self.store(),
            Step::StoreFails => {
                let journal = self.state.journal();
                self.state.restore(journal);
            }
            Step::Crash => self.crash(),
            Step::Purge(index) => {
                self.purged = self.purged.max(index.index(self.published as usize + 1) as u64);
                self.log.forget(STREAM, self.purged + 1);
            }
        }
    }
}

proptest! {
    /// Whatever happens, nothing selected is left out unless retention took it, and nothing settled comes back but by a
    /// crash before it was stored.
    #[test]
    fn nothing_is_skipped_and_nothing_settled_returns(history in prop::collection::vec(steps(), 0..80)) {
        let mut model = Model::new();
        for step in history {
            model.step(step);
        }
        for _ in 0..=model.published {
            model.now += Duration::from_mins(1);
            model.take(10);
            for pulled in std::mem::take(&mut model.out) {
                model.settled.insert(pulled.sequence);
                let Pulled { stream, sequence, attempt, .. } = pulled;
                let settlement = Settlement { stream, sequence, attempt, verdict: Verdict::Ack };
                model.state.settle(settlement, &model.config, (model.now, DateTime::UNIX_EPOCH));
            }
        }
        let kept = |set: &BTreeSet<u64>| set.range(model.purged + 1..).copied().collect::<Vec<_>>();
        prop_assert_eq!(kept(&model.settled), kept(&model.selected));
        model.store();
        prop_assert_eq!(model.stored.0, model.published, "the floor did not reach the end");
        prop_assert_eq!(model.stored.1, Ranges::default());
        // The commit that removes a message removes its failures.
        prop_assert!(model.stored.2.keys().all(|(_, sequence)| *sequence <= model.purged));
    }
}
