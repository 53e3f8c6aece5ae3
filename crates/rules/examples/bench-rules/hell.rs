//! What the authors of the other matcher call the benchmark from hell: as many wildcards as there are words of five letters,
//! each with its star somewhere, all of one field.

use std::{collections::HashSet, time::Duration, time::Instant};

use fastrand::Rng;

use crate::{
    book::Book,
    engines::{self, Engine, MODES, Ours, Peer},
    memory,
    race::{self, Events},
    words,
};

const WORDS: usize = 12_959;

/// The other one gives up sooner in the mode that it is quicker in, or it would take all memory.
const PEER_BUILD: Duration = Duration::from_secs(20);

pub(crate) fn measure(book: &mut Book) {
    let (rules, events) = (rules(), events());
    let filters = rules.iter().map(|rule| engines::compile(rule)).collect::<Vec<_>>();
    let started = Instant::now();
    let mut ours = Ours::of(filters);
    book.note("hell_build_ms", "ms", started.elapsed().as_secs_f64() * 1e3);
    let laps = race::race(&events, &mut [&mut ours]);
    book.note("hell_values_per_s", "values/s", 1e9 / laps[0].nanos_per_event);
    book.note("hell_matches", "rules/value", laps[0].matches as f64 / events.len() as f64);
    book.note("hell_mb", "MB", memory::bytes_of("hell") / 1e6);
    overlapping(book);
    // It does not change from round to round, and takes long.
    if book.series.iter().any(|series| series.name.starts_with("hell_quamina")) {
        return;
    }
    let few = few(&events);
    for (name, mode) in MODES {
        let started = Instant::now();
        let numbered = engines::numbered(&rules);
        let Some(mut peer) = Peer::build(mode, &numbered, events.get(0), PEER_BUILD) else {
            continue;
        };
        book.note(
            &format!("hell_quamina_{name}_build_ms"),
            "ms",
            started.elapsed().as_secs_f64() * 1e3,
        );
        let laps = race::race(&few, &mut [&mut ours, &mut peer]);
        assert_eq!(laps[0].matches, laps[1].matches, "hell beside quamina built for {name}");
        let rate = 1e9 / laps[1].nanos_per_event;
        book.note(&format!("hell_quamina_{name}_values_per_s"), "values/s", rate);
    }
}

pub(crate) fn rules() -> Vec<String> {
    let mut rng = Rng::with_seed(32);
    let starred = |word: String| {
        let (before, behind) = word.split_at(rng.usize(..=word.len()));
        format!(r#"{{"x": [{{"wildcard": "{before}*{behind}"}}]}}"#)
    };
    words().into_iter().map(starred).collect()
}

/// Each word, and each once more with something in between.
fn events() -> Events {
    let (mut rng, mut events) = (Rng::with_seed(33), Events::default());
    for word in words() {
        let (before, behind) = word.split_at(rng.usize(..=word.len()));
        events.push(&format!(r#"{{"x": "{word}"}}"#));
        events.push(&format!(r#"{{"x": "{before}{}{behind}"}}"#, words::word(&mut rng, 3)));
    }
    events
}

fn few(events: &Events) -> Events {
    let mut few = Events::default();
    (0..events.len())
        .step_by(20)
        .for_each(|place| few.push(std::str::from_utf8(events.get(place)).unwrap()));
    few
}

fn words() -> Vec<String> {
    let (mut rng, mut seen) = (Rng::with_seed(31), HashSet::new());
    let fresh = || Some(words::word(&mut rng, 5));
    std::iter::from_fn(fresh).filter(|word| seen.insert(word.clone())).take(WORDS).collect()
}

/// Wildcards that hold for the same texts, with four stars each: they would multiply in an automaton.
fn overlapping(book: &mut Book) {
    let mut rng = Rng::with_seed(34);
    let mut letter = || words::word(&mut rng, 1);
    let rule =
        |_| format!(r#"{{"x": [{{"wildcard": "*{}*{}*{}*"}}]}}"#, letter(), letter(), letter());
    let rules: Vec<_> = (0..128).map(rule).collect();
    let mut ours = Ours::build(&rules);
    let mut rng = Rng::with_seed(35);
    let mut events = Events::default();
    (0..5000).for_each(|_| events.push(&format!(r#"{{"x": "{}"}}"#, words::word(&mut rng, 100))));
    let laps = race::race(&events, &mut [&mut ours as &mut dyn Engine]);
    book.note("hell_overlapping_values_per_s", "values/s", 1e9 / laps[0].nanos_per_event);
}
