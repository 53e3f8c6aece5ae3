//! Ten thousand rules and an event of 64 KB, both chosen to be slow: what the worst build, the worst event and the worst
//! memory are. What cannot be decided within the limits is cut off, and counts all the same.

use std::time::Instant;

use fastrand::Rng;

use crate::{
    book::Book,
    engines::{self, Engine, Ours},
    memory, words,
};

const RULES: usize = 10_000;
const EVENT_BYTES: usize = 64 << 10;

/// Rules by their number, and the event.
type Set = (&'static str, fn(usize) -> String, fn() -> String);

const SETS: [Set; 10] = [
    (
        "stars",
        |n| {
            field(&format!(
                r#"{{"wildcard": "*{}*{}*{}*"}}"#,
                letter(n),
                letter(n / 26),
                letter(n / 676)
            ))
        },
        long_text,
    ),
    (
        "repeated_stars",
        |n| field(&format!(r#"{{"wildcard": "*a{}*aa*ab*{n}"}}"#, "a".repeat(n % 90))),
        letters,
    ),
    ("prefixes", |n| field(&format!(r#"{{"prefix": "{}"}}"#, "a".repeat(n % 400 + 1))), letters),
    (
        "globs",
        |n| field(&format!(r#"{{"wildcard": "{}*{}"}}"#, "a".repeat(n % 100), "a".repeat(n / 100))),
        letters,
    ),
    ("negations", |n| field(&format!(r#"{{"anything-but": ["x{n}", "y{n}"]}}"#)), short_values),
    (
        "ranges",
        |n| field(&format!(r#"{{"numeric": [">", {n}, "<", {}]}}"#, 2 * RULES + n)),
        numbers,
    ),
    ("same_value", |n| format!(r#"{{"x": ["a"], "y": ["never-{n}"]}}"#), short_values),
    ("apart", |n| format!(r#"{{"l": {{"x": ["a", "b{n}"], "y": ["b"], "z": ["c"]}}}}"#), apart),
    (
        "regular",
        |n| field(&format!(r#"{{"matches": "(a|b|ab)*c{{{}}}{n}$"}}"#, n % 9 + 1)),
        letters,
    ),
    (
        "folded",
        |n| {
            field(&format!(
                r#"{{"suffix": {{"equals-ignore-case": "{}{n}"}}}}"#,
                "Ä".repeat(n % 50)
            ))
        },
        folded,
    ),
];

pub(crate) fn measure(book: &mut Book) {
    let mut worst = [f64::NEG_INFINITY; 3];
    for (name, _, event) in SETS {
        let filters = rules(name).iter().map(|rule| engines::compile(rule)).collect::<Vec<_>>();
        let started = Instant::now();
        let mut ours = Ours::of(filters);
        let build = started.elapsed().as_secs_f64() * 1e3;
        let event = event();
        let once = |_| {
            let started = Instant::now();
            ours.count(event.as_bytes());
            started.elapsed().as_secs_f64() * 1e3
        };
        // Not the first, which makes room; the shortest of the others, for others use the machine.
        let time = (0..6).map(once).skip(1).fold(f64::INFINITY, f64::min);
        let megabytes = memory::bytes_of(name) / 1e6;
        for (kind, unit, value) in
            [("build", "ms", build), ("event", "ms", time), ("memory", "MB", megabytes)]
        {
            book.note(&format!("adversarial_{name}_{kind}"), unit, value);
        }
        for (worst, value) in worst.iter_mut().zip([build, time, megabytes]) {
            *worst = worst.max(value);
        }
    }
    book.note("adversarial_build_ms", "ms", worst[0]);
    book.note("adversarial_event_ms", "ms", worst[1]);
    book.note("adversarial_mb", "MB", worst[2]);
}

/// The rules of the set of this name.
pub(crate) fn rules(name: &str) -> Vec<String> {
    let (_, rule, _) = SETS.iter().find(|(other, ..)| *other == name).unwrap();
    (0..RULES).map(rule).collect()
}

fn field(alternative: &str) -> String {
    format!(r#"{{"x": [{alternative}]}}"#)
}

fn letter(number: usize) -> char {
    char::from(b'a' + (number % 26) as u8)
}

fn event(values: &[String]) -> String {
    format!(r#"{{"x": [{}]}}"#, values.join(","))
}

/// Values of this length until the event is full.
fn filled(value: impl Fn(usize) -> String) -> Vec<String> {
    let mut left = EVENT_BYTES;
    let values = (0..).map(value);
    let fits = |value: &String| {
        left = left.saturating_sub(value.len() + 1);
        left > 16
    };
    values.take_while(fits).collect()
}

fn long_text() -> String {
    event(&[format!("\"{}\"", words::word(&mut Rng::with_seed(41), EVENT_BYTES - 16))])
}

fn letters() -> String {
    event(&filled(|_| format!("\"{}\"", "a".repeat(500))))
}

fn short_values() -> String {
    format!(r#"{{"y": 1, {}"#, &event(&filled(|n| ["\"a\"", "\"b\"", "1"][n % 3].into()))[1..])
}

fn numbers() -> String {
    event(&filled(|n| (n + RULES).to_string()))
}

fn folded() -> String {
    event(&filled(|n| format!("\"{}{n}\"", "ä".repeat(100))))
}

fn apart() -> String {
    let elements = filled(|n| {
        [r#"{"x":"a","y":"b"}"#, r#"{"y":"b","z":"c"}"#, r#"{"x":"a","z":"c"}"#][n % 3].into()
    });
    format!(r#"{{"l": [{}]}}"#, elements.join(","))
}
