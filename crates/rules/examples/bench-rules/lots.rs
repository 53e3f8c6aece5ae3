//! Lots of land of a city: the events with which other matchers are measured, in shape, number and size.

use std::{sync::OnceLock, time::Duration};

use fastrand::Rng;

use crate::{
    book::Book,
    engines::Ours,
    kinds,
    race::{self, Events},
    words,
};

/// As many as the city has.
const LOTS: usize = 213_068;

const STREETS: usize = 2000;

const TYPES: [&str; 10] = ["ST", "AVE", "WAY", "BLVD", "DR", "CT", "TER", "LN", "PL", "ALY"];

pub(crate) fn measure(book: &mut Book) {
    let events = events();
    let mut ratios = Vec::new();
    for group in kinds::groups() {
        let name = group.name;
        let mut ours = Ours::build(&group.rules);
        let patterns = group.peer.as_deref().unwrap_or_default();
        let outcome = if group.peer.is_some() {
            race::against(name, events, &mut ours, patterns, Duration::from_mins(1))
        } else {
            let laps = race::race(events, &mut [&mut ours]);
            race::Outcome { ours: laps[0], peers: Vec::new() }
        };
        book.note(&format!("lots_{name}"), "ns/event", outcome.ours.nanos_per_event);
        for (mode, lap) in &outcome.peers {
            book.note(&format!("lots_{name}_quamina_{mode}"), "ns/event", lap.nanos_per_event);
        }
        if let Some(ratio) = outcome.ratio() {
            book.note(&format!("lots_{name}_vs_quamina"), "ratio", ratio);
            ratios.push(ratio);
        }
        book.note(
            &format!("lots_{name}_matches"),
            "rules/event",
            outcome.ours.matches as f64 / LOTS as f64,
        );
    }
    book.note("lots_bytes", "bytes/event", events.mean_bytes() as f64);
    if ratios.is_empty() {
        return;
    }
    let logarithms = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>();
    book.note("lots_vs_quamina_geomean", "ratio", (logarithms / ratios.len() as f64).exp());
    book.note("lots_vs_quamina_worst", "ratio", ratios.into_iter().fold(f64::INFINITY, f64::min));
}

/// The same in every round and for every part that asks.
pub(crate) fn events() -> &'static Events {
    static EVENTS: OnceLock<Events> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let (mut rng, mut events) = (Rng::with_seed(7), Events::default());
        let streets = streets();
        (0..LOTS).for_each(|number| events.push(&lot(&mut rng, number, &streets)));
        events
    })
}

pub(crate) fn streets() -> Vec<String> {
    let mut rng = Rng::with_seed(8);
    let mut street = || {
        let length = 4 + rng.usize(..9);
        words::word(&mut rng, length).to_uppercase()
    };
    (0..STREETS).map(|_| street()).collect()
}

/// The number of a lot is that of its block, which has up to a hundred, and its own.
fn lot(rng: &mut Rng, number: usize, streets: &[String]) -> String {
    let (block, own) = (number / 60 + 1, number % 60 + 1);
    let lot = format!("{block:04}{own:03}");
    let street = &streets[words::skewed(rng, STREETS)];
    let from = rng.usize(1..3000);
    let kind = TYPES[words::skewed(rng, TYPES.len())];
    let side = ["\"E\"", "\"O\"", "null"][words::skewed(rng, 3)];
    let shape = if rng.u32(..200) == 0 { "MultiPolygon" } else { "Polygon" };
    let place = |rng: &mut Rng| {
        let (x, y) = (rng.u64(..100_000_000_000_000), rng.u64(..100_000_000_000_000));
        format!(r#"{{ "x": -122.{x:014}, "y": 37.{y:014}, "z": 0.0 }}"#)
    };
    let corners = 3 + words::tail(rng, 5.0, 110);
    let first = place(rng);
    let mut event = format!(
        r#"{{ "type": "Feature", "properties": {{ "MAPBLKLOT": "{lot}", "BLKLOT": "{lot}", "BLOCK_NUM": "{block:04}", "LOT_NUM": "{own:03}", "FROM_ST": "{from}", "TO_ST": "{}", "STREET": "{street}", "ST_TYPE": "{kind}", "ODD_EVEN": {side} }}, "geometry": {{ "type": "{shape}", "firstCoordinates": {first}, "coordinates": [ {first}"#,
        from + rng.usize(..20),
    );
    for _ in 0..corners {
        event.push_str(", ");
        event.push_str(&place(rng));
    }
    event.push_str(" ] } }");
    event
}
