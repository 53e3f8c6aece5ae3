//! Changing one of a hundred thousand rules while a thread matches at full speed: how long until the change is seen, and
//! what the matching thread notices of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use omni_rules::{Rule, Rules, Scratch};

use crate::{
    book::{self, Book},
    engines,
    mixed::{self, Mixed},
};

pub(crate) const RULES: usize = 100_000;
const EVENTS: usize = 2000;
const CHANGES: usize = 3000;

/// Between two changes, so that the matching thread is measured with changes, not between them.
const PAUSE: Duration = Duration::from_micros(300);

const ORG: &str = "org";
const TYPE: &str = "message.received";

pub(crate) fn measure(book: &mut Book) {
    let set = Mixed::new(RULES, EVENTS);
    let rules = load(&set.rules);
    let quiet = matching(&rules, &set, || thread::park_timeout(Duration::from_secs(1)));
    let mut seen = histogram();
    let busy = matching(&rules, &set, || change(&rules, &mut seen));
    book.latency("live_visible", &in_micros(&seen));
    book.latency("live_matching_quiet", &in_micros(&quiet));
    book.latency("live_matching_changing", &in_micros(&busy));
    let at = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.999) as f64;
    book.note("live_matching_vs_quiet", "ratio", at(&busy) / at(&quiet));
    let mean = |histogram: &Histogram<u64>| histogram.mean();
    book.note("live_matching_mean_vs_quiet", "ratio", mean(&busy) / mean(&quiet));
}

/// All rules in one organisation under one type.
pub(crate) fn load(patterns: &[String]) -> Rules<u32> {
    Rules::new((0..).zip(patterns).map(|(number, pattern)| rule(number, pattern)).collect())
}

fn rule(number: u32, pattern: &str) -> Rule<u32> {
    Rule {
        org: ORG.into(),
        type_pattern: TYPE.into(),
        priority: 0,
        order: format!("{number:08}"),
        filter: Arc::new(engines::compile(pattern)),
        item: number,
    }
}

/// Adds, changes and removes rules; each is asked for until it is seen.
fn change(rules: &Rules<u32>, seen: &mut Histogram<u64>) {
    let mut scratch = Scratch::default();
    for number in 0..CHANGES {
        // A new rule, one of the old, and the new one away.
        let id = (RULES + number / 3) as u32;
        let id = if number % 3 == 1 { (number * 31 % RULES) as u32 } else { id };
        let (pattern, event) = mixed::probe(number - number % 3 / 2 * 2);
        let rule = rule(id, &pattern);
        let started = Instant::now();
        let expected = number % 3 != 2;
        if expected {
            rules.put(rule).unwrap();
        } else {
            rules.remove(ORG, &rule.order);
        }
        loop {
            let index = rules.load();
            let matches = index.matching(ORG, TYPE, event.as_bytes(), &mut scratch).unwrap();
            if matches.items.contains(&&id) == expected {
                break;
            }
        }
        seen.saturating_record(started.elapsed().as_nanos() as u64);
        thread::park_timeout(PAUSE);
    }
}

/// How long each event takes while something else is done, in nanoseconds.
fn matching(rules: &Rules<u32>, set: &Mixed, meanwhile: impl FnOnce()) -> Histogram<u64> {
    let (mut times, over) = (histogram(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut scratch, mut found) = (Scratch::default(), 0);
            for place in (0..EVENTS).cycle() {
                let started = Instant::now();
                let index = rules.load();
                let event = set.events.get(place);
                let matches = index.matching(ORG, TYPE, event, &mut scratch).unwrap();
                found += matches.items.len();
                times.saturating_record(started.elapsed().as_nanos() as u64);
                if over.load(Ordering::Relaxed) {
                    assert!(found > 0);
                    return;
                }
            }
        });
        meanwhile();
        over.store(true, Ordering::Relaxed);
    });
    times
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

/// The book has waits in microseconds.
fn in_micros(nanos: &Histogram<u64>) -> Histogram<u64> {
    let mut micros = book::histogram();
    for value in nanos.iter_recorded() {
        let _ = micros.record_n((value.value_iterated_to() / 1000).max(1), value.count_at_value());
    }
    micros
}
