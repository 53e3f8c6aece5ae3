//! The index against asking each filter alone, whatever was filed under what and however it came to be.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{collections::BTreeMap, sync::Arc};

use omni_rules::{Condition, Filter, Matcher, Pattern, Rule, RuleIndex, Rules, Scratch};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

fn filter(pattern: Option<Value>, conditions: Value) -> Filter {
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
    Filter::compile(pattern.map(Pattern).as_ref(), &conditions).unwrap()
}

/// Whether a filter holds when there is no other.
fn alone(filter: &Filter, event: &[u8]) -> bool {
    let matcher = Matcher::build(vec![(filter.clone(), ())]);
    let mut scratch = Scratch::default();
    let matched = matcher.matching(event, &mut scratch).unwrap();
    assert_eq!(matched.undecided().len(), 0);
    matched.items().len() == 1
}

fn together(filters: &[Filter], event: &[u8], scratch: &mut Scratch) -> Vec<usize> {
    let matcher = Matcher::build(filters.iter().cloned().zip(0..).collect());
    matcher.matching(event, scratch).unwrap().items().copied().collect()
}

const TEXTS: [&str; 12] =
    ["", "a", "ab", "abc", "b", "ba", "A", "aB", "10.0.0.1", "10.0.0.0", "7", "é"];

fn text() -> impl Strategy<Value = Value> {
    select(&TEXTS[..]).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    select(vec![json!(-1), json!(0), json!(1), json!(1.5), json!(2), json!(7), json!(u64::MAX)])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![4 => text(), 2 => number(), 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)]
}

fn bounds() -> impl Strategy<Value = Value> {
    (number(), number(), select(vec![">", ">="]), select(vec!["<", "<="]), 0..3).prop_filter_map(
        "lower bounds are lower",
        |(a, b, above, below, which)| match which {
            0 => Some(json!([above, a])),
            1 => Some(json!([below, a])),
            _ => (a.as_f64() < b.as_f64()).then(|| json!([above, a, below, b])),
        },
    )
}

fn alternative() -> impl Strategy<Value = Value> {
    let part = || select(vec!["a", "b", "ab", "A", "1", "é"]);
    let glob = select(vec!["a*", "*b", "a*b", "*b*", "a*b*c", "*", "*a*b*", "a*a", "1*.*1"]);
    prop_oneof![
        4 => scalar(),
        1 => part().prop_map(|text| json!({ "prefix": text })),
        1 => part().prop_map(|text| json!({ "suffix": text })),
        1 => part().prop_map(|text| json!({ "prefix": { "equals-ignore-case": text } })),
        1 => part().prop_map(|text| json!({ "equals-ignore-case": text })),
        2 => glob.prop_map(|glob| json!({ "wildcard": glob })),
        2 => bounds().prop_map(|bounds| json!({ "numeric": bounds })),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => text().prop_map(|text| json!({ "anything-but": text })),
        1 => part().prop_map(|text| json!({ "anything-but": { "prefix": text } })),
        1 => select(vec!["10.0.0.0/31", "10.0.0.0/8", "::/1"]).prop_map(|net| json!({ "cidr": net })),
        1 => select(vec!["^a", "b$", "a.?c", "[ab]{2}", "é"]).prop_map(|regex| json!({ "matches": regex })),
        1 => (scalar(), scalar()).prop_map(|(a, b)| json!({ "all": [a, b] })),
        1 => (scalar(), scalar()).prop_map(|(a, b)| json!({ "none-of": [a, b] })),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = || proptest::collection::vec(alternative(), 1..3).prop_map(Value::from);
    let names = || select(vec!["a", "b", "c", "d"]);
    let object = leaf().prop_recursive(3, 12, 3, move |inner| {
        proptest::collection::btree_map(names().prop_map(str::to_owned), inner, 1..3)
            .prop_map(|map| json!(map))
    });
    let plain = proptest::collection::btree_map(names().prop_map(str::to_owned), object, 1..4);
    (plain.clone(), plain, 0..4).prop_map(|(one, other, which)| match which {
        0 => json!({ "$or": [one, other] }),
        1 => json!({ "$and": [one, other] }),
        _ => json!(one),
    })
}

fn conditions() -> impl Strategy<Value = Value> {
    let field = select(vec!["a", "a.b", "b", "c.d", "a.0.b", "$.a[*].b", "$..c"]);
    let asked = prop_oneof![
        scalar().prop_map(|v| json!(["eq", v])),
        scalar().prop_map(|v| json!(["neq", v])),
        number().prop_map(|v| json!(["gte", v])),
        text().prop_map(|v| json!(["lt", v])),
        scalar().prop_map(|v| json!(["contains", v])),
        text().prop_map(|v| json!(["startsWith", v])),
        text().prop_map(|v| json!(["endsWith", v])),
        Just(json!(["matches", "a.?b"])),
        (scalar(), scalar()).prop_map(|(a, b)| json!(["in", [a, b, [1]]])),
        any::<bool>().prop_map(|v| json!(["exists", v])),
        Just(json!(["eq", [1]])),
        Just(json!(["eq", {}])),
    ];
    let one = (field, asked).prop_map(
        |(field, asked)| json!({ "field": field, "operator": asked[0], "value": asked[1] }),
    );
    proptest::collection::vec(one, 0..3).prop_map(Value::from)
}

fn any_filter() -> impl Strategy<Value = Filter> {
    (proptest::option::weighted(0.8, pattern()), conditions()).prop_filter_map(
        "compiles",
        |(pattern, conditions)| {
            let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
            Filter::compile(pattern.map(Pattern).as_ref(), &conditions).ok()
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 4, |inner| {
        let names = select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..4)
                .prop_map(|map: BTreeMap<_, _>| json!(map)),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let names = select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned);
    proptest::collection::btree_map(names, value(), 0..5).prop_map(|map| json!(map))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn filters_together_hold_as_each_alone(
        filters in proptest::collection::vec(any_filter(), 1..30),
        events in proptest::collection::vec(event(), 1..4),
    ) {
        let mut scratch = Scratch::default();
        for event in events {
            let bytes = event.to_string().into_bytes();
            let expected: Vec<usize> =
                (0..filters.len()).filter(|number| alone(&filters[*number], &bytes)).collect();
            prop_assert_eq!(together(&filters, &bytes, &mut scratch), expected, "{}", event);
        }
    }

    #[test]
    fn conditions_say_the_same_in_an_index(list in conditions(), event in event()) {
        let compiled: Vec<Condition> = serde_json::from_value(list.clone()).unwrap();
        let compiled = omni_rules::Conditions::compile(&compiled).unwrap();
        let found = alone(&filter(None, list), event.to_string().as_bytes());
        prop_assert_eq!(found, compiled.evaluate(&event));
    }
}

/// What is done to rules that change.
#[derive(Debug, Clone)]
enum Change {
    Put(usize, i32, &'static str, Filter),
    Remove(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let types = select(vec!["x.y", "x.z", "x.*", ">"]);
    prop_oneof![
        3 => (0..12_usize, -1..2, types, any_filter()).prop_map(|(name, priority, kind, filter)| Change::Put(name, priority, kind, filter)),
        1 => (0..12_usize).prop_map(Change::Remove),
    ]
}

fn rule(name: usize, priority: i32, type_pattern: &str, filter: Filter) -> Rule<usize> {
    let (org, order) = ("o".to_owned(), format!("{name:03}"));
    let filter = Arc::new(filter);
    Rule { org, type_pattern: type_pattern.to_owned(), priority, order, filter, item: name }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn changes_lead_where_building_anew_does(
        changes in proptest::collection::vec(change(), 1..40),
        event in event(),
    ) {
        let rules = Rules::default();
        let mut now = BTreeMap::new();
        for change in changes {
            match change {
                Change::Put(name, priority, kind, filter) => {
                    rules.put(rule(name, priority, kind, filter.clone())).unwrap();
                    now.insert(name, rule(name, priority, kind, filter));
                }
                Change::Remove(name) => {
                    let removed = rules.remove("o", &format!("{name:03}"));
                    prop_assert_eq!(removed, now.remove(&name).is_some());
                }
            }
        }
        let changed = rules.load();
        let anew = RuleIndex::build(now.into_values().collect());
        prop_assert_eq!(changed.len(), anew.len());
        let bytes = event.to_string().into_bytes();
        let (mut one, mut other) = (Scratch::default(), Scratch::default());
        for kind in ["x.y", "x.z", "x.q", "y.y.y"] {
            prop_assert_eq!(changed.candidates("o", kind), anew.candidates("o", kind));
            let changed = changed.matching("o", kind, &bytes, &mut one).unwrap();
            let anew = anew.matching("o", kind, &bytes, &mut other).unwrap();
            prop_assert_eq!(changed.items, anew.items);
            prop_assert_eq!(changed.listening, anew.listening);
        }
    }
}

fn exact(number: usize) -> Filter {
    filter(
        Some(json!({ "id": [number], "kind": ["order", { "prefix": format!("k{number}-") }] })),
        json!([]),
    )
}

#[test]
fn thousands_of_changes_are_joined_and_all_stay_in_force() {
    let initial = (0..700).map(|n| rule(n, 0, "x.y", exact(n)));
    let rules = Rules::new(initial.collect());
    let mut scratch = Scratch::default();
    let mut hits = |number: usize| {
        let event = json!({ "id": number, "kind": "order" }).to_string();
        let index = rules.load();
        let found = index.matching("o", "x.y", event.as_bytes(), &mut scratch).unwrap();
        found.items.into_iter().copied().collect::<Vec<_>>()
    };
    for n in 700..1_600 {
        rules.put(rule(n, 0, "x.y", exact(n))).unwrap();
        assert_eq!(hits(n), [n]);
        assert!(rules.remove("o", &format!("{:03}", n - 600)));
        assert_eq!(hits(n - 600), [] as [usize; 0]);
    }
    // A change of a rule is one of its filter, too.
    rules.put(rule(10, 0, "x.y", exact(11))).unwrap();
    assert_eq!((hits(10), hits(11)), (vec![], vec![10, 11]));
    assert_eq!(rules.load().len(), 700);
    for n in 0..1_600 {
        let is_there = n != 10 && !(100..1_000).contains(&n);
        assert_eq!(hits(n).contains(&n), is_there, "{n}");
    }
    rules.replace(vec![rule(1, 0, "x.y", exact(5))]);
    assert_eq!((hits(1), hits(5)), (vec![], vec![1]));
    assert!(!rules.remove("o", "002") && rules.remove("o", "001"));
    assert!(rules.load().is_empty());
}

#[test]
fn a_type_pattern_that_makes_no_sense_changes_nothing() {
    let rules = Rules::new(vec![rule(1, 0, "x.y", exact(1))]);
    let refused = rules.put(rule(1, 0, "x", exact(2))).unwrap_err();
    assert_eq!((refused.order.as_str(), rules.load().len()), ("001", 1));
}

#[test]
fn what_is_no_json_object_is_an_error() {
    let matcher = Matcher::build(vec![(exact(1), ())]);
    let mut scratch = Scratch::default();
    for event in ["", "[1]", "{\"id\":1", "{\"id\" 1}"] {
        assert!(matcher.matching(event.as_bytes(), &mut scratch).is_err(), "{event}");
    }
    assert_eq!(
        matcher.matching(br#"{"kind":"order","id":1}"#, &mut scratch).unwrap().items().len(),
        1
    );
}

/// The numbers of the filters that hold, and of those that are undecided.
fn decided(filters: Vec<Filter>, event: &Value) -> (Vec<usize>, Vec<usize>) {
    let matcher = Matcher::build(filters.into_iter().zip(0..).collect());
    let mut scratch = Scratch::default();
    let matched = matcher.matching(event.to_string().as_bytes(), &mut scratch).unwrap();
    (matched.items().copied().collect(), matched.undecided().copied().collect())
}

#[test]
fn hundreds_of_filters_with_jsonpath_are_decided_as_each_alone() {
    let of = |n: usize| {
        let condition = json!([{ "field": "$.items[*]", "operator": "eq", "value": n }]);
        filter(Some(json!({ "kind": ["order"] })), condition)
    };
    let event = json!({ "kind": "order", "items": (0..2_000).collect::<Vec<_>>() });
    let expected = alone(&of(1_999), event.to_string().as_bytes());
    let (held, undecided) = decided((1_700..2_300).map(of).collect(), &event);
    assert!(expected);
    assert_eq!((held, undecided), ((0..300).collect(), vec![]));
}

/// A regular expression that has no part that texts must have, and that neither engine can pay for on [`noise`].
const COSTLY: &str = "[ab]*[ac][ab]{20}[cd]";

/// Texts over two letters without a pattern in it.
fn noise(length: usize, seed: u64) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ seed;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { 'a' } else { 'b' }
    };
    (0..length).map(|_| letter()).collect()
}

#[test]
fn a_regular_expression_that_asks_too_much_leaves_only_its_own_rules_undecided() {
    let filters = || {
        vec![
            filter(Some(json!({ "t": [{ "matches": COSTLY }] })), json!([])),
            filter(Some(json!({ "t": [{ "prefix": "" }] })), json!([])),
            filter(Some(json!({ "t": [{ "matches": "^[ab][ab]" }] })), json!([])),
            filter(Some(json!({ "u": ["x"] })), json!([])),
            filter(Some(json!({ "t": [{ "matches": COSTLY }], "u": ["y"] })), json!([])),
            filter(
                Some(json!({ "$or": [{ "t": [{ "matches": COSTLY }] }, { "u": ["x"] }] })),
                json!([]),
            ),
            // So that all values are looked at.
            filter(Some(json!({ "t": ["never"] })), json!([])),
        ]
    };
    let one = json!({ "t": noise(64 * 1024, 0), "u": "x" });
    assert_eq!(decided(filters(), &one), (vec![1, 2, 3, 5], vec![0]));
    let many: Vec<String> = (1..30).map(|seed| noise(16 * 1024, seed)).collect();
    let many = json!({ "t": many, "u": "x" });
    assert_eq!(decided(filters(), &many), (vec![1, 2, 3, 5], vec![0]));
}

#[test]
fn word_boundaries_are_decided_beside_letters_beyond_ascii() {
    let of = |regex: &str| filter(Some(json!({ "t": [{ "matches": regex }] })), json!([]));
    let filters = [r"\b[0-9]+\b", r"\border [0-9]+\b", r"\b[a-z]+ [0-9]+\b"].map(of);
    let found = decided(filters.into(), &json!({ "t": "é: order 12" }));
    assert_eq!(found, (vec![0, 1, 2], vec![]));
}
