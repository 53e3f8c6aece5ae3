//! Two threads on one matcher, each with half of the events.

use std::{thread, time::Instant};

use omni_rules::Scratch;

use crate::{
    book::Book,
    engines::{self, Ours},
    mixed::Mixed,
};

const RULES: usize = 10_000;
const EVENTS: usize = 20_000;

/// Each thread goes over its events so often.
const LAPS: usize = 20;

pub(crate) fn measure(book: &mut Book) {
    let set = Mixed::new(RULES, EVENTS);
    let ours = Ours::build(&set.rules);
    let matcher = ours.matcher();
    let half = |first: usize| {
        let mut scratch = Scratch::default();
        for _ in 0..LAPS {
            for place in (first..EVENTS).step_by(2) {
                engines::count(matcher, set.events.get(place), &mut scratch);
            }
        }
    };
    half(0);
    let started = Instant::now();
    half(0);
    half(1);
    let one = started.elapsed();
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| half(0));
        scope.spawn(|| half(1));
    });
    book.note("two_threads_vs_one", "ratio", one.as_secs_f64() / started.elapsed().as_secs_f64());
}
