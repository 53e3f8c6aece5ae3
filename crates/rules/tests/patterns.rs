//! Patterns against the tables in `testdata/patterns/`, against the page that users read, and at their limits.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{collections::BTreeMap, fs, path::Path};

use omni_rules::{
    BRANCHES_MAX, Condition, Filter, Matcher, PATTERN_LENGTH_MAX, PATTERN_NESTING_MAX, Pattern,
    Problem, Scratch, Step, VALUES_MAX, VERIFY_STEPS_MAX, WILDCARD_STARS_MAX,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// One pattern with events; the events as they are written, since numbers have many forms.
#[derive(Deserialize)]
struct Case {
    why: String,
    pattern: Pattern,
    matches: Vec<Box<RawValue>>,
    misses: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Refused {
    pattern: Pattern,
    pointer: String,
    message: String,
}

fn compile(pattern: &Value) -> Result<Filter, Vec<Problem>> {
    Filter::compile(Some(&Pattern(pattern.clone())), &[])
}

/// Whether a pattern matches an event, asked in every way there is.
fn matches(filter: &Filter, event: &str) -> bool {
    let value: Value = serde_json::from_str(event).unwrap();
    let matched = filter.explain(&value).matched;
    let matcher = Matcher::build(vec![(filter.clone(), ())]);
    let mut scratch = Scratch::default();
    let found = matcher.matching(event.as_bytes(), &mut scratch).unwrap().items().len();
    assert_eq!(found == 1, matched, "the index and the explanation differ: {filter:?}: {event}");
    matched
}

/// The only problem of a pattern, without the part of the pointer that every pattern has.
fn problem(pattern: &Value) -> (String, String) {
    let problems = compile(pattern).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let pointer = problems[0].pointer.strip_prefix("/pattern").unwrap();
    (pointer.to_owned(), problems[0].message.clone())
}

/// The cases of all tables.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/patterns");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("refused.json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let table: Vec<Case> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        cases.extend(table);
    }
    cases
}

impl Case {
    fn compile(&self) -> Filter {
        Filter::compile(Some(&self.pattern), &[])
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", self.why))
    }
}

#[test]
fn patterns_match_as_the_tables_say() {
    let mut count = 0;
    for case in cases() {
        let filter = case.compile();
        let Case { why, matches: yes, misses: no, .. } = case;
        let events = yes.iter().map(|event| (event, true));
        for (event, expected) in events.chain(no.iter().map(|event| (event, false))) {
            assert_eq!(matches(&filter, event.get()), expected, "{why}: {event}");
            count += 1;
        }
    }
    assert!(count > 500, "only {count} events were asked");
}

#[test]
fn an_index_of_all_tables_says_what_each_pattern_says() {
    let cases = cases();
    let filters: Vec<Filter> = cases.iter().map(Case::compile).collect();
    let matcher = Matcher::build(filters.iter().cloned().zip(0_usize..).collect());
    let mut scratch = Scratch::default();
    for event in cases.iter().flat_map(|case| case.matches.iter().chain(&case.misses)) {
        let value: Value = serde_json::from_str(event.get()).unwrap();
        let holds = |place: &usize| filters[*place].explain(&value).matched;
        let expected: Vec<usize> = (0..filters.len()).filter(holds).collect();
        let matched = matcher.matching(event.get().as_bytes(), &mut scratch).unwrap();
        let found: Vec<usize> = matched.items().copied().collect();
        assert_eq!(found, expected, "{event}");
        assert_eq!(matched.undecided().len(), 0, "{event}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place_and_what_would_be_right() {
    let cases: Vec<Refused> =
        serde_json::from_str(include_str!("../testdata/patterns/refused.json")).unwrap();
    for Refused { pattern, pointer, message } in cases {
        let (place, text) = problem(&pattern.0);
        assert_eq!(place, pointer, "{pattern:?}: {text}");
        assert!(text.contains(&message), "{pattern:?}: {text}");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?} is one sentence");
    }
}

#[test]
fn all_problems_come_at_once() {
    let pattern = json!({ "a": [], "b": [{ "prefix": 1 }, "x", { "oops": 1 }], "$or": [{ "c": 1 }, { "d": {} }] });
    let condition: Condition =
        serde_json::from_value(json!({ "field": "a..b", "operator": "exists" })).unwrap();
    let problems = Filter::compile(Some(&Pattern(pattern)), &[condition]).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    let expected = [
        "/pattern/$or/0/c",
        "/pattern/$or/1/d",
        "/pattern/a",
        "/pattern/b/0/prefix",
        "/pattern/b/2/oops",
        "/conditions/0/field",
    ];
    assert_eq!(places, expected);
}

#[test]
fn problems_do_not_grow_without_end() {
    let pattern: serde_json::Map<String, Value> =
        (0..900).map(|number| (number.to_string(), json!([{}]))).collect();
    assert_eq!(compile(&Value::Object(pattern)).unwrap_err().len(), 50);
}

/// Whether a pattern is refused for its size, and the message names the number and the limit.
fn refuses(pattern: &Value, number: usize, limit: usize) {
    let (_, message) = problem(pattern);
    let names = |number: usize| message.contains(&format!(" {number} "));
    assert!(names(number) && names(limit), "{number} and {limit} are not in {message:?}");
}

#[test]
fn the_length_is_limited() {
    let of = |length: usize| json!({ "a": ["x".repeat(length - r#"{"a":[""]}"#.len())] });
    assert_eq!(compile(&of(PATTERN_LENGTH_MAX)).unwrap().cost().bytes, PATTERN_LENGTH_MAX);
    refuses(&of(PATTERN_LENGTH_MAX + 1), PATTERN_LENGTH_MAX + 1, PATTERN_LENGTH_MAX);
}

#[test]
fn the_nesting_is_limited() {
    let of = |depth: usize| (1..depth).fold(json!(["x"]), |inner, _| json!({ "a": inner }));
    assert!(compile(&of(PATTERN_NESTING_MAX)).is_ok());
    let (_, message) = problem(&of(PATTERN_NESTING_MAX + 1));
    assert!(message.contains(&PATTERN_NESTING_MAX.to_string()), "{message}");
    // Deeper than a stack would bear; neither walked nor dropped, for that recurses.
    let within = |inner: Value| Value::Object([("a".to_owned(), inner)].into_iter().collect());
    let deep = Pattern((0..100_000).fold(json!(["x"]), |inner, _| within(inner)));
    assert!(Filter::compile(Some(&deep), &[]).is_err());
    std::mem::forget(deep);
}

#[test]
fn ways_to_match_are_limited() {
    let either = |name: usize| json!([{ format!("a{name}"): [1] }, { format!("b{name}"): [1] }]);
    let of = |count: usize| {
        (0..count)
            .fold(json!({ "z": [1] }), |inner, name| json!({ "$or": either(name), "p": inner }))
    };
    // Each of the 2^6 ways has seven fields.
    let cost = compile(&of(6)).unwrap().cost();
    assert_eq!((cost.branches, cost.fields, cost.predicates), (64, 64 * 7, 64 * 7));
    refuses(&of(9), 512, BRANCHES_MAX);
    // As many as there are atoms in the world: counted, and never made.
    let wide: Vec<Value> = (0..300).map(|name| json!({ "$or": either(name) })).collect();
    let (_, message) = problem(&json!({ "$and": wide }));
    assert!(message.contains(&usize::MAX.to_string()), "{message}");
}

#[test]
fn alternatives_of_one_or_are_added() {
    let of = |count: usize| {
        let members: Vec<Value> = (0..count).map(|number| json!({ "a": [number] })).collect();
        json!({ "$or": members })
    };
    assert_eq!(compile(&of(BRANCHES_MAX)).unwrap().cost().branches, BRANCHES_MAX);
    refuses(&of(BRANCHES_MAX + 1), BRANCHES_MAX + 1, BRANCHES_MAX);
}

#[test]
fn values_are_limited_in_all_ways_together() {
    let list = |count: usize| (0..count).map(Value::from).collect::<Vec<_>>();
    assert!(compile(&json!({ "a": list(VALUES_MAX) })).is_ok());
    refuses(&json!({ "a": list(VALUES_MAX + 1) }), VALUES_MAX + 1, VALUES_MAX);
    refuses(&json!({ "a": { "$in": list(VALUES_MAX + 1) } }), VALUES_MAX + 1, VALUES_MAX);
    let pattern = json!({ "a": list(600), "$or": [{ "b": [1] }, { "c": [1] }] });
    refuses(&pattern, 1_202, VALUES_MAX);
}

#[test]
fn the_stars_of_a_wildcard_are_limited() {
    let of = |stars: usize| json!({ "a": [{ "wildcard": "x*".repeat(stars) }] });
    assert!(compile(&of(WILDCARD_STARS_MAX)).is_ok());
    refuses(&of(WILDCARD_STARS_MAX + 1), WILDCARD_STARS_MAX + 1, WILDCARD_STARS_MAX);
}

#[test]
fn regular_expressions_of_pattern_and_conditions_share_one_budget() {
    let regex = |letter: &str| letter.repeat(1_000);
    let pattern = Pattern(json!({ "a": [
        { "matches": regex("a") }, { "matches": regex("b") }, { "matches": regex("c") }
    ] }));
    let condition = |letter: &str| -> Condition {
        let condition = json!({ "field": "x", "operator": "matches", "value": regex(letter) });
        serde_json::from_value(condition).unwrap()
    };
    let filter = Filter::compile(Some(&pattern), &[condition("d")]).unwrap();
    assert_eq!((filter.cost().regexes, filter.cost().conditions), (3, 1));
    let problems = Filter::compile(Some(&pattern), &[condition("d"), condition("e")]).unwrap_err();
    assert_eq!(problems[0].pointer, "/conditions/1/value");
    assert!(problems[0].message.contains("4096 bytes together"), "{problems:?}");
}

#[test]
fn the_cost_of_asking_is_limited() {
    let of = |count: usize| {
        let list: Vec<Value> = (0..count).map(|n| json!({ "matches": format!("{n}") })).collect();
        json!({ "a": list })
    };
    let steps = compile(&of(100)).unwrap().cost().steps;
    assert!(steps > 10_000 && steps <= VERIFY_STEPS_MAX, "{steps}");
    refuses(&of(200), 2 * steps, VERIFY_STEPS_MAX);
}

#[test]
fn a_pattern_says_what_it_reads() {
    let pattern = json!({
        "type": ["t"],
        "payload": { "a.b": [1], "$or": [{ "items": { "sku": [1] } }, { "from": { "$ne": 1 } }] },
        "$and": [{ "payload": { "a.b": [{ "exists": true }] } }]
    });
    let shown = |path: Vec<Step>| {
        let step = |step: &Step| match step {
            Step::Name(name) => name.clone(),
            Step::Items => "*".to_owned(),
            other => panic!("{other:?}"),
        };
        path.iter().map(step).collect::<Vec<_>>().join(" ")
    };
    let found: Vec<String> = compile(&pattern).unwrap().reads().into_iter().map(shown).collect();
    assert_eq!(found, ["payload * a.b", "payload * from", "payload * items * sku", "type"]);
    assert!(Filter::compile(None, &[]).unwrap().reads().is_empty());
}

#[test]
fn a_pattern_is_stored_as_it_was_written() {
    let text = r#"{"a":[{"prefix":"x"},9007199254740993,null]}"#;
    let pattern: Pattern = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&pattern).unwrap(), text);
    let schema = serde_json::to_value(schemars::schema_for!(Pattern)).unwrap();
    assert!(schema["description"].as_str().unwrap().starts_with("An event pattern"), "{schema}");
}

#[test]
fn the_page_for_users_is_true() {
    let page = include_str!("../../../docs/rules.md");
    let mut event = String::new();
    let mut fences = 0;
    for fence in page.split("\n```").filter_map(|part| part.strip_prefix("json ")) {
        let (kind, text) = fence.split_once('\n').unwrap();
        if kind == "event" {
            text.clone_into(&mut event);
            continue;
        }
        let filter = compile(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(matches(&filter, &event), kind == "matches", "{text}");
        fences += 1;
    }
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [question, yes, no] = cells[..] else { continue };
        let question: Value = serde_json::from_str(question.trim().trim_matches('`')).unwrap();
        let is_dollar = question.as_object().is_some_and(|o| o.keys().all(|k| k.starts_with('$')));
        let filter = compile(&json!({ "f": if is_dollar { question } else { json!([question]) } }));
        let filter = filter.unwrap_or_else(|problems| panic!("{row}: {problems:?}"));
        for (cell, expected) in [(yes, true), (no, false)] {
            for event in events(cell) {
                assert_eq!(matches(&filter, &event), expected, "{row}: {event}");
                rows += 1;
            }
        }
    }
    assert!(fences >= 5 && rows > 100, "{fences} patterns and {rows} values were found");
}

/// The events of a cell: values in backquotes, and `nothing` for none.
fn events(cell: &str) -> Vec<String> {
    let parts = cell.split('`').enumerate();
    parts
        .filter_map(|(index, part)| match part {
            value if index % 2 == 1 => Some(format!("{{\"f\": {value}}}")),
            part => part.contains("nothing").then(|| "{}".to_owned()),
        })
        .collect()
}

/// Patterns that are nearly right: names and values of the language, put together at random.
fn anything_like_a_pattern() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3..300_i64).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "x",
            "*",
            "a*b",
            "a**",
            "\\",
            ">",
            "<=",
            "=",
            "10.0.0.0/8",
            "::1",
            "::1/200",
            "(",
        ])
        .prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "a",
        "b",
        "a/~",
        "$or",
        "$and",
        "exactly",
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "anything-but",
        "numeric",
        "exists",
        "cidr",
        "matches",
        "all",
        "none-of",
        "$eq",
        "$ne",
        "$gte",
        "$lt",
        "$in",
        "$nin",
        "$contains",
        "$exists",
        "$regex",
        "$x",
    ]);
    let object = |fields: BTreeMap<&str, Value>| {
        Value::Object(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    };
    let inner = name.clone();
    let value = scalar.prop_recursive(5, 30, 4, move |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map(inner.clone(), part, 1..3).prop_map(object),
        ]
    });
    prop_oneof![
        1 => value.clone(),
        9 => prop::collection::btree_map(name, value, 0..3).prop_map(object),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_pattern_is_compiled_or_refused_at_a_place_that_it_has(pattern in anything_like_a_pattern()) {
        match compile(&pattern) {
            Ok(filter) => {
                let cost = filter.cost();
                prop_assert!((1..=BRANCHES_MAX).contains(&cost.branches) && cost.steps <= VERIFY_STEPS_MAX);
                prop_assert!(cost.fields >= cost.branches && !filter.reads().is_empty());
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let place = problem.pointer.strip_prefix("/pattern").unwrap();
                    prop_assert!(pattern.pointer(place).is_some(), "{problem}");
                }
            }
        }
    }
}
