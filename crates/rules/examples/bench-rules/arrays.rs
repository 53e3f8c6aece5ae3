//! Arrays of which one element has to satisfy several fields: what an event costs when it has twice as many elements.

use std::time::Duration;

use crate::{
    book::Book,
    engines::Ours,
    race::{self, Events},
};

/// Elements, and twice as many.
const ELEMENTS: [usize; 2] = [5000, 10_000];

/// A shape of arrays: its name, the pattern, the element at a place out of so many, and what stands around the elements.
struct Shape {
    name: &'static str,
    pattern: &'static str,
    element: fn(usize, usize) -> String,
    around: [&'static str; 2],
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "scalars",
        pattern: r#"{"a": ["last"], "kind": ["k"]}"#,
        element: |n, of| if n + 1 == of { "\"last\"".into() } else { format!("\"v{n}\"") },
        around: [r#"{"kind": "k", "a": ["#, "]}"],
    },
    Shape {
        name: "both",
        pattern: r#"{"a": {"x": [1], "y": [2]}}"#,
        element: |_, _| r#"{"x": 1, "y": 2}"#.into(),
        around: [r#"{"a": ["#, "]}"],
    },
    Shape {
        name: "last",
        pattern: r#"{"a": {"x": [1], "y": [2]}}"#,
        element: |n, of| match n {
            n if n + 1 == of => r#"{"x": 1, "y": 2}"#.into(),
            n if n % 2 == 0 => r#"{"x": 1, "y": 0}"#.into(),
            _ => r#"{"x": 0, "y": 2}"#.into(),
        },
        around: [r#"{"a": ["#, "]}"],
    },
    Shape {
        name: "apart",
        pattern: r#"{"a": {"x": [1], "y": [2], "z": [3]}}"#,
        element: |n, _| {
            ["{\"x\": 1, \"y\": 2}", "{\"x\": 1, \"z\": 3}", "{\"y\": 2, \"z\": 3}"][n % 3].into()
        },
        around: [r#"{"a": ["#, "]}"],
    },
    Shape {
        name: "nested",
        pattern: r#"{"a": {"x": [1], "b": {"y": [2], "z": [3]}}}"#,
        element: |n, _| match n % 10 {
            0 => r#"{"x": 1, "b": [{"y": 2}, {"z": 3}]}"#.into(),
            1 => r#"{"x": 0, "b": [{"y": 2, "z": 3}]}"#.into(),
            _ => r#"{"b": [{"y": 2, "z": 0}, {"y": 0, "z": 3}]}"#.into(),
        },
        around: [r#"{"a": ["#, "]}"],
    },
];

pub(crate) fn measure(book: &mut Book) {
    let mut worst = f64::NEG_INFINITY;
    for shape in SHAPES {
        let pattern = shape.pattern.to_owned();
        let times = ELEMENTS.map(|count| {
            let mut ours = Ours::build([&pattern]);
            let event = event(&shape, count);
            let mut events = Events::default();
            // The shortest of many, because the difference of two long times is what is asked.
            events.push(&event);
            let laps = (0..40).map(|_| race::race(&events, &mut [&mut ours])[0].nanos_per_event);
            laps.fold(f64::INFINITY, f64::min)
        });
        let twice = times[1] / times[0];
        worst = worst.max(twice);
        book.note(&format!("arrays_{}", shape.name), "ns/element", times[1] / ELEMENTS[1] as f64);
        book.note(&format!("arrays_{}_twice_as_long", shape.name), "ratio", twice);
        beside(book, &shape);
    }
    book.note("arrays_twice_as_long", "ratio", worst);
}

/// Beside the other one, with fewer elements: it takes the square of their number.
fn beside(book: &mut Book, shape: &Shape) {
    let (pattern, mut events) = (shape.pattern.to_owned(), Events::default());
    (0..20).for_each(|_| events.push(&event(shape, 200)));
    let patterns = [(0, pattern.clone())];
    let what = format!("arrays, {}", shape.name);
    let mut ours = Ours::build([&pattern]);
    let outcome = race::against(&what, &events, &mut ours, &patterns, Duration::from_secs(9));
    if let Some(ratio) = outcome.ratio() {
        book.note(&format!("arrays_{}_200_vs_quamina", shape.name), "ratio", ratio);
    }
}

fn event(shape: &Shape, count: usize) -> String {
    let elements: Vec<_> = (0..count).map(|place| (shape.element)(place, count)).collect();
    format!("{}{}{}", shape.around[0], elements.join(", "), shape.around[1])
}
