//! What lint finds, and what it must not claim.

use omni_rules::{Code, Condition, Filter, Listed, Pattern, Severity, lint_against, lint_set};
use serde_json::{Value, json};

fn filter(pattern: Value, conditions: Value) -> Filter {
    let conditions: Vec<Condition> =
        serde_json::from_value(conditions).unwrap_or_else(|e| panic!("{e}"));
    let pattern = if pattern.is_null() { None } else { Some(Pattern(pattern)) };
    Filter::compile(pattern.as_ref(), &conditions).unwrap_or_else(|e| panic!("{e:?}"))
}

/// The findings as `code pointer`, worst first.
fn found(pattern: Value, conditions: Value) -> Vec<String> {
    let findings = filter(pattern, conditions).lint();
    findings.iter().map(|found| format!("{} {}", found.code, found.pointer)).collect()
}

#[test]
fn each_oddity_is_found_at_its_place() {
    for (pattern, expected) in [
        (json!({ "a": ["x", "y", { "prefix": "z" }] }), vec![]),
        (json!({ "a": { "$startsWith": "x", "$endsWith": "y" } }), vec![]),
        (json!({ "a": { "$startsWith": "x", "$eq": "yx" } }), vec!["unsatisfiable /pattern/a"]),
        (json!({ "a": { "$startsWith": "x", "$gt": 1 } }), vec!["unsatisfiable /pattern/a"]),
        (json!({ "a": { "$eq": "x", "$ne": "x" } }), vec!["unsatisfiable /pattern/a"]),
        (
            json!({ "a": ["x"], "$and": [{ "a": ["y"] }] }),
            vec!["needs-several-values /pattern/$and/0/a"],
        ),
        (json!({ "a": ["x"], "$and": [{ "a": [{ "prefix": "x" }] }] }), vec![]),
        (
            json!({ "$and": [{ "a": ["x"] }, { "a": [{ "exists": false }] }] }),
            vec!["unsatisfiable /pattern/$and/1/a"],
        ),
        (
            json!({ "$and": [{ "a": ["x"] }, { "a": [{ "none-of": ["x", "y"] }] }] }),
            vec!["unsatisfiable /pattern/$and/1/a"],
        ),
        (json!({ "$and": [{ "a": ["x", "z"] }, { "a": [{ "none-of": ["x", "y"] }] }] }), vec![]),
        (json!({ "$or": [{ "a": ["x"] }, { "a": [1], "b": [2] }], "c": { "d": [1] } }), vec![]),
        (
            json!({ "$or": [{ "a": ["x"] }, { "a": ["x"], "b": [2] }] }),
            vec!["covered /pattern/$or/1"],
        ),
        (json!({ "a": ["x", { "anything-but": "x" }] }), vec!["always-true /pattern/a"]),
        (json!({ "a": ["x", { "exists": true }] }), vec!["always-true /pattern/a"]),
        (json!({ "a": [{ "exists": true }] }), vec![]),
        (json!({ "a": [{ "exists": true }, { "exists": false }] }), vec!["always-true /pattern/a"]),
        (json!({ "a": ["x", { "none-of": ["x"] }] }), vec!["always-true /pattern/a"]),
        (json!({ "a": ["x", { "anything-but": ["x", "y"] }] }), vec![]),
        (json!({ "a": ["x", "x", "x"] }), vec!["duplicate /pattern/a"]),
        (
            json!({ "a": [{ "prefix": "ab" }, "abc", { "prefix": "a" }] }),
            vec!["covered /pattern/a", "covered /pattern/a"],
        ),
        (json!({ "a": [1, { "numeric": [">", 0] }] }), vec!["covered /pattern/a"]),
        (json!({ "a": ["10.0.0.1", { "cidr": "10.0.0.0/8" }] }), vec!["covered /pattern/a"]),
        (json!({ "a": ["abc", { "wildcard": "a*c" }] }), vec!["covered /pattern/a"]),
    ] {
        assert_eq!(found(pattern.clone(), json!([])), expected, "{pattern}");
    }
}

#[test]
fn a_field_that_is_a_value_has_no_fields() {
    // The dollar names of a field and the fields below it cannot stand in one object.
    let pattern =
        json!({ "$or": [{ "a": ["x"] }, { "b": ["y"] }], "$and": [{ "a": { "c": [1] } }] });
    assert_eq!(found(pattern, json!([])), ["needs-several-values /pattern/$and/0/a/c"]);
}

#[test]
fn what_costs_much_is_said_before_it_is_refused() {
    let sides = |name: &str| json!([{ name: [1] }, { name: [2] }]);
    let pattern = json!({ "$or": (0..200).map(|n| json!({ "a": [n] })).collect::<Vec<_>>() });
    assert!(found(pattern, json!([])).contains(&"expensive /pattern".to_owned()));
    assert_eq!(found(json!({ "$or": sides("a"), "x": { "$or": sides("b") } }), json!([])), [""; 0]);
}

#[test]
fn conditions_that_contradict_are_found() {
    let condition = |operator: &str, value: Value| json!({ "field": "a.b", "operator": operator, "value": value });
    for (one, other, expected) in [
        (condition("eq", json!(1)), condition("eq", json!(2)), vec!["unsatisfiable /conditions/1"]),
        (condition("eq", json!(1)), condition("eq", json!(1.0)), vec![]),
        (
            condition("in", json!([1, 2])),
            condition("gt", json!(2)),
            vec!["unsatisfiable /conditions/1"],
        ),
        (condition("in", json!([1, 2])), condition("gt", json!(1)), vec![]),
        (condition("gt", json!(5)), condition("lt", json!(5)), vec!["unsatisfiable /conditions/1"]),
        (condition("gte", json!(5)), condition("lte", json!(5)), vec![]),
        (
            condition("exists", json!(false)),
            condition("eq", json!(5)),
            vec!["unsatisfiable /conditions/1"],
        ),
        (condition("exists", json!(false)), condition("neq", json!(5)), vec![]),
        (
            condition("startsWith", json!("a")),
            condition("eq", json!("b")),
            vec!["unsatisfiable /conditions/1"],
        ),
        (
            condition("eq", json!(1)),
            condition("in", json!([])),
            vec!["unsatisfiable /conditions/1", "unsatisfiable /conditions/1"],
        ),
        (condition("neq", json!(1)), condition("neq", json!(1)), vec!["duplicate /conditions/1"]),
    ] {
        assert_eq!(found(json!(null), json!([one, other])), expected, "{one} {other}");
    }
    let many = |operator: &str, value: Value| json!({ "field": "$.a[*]", "operator": operator, "value": value });
    assert_eq!(found(json!(null), json!([many("eq", json!(1)), many("eq", json!(2))])), [""; 0]);
}

/// What a set has, as `code rule other`.
fn in_set(rules: &[(&str, Value, Value)], overlaps: bool) -> Vec<String> {
    let filters: Vec<Filter> = rules
        .iter()
        .map(|(_, pattern, conditions)| filter(pattern.clone(), conditions.clone()))
        .collect();
    let names: Vec<String> = (0..rules.len()).map(|n| format!("r{n}")).collect();
    let parts = rules.iter().zip(&names).zip(&filters);
    let listed = parts.map(|((rule, name), filter)| Listed { name, type_pattern: rule.0, filter });
    let lint = lint_set(&listed.collect::<Vec<_>>(), overlaps);
    assert!(lint.complete);
    lint.findings
        .iter()
        .map(|found| format!("{} {} {}", found.code, found.rule, found.other))
        .collect()
}

#[test]
fn rules_that_others_make_superfluous_are_found() {
    let none = || json!([]);
    let vip = || json!([{ "field": "payload.vip", "operator": "eq", "value": true }]);
    for (one, other, expected) in [
        (
            ("a.b", json!({ "x": ["1"] }), none()),
            ("a.b", json!({ "x": ["1"] }), none()),
            vec!["equal 1 0"],
        ),
        (("a.b", json!({ "x": ["1"] }), none()), ("a.c", json!({ "x": ["1"] }), none()), vec![]),
        (
            ("a.b", json!({ "x": ["1"] }), none()),
            ("a.*", json!({ "x": ["1"] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.*", json!({ "x": ["1"] }), none()),
            ("a.>", json!({ "x": ["1"] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": ["1"] }), none()),
            ("a.b", json!({ "x": ["1", "2"] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": ["1"], "y": [2] }), none()),
            ("a.b", json!({ "x": [{ "prefix": "1" }] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": ["1"] }), vip()),
            ("a.b", json!({ "x": ["1"] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": ["1"] }), none()),
            ("a.b", json!(null), none()),
            vec!["contained 0 1"],
        ),
        (("a.b", json!(null), vip()), ("a.b", json!({ "x": ["1"] }), none()), vec![]),
        (
            ("a.b", json!({ "$or": [{ "x": ["1"] }, { "y": [2] }] }), none()),
            ("a.b", json!({ "$or": [{ "y": [2, 3] }, { "x": ["1"] }] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": [{ "exists": false }] }), none()),
            ("a.b", json!({ "x": [{ "none-of": [7] }] }), none()),
            vec!["contained 0 1"],
        ),
        (
            ("a.b", json!({ "x": [{ "none-of": [7] }] }), none()),
            ("a.b", json!({ "x": [{ "anything-but": 7 }] }), none()),
            vec![],
        ),
        // One element with both is one with each, and not the other way round.
        (
            ("a.b", json!({ "l": { "x": [1], "y": [2] } }), none()),
            ("a.b", json!({ "$and": [{ "l": { "x": [1] } }, { "l": { "y": [2] } }] }), none()),
            vec!["contained 0 1"],
        ),
    ] {
        assert_eq!(in_set(&[one.clone(), other.clone()], false), expected, "{one:?} {other:?}");
    }
    let overlap = [
        ("a.b", json!({ "x": [{ "prefix": "1" }] }), none()),
        ("a.*", json!({ "x": [{ "suffix": "2" }] }), none()),
        ("a.b", json!({ "x": [7] }), none()),
    ];
    assert_eq!(in_set(&overlap, true), ["overlap 1 0"]);
}

#[test]
fn ten_thousand_rules_are_compared_in_steps_that_are_counted() {
    let of = |n: usize| match n % 20 {
        0 => json!({ "a": { "name": [{ "prefix": format!("p{n}-") }] }, "kind": ["order"] }),
        1 => json!({ "a": { "total": [{ "numeric": [">", n] }] }, "id": [n] }),
        2 => json!({ "a": { "id": [format!("u{}", n + 1), "other"] }, "kind": ["order", "offer"] }),
        _ => json!({ "a": { "id": [format!("u{n}")] }, "kind": ["order"] }),
    };
    let filters: Vec<Filter> = (0..10_000).map(|n| filter(of(n), json!([]))).collect();
    let listed = |filter| Listed { name: "r", type_pattern: "a.b", filter };
    let lint = lint_set(&filters.iter().map(listed).collect::<Vec<_>>(), false);
    assert_eq!((lint.findings.len(), lint.complete), (500, true));
    assert!(
        lint.findings
            .iter()
            .all(|found| found.code == Code::Contained && found.rule == found.other + 1)
    );
}

const SCHEMA: &str = r##"{
    "type": "object",
    "properties": {
        "status": { "enum": ["open", "closed"] },
        "total": { "type": "number" },
        "note": { "type": ["string", "null"] },
        "tags": { "type": "array", "items": { "type": "string" } },
        "customer": { "$ref": "#/$defs/customer" },
        "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
        "either": { "anyOf": [{ "const": 1 }, { "type": "boolean" }] },
        "both": { "allOf": [{ "type": ["string", "number"] }, { "type": ["number", "null"] }] },
        "free": { "type": "object" },
        "any": true,
        "map": { "type": "object", "additionalProperties": { "type": "integer" } },
        "patterned": { "type": "object", "properties": { "x": {} }, "patternProperties": { "^y": {} }, "additionalProperties": false },
        "far": { "$ref": "https://elsewhere.example/s" },
        "tree": { "$ref": "#/$defs/tree" },
        "tuple": { "type": "array", "prefixItems": [{ "type": "string" }] },
        "when": { "type": "object", "properties": { "x": {} }, "if": {}, "then": { "properties": { "y": {} } } }
    },
    "$defs": {
        "customer": { "type": "object", "properties": { "id": { "type": "integer" }, "email": { "type": "string" } }, "additionalProperties": false },
        "line": { "type": "object", "properties": { "sku": { "type": "string" }, "qty": { "type": "integer" } } },
        "tree": { "type": "object", "properties": { "name": { "type": "string" }, "below": { "type": "array", "items": { "$ref": "#/$defs/tree" } } }, "additionalProperties": false }
    }
}"##;

/// What the schema says against a pattern of the payload.
fn against_schema(payload: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_else(|e| panic!("{e}"));
    let filter = filter(json!({ "payload": payload }), json!([]));
    let findings = lint_against(&filter, "payload", &schema);
    findings.into_iter().map(|f| format!("{} {}: {}", f.severity, f.code, f.message)).collect()
}

#[test]
fn what_a_schema_allows_or_leaves_open_is_not_found() {
    for payload in [
        json!({ "status": ["open"] }),
        json!({ "status": [{ "exists": false }] }),
        json!({ "status": [{ "prefix": "clo" }] }),
        json!({ "total": [12, { "numeric": [">", 1] }] }),
        json!({ "note": [null, "x"] }),
        json!({ "tags": ["x"] }),
        json!({ "customer": { "id": [1], "email": [{ "suffix": "@x" }] } }),
        json!({ "lines": { "sku": ["x"], "qty": [{ "numeric": [">", 1] }] } }),
        json!({ "either": [1] }),
        json!({ "either": [false] }),
        json!({ "both": [1] }),
        json!({ "free": { "x": { "y": [1] } } }),
        json!({ "any": { "x": ["y"] } }),
        json!({ "map": { "whatever": [1] } }),
        json!({ "patterned": { "y1": [1], "x": ["z"] } }),
        // Some pattern of names may allow it: nothing is certain.
        json!({ "patterned": { "z": [1] } }),
        json!({ "far": { "x": [1] } }),
        json!({ "tree": { "below": { "below": { "name": ["x"] } } } }),
        json!({ "tuple": { "x": [1] } }),
        json!({ "when": { "y": [1] } }),
    ] {
        assert_eq!(against_schema(&payload), [""; 0], "{payload}");
    }
}

#[test]
fn what_a_schema_rules_out_is_found() {
    for (payload, expected) in [
        (
            json!({ "status": ["opne"] }),
            "error impossible-value: payload.status \"opne\" never holds: by the schema it is \"open\" or \"closed\"",
        ),
        (
            json!({ "status": ["open", "opne"] }),
            "warning impossible-value: payload.status is never \"opne\": by the schema it is \"open\" or \"closed\"",
        ),
        (
            json!({ "status": [{ "anything-but": "opne" }] }),
            "warning impossible-value: payload.status is never \"opne\": by the schema it is \"open\" or \"closed\"",
        ),
        (
            json!({ "total": ["12"] }),
            "error impossible-value: payload.total \"12\" never holds: by the schema it is a number",
        ),
        (
            json!({ "tags": [1] }),
            "error impossible-value: payload.tags 1 never holds: by the schema it is an array",
        ),
        (
            json!({ "totl": [1] }),
            "warning unknown-field: the schema does not name payload.totl; it has \"total\"",
        ),
        (
            json!({ "customer": { "mail": ["x"] } }),
            "error unknown-field: the schema allows no payload.customer.mail; it has \"email\"",
        ),
        (
            json!({ "customer": { "mail": [{ "exists": false }] } }),
            "warning always-true: the schema allows no payload.customer.mail; it has \"email\", so payload.customer.mail always holds here",
        ),
        (
            json!({ "lines": { "skuu": ["x"] } }),
            "warning unknown-field: the schema does not name payload.lines.skuu; it has \"sku\"",
        ),
        (
            json!({ "customer": ["x"] }),
            "error impossible-value: payload.customer \"x\" never holds: by the schema it is an object",
        ),
        (
            json!({ "either": ["x"] }),
            "error impossible-value: payload.either \"x\" never holds: by the schema it is 1 or a boolean",
        ),
        (
            json!({ "both": ["x"] }),
            "error impossible-value: payload.both \"x\" never holds: by the schema it is a number",
        ),
        (
            json!({ "map": { "x": ["y"] } }),
            "error impossible-value: payload.map.x \"y\" never holds: by the schema it is a number",
        ),
        (
            json!({ "tree": { "below": { "nam": ["x"] } } }),
            "error unknown-field: the schema allows no payload.tree.below.nam; it has \"name\"",
        ),
        (
            json!({ "total": { "x": [1] } }),
            "error unknown-field: the schema allows no payload.total.x",
        ),
    ] {
        assert_eq!(against_schema(&payload), [expected], "{payload}");
    }
}

#[test]
fn conditions_are_held_against_the_schema_too() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (field, operator, value, expected) in [
        ("payload.status", "eq", json!("open"), None),
        ("payload.status", "eq", json!("opne"), Some((Severity::Error, Code::ImpossibleValue))),
        ("payload.status", "neq", json!("opne"), None),
        ("payload.status", "in", json!(["x", "open"]), None),
        (
            "payload.status",
            "startsWith",
            json!("x"),
            Some((Severity::Error, Code::ImpossibleValue)),
        ),
        ("payload.total", "gt", json!("5"), Some((Severity::Error, Code::ImpossibleValue))),
        ("payload.total", "gt", json!(5), None),
        ("payload.tags", "contains", json!("x"), None),
        ("payload.tags.0", "eq", json!("x"), None),
        ("payload.totl", "eq", json!(5), Some((Severity::Warning, Code::UnknownField))),
        ("payload.customer.x", "eq", json!(5), Some((Severity::Error, Code::UnknownField))),
        ("payload.customer.x", "neq", json!(5), Some((Severity::Warning, Code::AlwaysTrue))),
        ("$.payload.customer.x", "eq", json!(5), Some((Severity::Warning, Code::UnknownField))),
        ("$.payload.lines[*].sku", "eq", json!(5), None),
        ("payload.lines.sku", "eq", json!("x"), Some((Severity::Error, Code::UnknownField))),
        ("metadata.x", "eq", json!(5), None),
    ] {
        let condition = json!([{ "field": field, "operator": operator, "value": value }]);
        let findings = lint_against(&filter(json!(null), condition), "payload", &schema);
        let found = findings.first().map(|found| (found.severity, found.code));
        assert_eq!(found, expected, "{field} {operator} {findings:?}");
        assert!(findings.iter().all(|found| found.pointer == "/conditions/0"));
    }
}

#[test]
fn a_schema_that_multiplies_ends_and_says_nothing() {
    let either: Vec<Value> = (0..60).map(|_| json!({ "$ref": "#" })).collect();
    let schema = json!({ "anyOf": either, "allOf": [{ "anyOf": either }, { "oneOf": either }],
        "items": { "anyOf": either }, "properties": { "a": { "anyOf": either } } });
    let filter = filter(json!({ "a": { "a": { "a": ["x"] } }, "b": { "a": [1] } }), json!([]));
    assert!(
        lint_against(&filter, "", &schema).iter().all(|found| found.severity < Severity::Error)
    );
}
