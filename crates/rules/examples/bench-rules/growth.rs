//! What an event costs when there are more rules, while it is always three of them that hold.

use std::{sync::OnceLock, time::Duration, time::Instant};

use crate::{
    book::Book,
    engines::{self, Ours},
    mixed::Mixed,
    race,
};

const SIZES: [usize; 5] = [10, 100, 1000, 10_000, 100_000];

/// So many events that a hundred thousand rules are hit all over.
const EVENTS: usize = 20_000;

/// The other one is left out beyond, for it takes minutes.
const PEER_UP_TO: usize = 10_000;

pub(crate) fn measure(book: &mut Book) {
    static SETS: OnceLock<Vec<Mixed>> = OnceLock::new();
    let sets = SETS.get_or_init(|| SIZES.map(|size| Mixed::new(size, EVENTS)).into());
    let mut first = None;
    for (size, set) in SIZES.into_iter().zip(sets) {
        let filters = set.rules.iter().map(|rule| engines::compile(rule)).collect::<Vec<_>>();
        let started = Instant::now();
        let mut ours = Ours::of(filters);
        book.note(&format!("growth_{size}_build"), "ms", started.elapsed().as_secs_f64() * 1e3);
        let what = format!("growth to {size}");
        let outcome = if size <= PEER_UP_TO {
            let patterns = engines::numbered(&set.rules);
            race::against(&what, &set.events, &mut ours, &patterns, Duration::from_secs(20))
        } else {
            let laps = race::race(&set.events, &mut [&mut ours]);
            race::Outcome { ours: laps[0], peers: Vec::new() }
        };
        let nanos = outcome.ours.nanos_per_event;
        book.note(&format!("growth_{size}"), "ns/event", nanos);
        for (mode, lap) in &outcome.peers {
            book.note(&format!("growth_{size}_quamina_{mode}"), "ns/event", lap.nanos_per_event);
        }
        if let Some(ratio) = outcome.ratio() {
            book.note(&format!("growth_{size}_vs_quamina"), "ratio", ratio);
        }
        let hits = outcome.ours.matches as f64 / EVENTS as f64;
        book.note(&format!("growth_{size}_matches"), "rules/event", hits);
        let grown = nanos / *first.get_or_insert(nanos);
        if size == SIZES[SIZES.len() - 1] {
            book.note("growth_10_to_100000", "ratio", grown);
        }
    }
}
