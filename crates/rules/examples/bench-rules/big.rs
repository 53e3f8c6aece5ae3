//! Big events of which little is asked for: what a code host sends about pushes, issues and pull requests.

use std::{sync::OnceLock, time::Duration};

use fastrand::Rng;

use crate::{
    book::Book,
    engines::{self, Ours},
    hosting::{self, ASKED},
    race::{self, Events},
    words::pattern,
};

const EVENTS: usize = 3000;
const RULES: usize = 1000;

pub(crate) fn measure(book: &mut Book) {
    static EVENTS_MADE: OnceLock<Events> = OnceLock::new();
    let events = EVENTS_MADE.get_or_init(|| {
        let (mut rng, mut events) = (Rng::with_seed(11), Events::default());
        (0..EVENTS).for_each(|_| events.push(&hosting::event(&mut rng)));
        events
    });
    let mut rng = Rng::with_seed(12);
    let rules: Vec<_> = (0..RULES).map(|_| rule(&mut rng)).collect();
    let mut ours = Ours::build(&rules);
    let patterns = engines::numbered(&rules);
    let outcome = race::against("big", events, &mut ours, &patterns, Duration::from_mins(1));
    book.note("big_events", "ns/event", outcome.ours.nanos_per_event);
    for (mode, lap) in &outcome.peers {
        book.note(&format!("big_events_quamina_{mode}"), "ns/event", lap.nanos_per_event);
    }
    if let Some(ratio) = outcome.ratio() {
        book.note("big_events_vs_quamina", "ratio", ratio);
    }
    book.note("big_events_matches", "rules/event", outcome.ours.matches as f64 / EVENTS as f64);
    book.note("big_events_bytes", "bytes/event", events.mean_bytes() as f64);
}

/// Two or three fields.
fn rule(rng: &mut Rng) -> String {
    let mut places: Vec<usize> = (0..ASKED.len()).collect();
    rng.shuffle(&mut places);
    let mut tree = serde_json::Value::Null;
    for &place in &places[..rng.usize(2..4)] {
        let (path, count) = ASKED[place];
        let alternatives = alternatives(rng, path, count);
        merge(&mut tree, serde_json::from_str(&pattern(path, &alternatives)).unwrap());
    }
    tree.to_string()
}

fn alternatives(rng: &mut Rng, path: &str, count: usize) -> String {
    if count == 0 {
        let from = rng.u32(..900);
        return format!(r#"[{{"numeric": [">=", {from}, "<", {}]}}]"#, from + 50);
    }
    if count == 1 {
        return format!("[{}]", rng.bool());
    }
    let text = hosting::text(rng, path, count);
    let (start, end) = (&text[..text.len().min(7)], &text[text.len().saturating_sub(5)..]);
    match rng.u32(..20) {
        0..14 => format!(r#"["{text}"]"#),
        14 | 15 => format!(r#"[{{"prefix": "{start}"}}]"#),
        16 => format!(r#"[{{"suffix": "{end}"}}]"#),
        17 => format!(r#"[{{"wildcard": "{start}*{end}"}}]"#),
        18 => format!(r#"[{{"anything-but": ["{text}"]}}]"#),
        _ => format!(r#"[{{"equals-ignore-case": "{}"}}]"#, text.to_uppercase()),
    }
}

fn merge(tree: &mut serde_json::Value, other: serde_json::Value) {
    match (tree, other) {
        (serde_json::Value::Object(tree), serde_json::Value::Object(other)) => {
            for (name, value) in other {
                merge(tree.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (tree, other) => *tree = other,
    }
}
