//! The answers of the quamina crate, on what both languages have and mean alike. What differs is listed where the generator
//! leaves it out: addresses, 0, ranges on texts, `exists: false`, `all` and what else only
//! Omni has.

use omni_rules::{Filter, Matcher, Pattern, Scratch};
use proptest::{collection::vec, prelude::*, sample::select};
use quamina::Quamina;
use serde_json::{Map, Value, json};

/// No addresses: there, a text is compared as one only by `cidr`. No empty text: beside `anything-but` "", quamina 0.7 takes
/// any text for another that is named.
fn text() -> impl Strategy<Value = Value> {
    select(vec!["a", "b", "ab", "ba", "abc", "Ab", "x\"y", "é", "1"]).prop_map(Value::from)
}

/// Numbers of one form each, without 0: quamina 0.7 takes the empty text for it, and it for greater than itself.
fn number() -> impl Strategy<Value = Value> {
    select(vec![json!(-1), json!(1), json!(2), json!(10), json!(1.5), json!(-0.5)])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![6 => text(), 3 => number(), 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)]
}

fn object(
    inner: BoxedStrategy<Value>,
    number: BoxedStrategy<Value>,
) -> impl Strategy<Value = Value> {
    let number = proptest::option::weighted(0.3, number);
    (vec((select(vec!["a", "b", "c"]), inner), 1..4), number).prop_map(|(fields, number)| {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let number = number.map(|number| ("n".to_owned(), number));
        Value::Object(fields.chain(number).collect::<Map<_, _>>())
    })
}

fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![2 => vec(inner.clone(), 0..4).prop_map(Value::from), 4 => object(inner.boxed(), number().boxed())]
    });
    object(value.boxed(), number().boxed()).prop_map(|event| by_level(event, 0, true))
}

fn alternative() -> impl Strategy<Value = Value> {
    let glob = select(vec!["a*", "*b", "a*a", "*b*", "a*b*c", "ab"]);
    prop_oneof![
        6 => scalar(),
        1 => text().prop_map(|text| json!({ "prefix": text })),
        1 => text().prop_map(|text| json!({ "suffix": text })),
        1 => glob.prop_map(|glob| json!({ "wildcard": glob })),
        1 => select(vec!["a", "AB", "bA"]).prop_map(|text| json!({ "equals-ignore-case": text })),
        1 => vec(text(), 1..3).prop_map(|texts| json!({ "anything-but": texts })),
    ]
}

/// Only asked of fields that are always numbers: quamina 0.7 takes a text for a number, and finds it in a range.
fn numeric() -> impl Strategy<Value = Value> {
    let single = (select(vec!["=", ">", ">=", "<", "<="]), number());
    single.prop_map(|(operator, number)| json!({ "numeric": [operator, number] }))
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => vec(alternative(), 1..3).prop_map(Value::from),
        1 => Just(json!([{ "exists": true }])),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let number = || numeric().prop_map(|one| json!([one])).boxed();
    let inner = leaf().prop_recursive(2, 6, 3, move |inner| object(inner.boxed(), number()));
    let pattern = object(inner.boxed(), numeric().prop_map(|one| json!([one])).boxed());
    pattern.prop_map(|pattern| by_level(pattern, 0, false))
}

/// The same with names that tell their level: quamina 0.7 reads the objects in an array at a field that a pattern asks as if
/// they stood beside that field.
fn by_level(value: Value, level: usize, into_lists: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, field)| {
                (format!("{name}{level}"), by_level(field, level + 1, into_lists))
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) if into_lists => {
            items.into_iter().map(|item| by_level(item, level, into_lists)).collect()
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn both_find_the_same(patterns in vec(pattern(), 1..12), events in vec(event(), 1..4)) {
        let mut theirs = Quamina::new();
        let mut filters = Vec::new();
        for (number, pattern) in patterns.iter().enumerate() {
            theirs.add_pattern(number, &pattern.to_string()).unwrap();
            let filter = Filter::compile(Some(&Pattern(pattern.clone())), &[]).unwrap();
            filters.push((filter, number));
        }
        let ours = Matcher::build(filters);
        let mut scratch = Scratch::default();
        for event in events {
            let text = event.to_string();
            let found: Vec<usize> =
                ours.matching(text.as_bytes(), &mut scratch).unwrap().items().copied().collect();
            let mut expected = theirs.matches_for_event(text.as_bytes()).unwrap();
            expected.sort_unstable();
            for (number, pattern) in patterns.iter().enumerate() {
                let (ours, theirs) = (found.contains(&number), expected.contains(&number));
                prop_assert_eq!(ours, theirs, "{} {}", pattern, text);
            }
        }
    }
}
