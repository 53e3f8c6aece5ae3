//! A mix of rules as an organisation has them, and events of which each is hit by three: as many rules as asked for over
//! fifty fields.

use fastrand::Rng;

use crate::{race::Events, words};

/// Fields of an event.
const FIELDS: usize = 50;

/// Rules that an event is made to satisfy.
const HITS: usize = 3;

pub(crate) struct Mixed {
    pub(crate) rules: Vec<String>,
    pub(crate) events: Events,
}

/// A rule, and a value for each of its fields that satisfies it.
struct Rule {
    pattern: String,
    example: Vec<(usize, String)>,
}

impl Mixed {
    pub(crate) fn new(rules: usize, events: usize) -> Self {
        let mut rng = Rng::with_seed(21);
        let rules: Vec<_> = (0..rules).map(|_| rule(&mut rng)).collect();
        let mut made = Events::default();
        (0..events).for_each(|_| made.push(&event(&mut rng, &rules)));
        Self { rules: rules.into_iter().map(|rule| rule.pattern).collect(), events: made }
    }
}

/// The pattern of one rule more, and an event that it holds for.
pub(crate) fn probe(number: usize) -> (String, String) {
    let pattern = format!(r#"{{"f0": ["probe-{number}"], "f1": [{{"prefix": "p"}}]}}"#);
    (pattern, format!(r#"{{"f0": "probe-{number}", "f1": "pq"}}"#))
}

/// Two or three fields, at least one of which few events have.
fn rule(rng: &mut Rng) -> Rule {
    let (mut members, mut example, mut rare) = (Vec::new(), Vec::<(usize, String)>::new(), false);
    let fields = rng.usize(2..4);
    while members.len() < fields {
        let field = rng.usize(..FIELDS);
        if example.iter().any(|(other, _)| *other == field) {
            continue;
        }
        let common_is_fine = rare || members.len() + 1 < fields;
        let (alternatives, value, is_rare) = question(rng, common_is_fine);
        rare |= is_rare;
        members.push(format!(r#""f{field}": {alternatives}"#));
        example.push((field, value));
    }
    Rule { pattern: format!("{{{}}}", members.join(", ")), example }
}

/// What is asked, a value that satisfies it, and whether few other values do.
fn question(rng: &mut Rng, common_is_fine: bool) -> (String, String, bool) {
    let text = words::word(rng, 12);
    let quoted = format!("\"{text}\"");
    match rng.u32(..if common_is_fine { 100 } else { 90 }) {
        0..60 => (format!("[{quoted}]"), quoted, true),
        60..70 => (format!(r#"[{{"prefix": "{}"}}]"#, &text[..7]), quoted, true),
        70..75 => (format!(r#"[{{"suffix": "{}"}}]"#, &text[5..]), quoted, true),
        75..80 => (format!(r#"[{{"wildcard": "{}*{}"}}]"#, &text[..4], &text[8..]), quoted, true),
        80..90 => {
            let from = rng.u32(..100_000_000);
            let range = format!(r#"[{{"numeric": [">=", {from}, "<", {}]}}]"#, from + 10);
            (range, (from + rng.u32(..10)).to_string(), true)
        }
        90..95 => {
            let other = words::word(rng, 12);
            (format!(r#"[{{"anything-but": ["{other}"]}}]"#), quoted, false)
        }
        _ => (r#"[{"exists": true}]"#.into(), quoted, false),
    }
}

fn event(rng: &mut Rng, rules: &[Rule]) -> String {
    let mut values: Vec<_> = (0..FIELDS).map(|_| format!("\"{}\"", words::word(rng, 12))).collect();
    for _ in 0..HITS {
        for (field, value) in &rules[rng.usize(..rules.len())].example {
            values[*field].clone_from(value);
        }
    }
    let members: Vec<_> =
        values.iter().enumerate().map(|(field, value)| format!(r#""f{field}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}
