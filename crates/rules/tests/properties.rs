//! What holds for any condition and document: explanation equals evaluation, `neq` negates `eq`, dotted
//! paths agree with JSON Pointers, the index with a plain filter, JSONPath with the library.

use std::sync::Arc;

use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use omni_rules::{Condition, Conditions, Operator, Rule, RuleIndex};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const OPERATORS: [Operator; 12] = [
    Operator::Eq,
    Operator::Neq,
    Operator::Gt,
    Operator::Gte,
    Operator::Lt,
    Operator::Lte,
    Operator::Contains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::Matches,
    Operator::In,
    Operator::Exists,
];

const PATHS: [&str; 16] = [
    "a",
    "b.a",
    "a.0",
    "b.1.a",
    "0",
    "a.b.a",
    "$",
    "$.a",
    "$[0]",
    "$..a",
    "$[*]",
    "$.*.*",
    "$[?@.a == 1]",
    "$[?@ > 0 || @.b]",
    "$..[?count(@.*) > 1]",
    "$[?@[?@.a]]",
];

fn scalar() -> impl Strategy<Value = Value> {
    let text = select(vec!["", "a", "b", "ab", "0"]).prop_map(Value::from);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1..3_i64).prop_map(Value::from),
        text
    ]
}

/// A small document of few names, so that paths often lead somewhere.
fn document() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 32, 4, |inner| {
        let fields =
            proptest::collection::btree_map(select(vec!["a", "b", "0"]), inner.clone(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| json!(fields)),
        ]
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let value = prop_oneof![
        document(),
        scalar(),
        proptest::collection::vec(scalar(), 0..3).prop_map(Value::from)
    ];
    (select(&PATHS[..]), select(&OPERATORS[..]), proptest::option::of(value))
        .prop_map(|(field, operator, value)| Condition { field: field.to_owned(), operator, value })
}

/// A JSONPath on which the library and we must agree: no nested filter, no numbers it cannot compare, and
/// no two names after `..` (it groups those by name).
fn json_path() -> impl Strategy<Value = String> {
    let segment = select(vec![
        ".a",
        ".b",
        "['0']",
        "[0]",
        "[-1]",
        "[*]",
        ".*",
        "[0,1]",
        "['a','b']",
        "[1:]",
        "[::2]",
        "[::-1]",
        "[-2:]",
        "..a",
        "..[0]",
        "..*",
        "[?@.a]",
        "[?!@.b]",
        "[?@.a == 1]",
        "[?@.a == @.b]",
        "[?@.a != 'a']",
        "[?@ > 0]",
        "[?@ <= 'a']",
        "[?@.a > @.b && @.b]",
        "[?(@.a || @.b) && !(@['0'])]",
        "[?count(@.*) > 1]",
        "[?length(@) >= 1]",
        "[?value(@..a) == 1]",
        "[?match(@, 'a.?')]",
        "[?search(@.a, 'b')]",
        "[?@ == $[0]]",
    ]);
    proptest::collection::vec(segment, 0..4).prop_map(|segments| format!("${}", segments.concat()))
}

/// Text made of the pieces that mean something in a field.
fn field_text() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "$", ".", "..", "a", "[", "]", "*", "0", "-1", ":", ",", "'a'", "\"b\"", "?", "@", "(",
        ")", "!", "==", "<", "&&", "||", " ", "length(", "count(", "match(", "1", "'", "\\", "é",
    ]);
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// The values that a JSONPath selects, seen through the public surface: one condition per value.
fn selected(path: &str, document: &Value) -> Value {
    let exists = Condition { field: path.to_owned(), operator: Operator::Exists, value: None };
    let conditions = Conditions::compile(&[exists]).unwrap_or_else(|e| panic!("{path}: {e:?}"));
    conditions.explain(document)[0].actual.clone().unwrap_or(json!("nothing"))
}

/// What an explanation shows for these values.
fn seen(values: &[&Value]) -> Value {
    match values {
        [] => json!("nothing"),
        [one] => (*one).clone(),
        many => json!(many.iter().take(16).collect::<Vec<_>>()),
    }
}

#[test]
fn json_paths() {
    let cases: Value = serde_json::from_str(include_str!("../testdata/jsonpath.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let expected: Vec<&Value> = case["out"].as_array().unwrap().iter().collect();
        assert_eq!(
            selected(case["path"].as_str().unwrap(), &case["in"]),
            seen(&expected),
            "{case}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn explanation_equals_evaluation(list in proptest::collection::vec(condition(), 0..4), document in document()) {
        let Ok(conditions) = Conditions::compile(&list) else { return Ok(()) };
        let leaves = conditions.explain(&document);
        prop_assert_eq!(conditions.evaluate(&document), leaves.iter().all(|leaf| leaf.matched));
        prop_assert_eq!(leaves.len(), list.len());
    }

    #[test]
    fn negations_are_exact(path in select(&PATHS[..]), value in document(), document in document()) {
        let holds = |operator, value: Value| {
            let condition = Condition { field: path.to_owned(), operator, value: Some(value) };
            Conditions::compile(&[condition]).unwrap().evaluate(&document)
        };
        prop_assert_ne!(holds(Operator::Eq, value.clone()), holds(Operator::Neq, value));
        prop_assert_ne!(holds(Operator::Exists, json!(true)), holds(Operator::Exists, json!(false)));
    }

    #[test]
    fn dotted_paths_agree_with_json_pointers(
        steps in proptest::collection::vec(select(vec!["a", "b", "0", "1", "01", "-1", "c d", "é"]), 1..5),
        document in document(),
    ) {
        let pointed = document.pointer(&format!("/{}", steps.join("/")));
        let expected = pointed.cloned().unwrap_or(json!("nothing"));
        prop_assert_eq!(selected(&steps.join("."), &document), expected);
    }

    #[test]
    fn json_paths_agree_with_the_library(path in json_path(), document in document()) {
        let query = parse_json_path(&path).unwrap();
        let theirs: Vec<&Value> =
            js_path_process(&query, &document).unwrap().into_iter().map(|found| found.val).collect();
        let mut ours = selected(&path, &document);
        let mut theirs = seen(&theirs);
        // The library walks descendants in an order of its own, and takes the first of several selectors of all nodes
        // before the second of any (RFC 9535 §2.5.1.2 goes node by node).
        if path.contains("..") || path.contains(',') {
            sort(&mut ours);
            sort(&mut theirs);
        }
        prop_assert_eq!(ours, theirs, "{}", path);
    }

    #[test]
    fn no_field_breaks_the_compiler(field in prop_oneof![field_text(), field_text().prop_map(|t| format!("$[?{t}]")), ".{0,40}"]) {
        let condition = Condition { field, operator: Operator::Exists, value: None };
        if let Ok(conditions) = Conditions::compile(&[condition]) {
            conditions.evaluate(&json!({ "a": [{ "a": 1 }] }));
        }
    }

    #[test]
    fn the_index_agrees_with_a_plain_filter(
        rules in proptest::collection::vec((select(vec!["x", "y"]), pattern(), -1..2_i32), 0..12),
        event_type in event_type(),
    ) {
        let rules: Vec<_> = rules.into_iter().enumerate().map(|(item, (org, type_pattern, priority))| {
            Rule { org: org.to_owned(), type_pattern, priority, order: format!("{item:03}"), filter: Arc::default(), item }
        }).collect();
        let mut expected: Vec<_> = rules.iter()
            .filter(|rule| rule.org == "x" && plain_match(&rule.type_pattern, &event_type))
            .collect();
        expected.sort_by_key(|rule| (-rule.priority, rule.order.clone()));
        let expected: Vec<usize> = expected.into_iter().map(|rule| rule.item).collect();
        let index = RuleIndex::build(rules);
        let found: Vec<usize> = index.candidates("x", &event_type).into_iter().copied().collect();
        prop_assert_eq!(found, expected);
    }
}

fn sort(values: &mut Value) {
    if let Value::Array(values) = values {
        values.sort_by_key(ToString::to_string);
    }
}

fn event_type() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(vec!["a", "b"]), 2..5).prop_map(|tokens| tokens.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    let tokens = proptest::collection::vec(select(vec!["a", "b", "*"]), 2..5);
    (tokens, any::<bool>())
        .prop_map(|(tokens, open)| tokens.join(".") + if open { ".>" } else { "" })
}

/// The meaning of a pattern, said in another way: by recursion over its tokens.
fn plain_match(pattern: &str, event_type: &str) -> bool {
    let (part, parts) = pattern.split_once('.').unwrap_or((pattern, ""));
    let (token, tokens) = event_type.split_once('.').unwrap_or((event_type, ""));
    if part == ">" {
        return !event_type.is_empty();
    }
    let same = !token.is_empty() && (part == "*" || part == token);
    same && if parts.is_empty() || tokens.is_empty() {
        parts == tokens
    } else {
        plain_match(parts, tokens)
    }
}
