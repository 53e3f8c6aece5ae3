//! Rules about lots: fourteen kinds, five of each. Each kind is one predicate, as far as that is possible.

use crate::{lots, words::pattern};

const STREET: &str = "properties.STREET";

const LOT: &str = "properties.MAPBLKLOT";

/// Five rules of one kind, as ours and as the other has them.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) rules: Vec<String>,
    /// `None` when the other has no such predicate.
    pub(crate) peer: Option<Vec<(u32, String)>>,
}

/// All kinds.
pub(crate) fn groups() -> Vec<Group> {
    let streets = lots::streets();
    let mut groups = texts(&streets);
    groups.extend(negations(&streets));
    groups.push(numeric());
    groups.push(or(&streets));
    groups.push(complex_arrays());
    groups
}

fn texts(streets: &[String]) -> Vec<Group> {
    let start = |n: usize| start(streets, n);
    let end = |n: usize| streets[20 * n + 6].get(1..).unwrap_or_default();
    vec![
        both("exact", five(|n| pattern(LOT, &format!(r#"["{}"]"#, lot(n * 40_000 + 17))))),
        both("prefix", on_street("prefix", |n| quoted(start(n)))),
        ours("prefix_ignore_case", on_street("prefix", |n| folded(start(n)))),
        both("suffix", on_street("suffix", |n| quoted(end(n)))),
        ours("suffix_ignore_case", on_street("suffix", |n| folded(end(n)))),
        both(
            "equals_ignore_case",
            on_street("equals-ignore-case", |n| quoted(&streets[n * 9].to_lowercase())),
        ),
        both(
            "wildcard",
            five(|n| {
                let value = [
                    format!("{}*", &lot(90_000)[..3]),
                    "*117".into(),
                    "2*3*5".into(),
                    "*99*".into(),
                    "17*4".into(),
                ];
                pattern(LOT, &format!(r#"[{{"wildcard": "{}"}}]"#, value[n]))
            }),
        ),
    ]
}

fn negations(streets: &[String]) -> Vec<Group> {
    let (start, street) = (|n: usize| start(streets, n), |n: usize| streets[n].as_str());
    vec![
        both(
            "anything_but",
            five(|n| match n {
                0 | 1 => pattern(STREET, &format!(r#"[{{"anything-but": ["{}"]}}]"#, street(n))),
                2 => pattern("properties.ST_TYPE", r#"[{"anything-but": ["ST"]}]"#),
                3 => pattern("geometry.type", r#"[{"anything-but": ["Polygon"]}]"#),
                _ => pattern("properties.FROM_ST", r#"[{"anything-but": ["441", "442"]}]"#),
            }),
        ),
        ours(
            "anything_but_prefix",
            on_street("anything-but", |n| format!(r#"{{"prefix": "{}"}}"#, start(n))),
        ),
        ours("anything_but_ignore_case", on_street("anything-but", |n| folded(street(n)))),
        ours(
            "anything_but_wildcard",
            on_street("anything-but", |n| format!(r#"{{"wildcard": "*{}*"}}"#, start(n))),
        ),
    ]
}

fn numeric() -> Group {
    both(
        "numeric",
        five(|n| {
            let (name, other) = if n % 2 == 0 { ("x", -122.5) } else { ("y", 37.002) };
            let value = coordinate(n * 30_000 + 5, name);
            let numeric = if n < 3 {
                format!("\"=\", {value}")
            } else {
                format!("\">\", {}, \"<\", {other}", other - 0.001)
            };
            format!(
                r#"{{"geometry": {{"type": ["Polygon"], "firstCoordinates": {{"{name}": [{{"numeric": [{numeric}]}}]}}}}}}"#
            )
        }),
    )
}

fn complex_arrays() -> Group {
    both(
        "complex_arrays",
        five(|n| {
            let (x, y) = (coordinate(n * 20_000 + 3, "x"), coordinate(n * 20_000 + 3, "y"));
            let shape = if n == 4 { "MultiPolygon" } else { "Polygon" };
            let y = if n == 3 { "{\"numeric\": [\">\", 37.9]}".into() } else { y };
            format!(
                r#"{{"geometry": {{"type": ["{shape}"], "coordinates": {{"x": [{x}], "y": [{y}]}}}}}}"#
            )
        }),
    )
}

/// Each alternative is a pattern of the same number to the other.
fn or(streets: &[String]) -> Group {
    let (mut rules, mut peer) = (Vec::new(), Vec::new());
    for number in 0..5_u32 {
        let street = &streets[number as usize * 7 + 3];
        let one = format!(r#""STREET": ["{street}"]"#);
        let other = format!(r#""FROM_ST": ["{}"], "ODD_EVEN": ["E"]"#, number * 300 + 50);
        rules.push(pattern(
            "properties",
            &format!(r#"{{"$or": [{{{one}}}, {{{other}}}], "ST_TYPE": ["ST", "AVE"]}}"#),
        ));
        for part in [one, other] {
            peer.push((
                number,
                pattern("properties", &format!(r#"{{{part}, "ST_TYPE": ["ST", "AVE"]}}"#)),
            ));
        }
    }
    Group { name: "or", rules, peer: Some(peer) }
}

fn five(make: impl Fn(usize) -> String) -> Vec<String> {
    (0..5).map(make).collect()
}

fn on_street(operator: &str, value: impl Fn(usize) -> String) -> Vec<String> {
    five(|n| pattern(STREET, &format!(r#"[{{"{operator}": {}}}]"#, value(n))))
}

/// A group that both matchers know.
fn both(name: &'static str, rules: Vec<String>) -> Group {
    let peer = Some((0..).zip(rules.iter().cloned()).collect());
    Group { name, rules, peer }
}

fn ours(name: &'static str, rules: Vec<String>) -> Group {
    Group { name, rules, peer: None }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn folded(text: &str) -> String {
    format!(r#"{{"equals-ignore-case": "{}"}}"#, text.to_lowercase())
}

fn start(streets: &[String], n: usize) -> &str {
    &streets[20 * n + 5][..3]
}

fn lot(number: usize) -> String {
    format!("{:04}{:03}", number / 60 + 1, number % 60 + 1)
}

fn coordinate(number: usize, name: &str) -> String {
    let event: serde_json::Value = serde_json::from_slice(lots::events().get(number)).unwrap();
    event["geometry"]["firstCoordinates"][name].to_string()
}
