//! What a person reads when a rule did not fire.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use omni_rules::{Condition, Filter, Pattern, Proof};
use serde_json::{Value, json};

fn explain(pattern: Value, conditions: Value, event: &Value) -> Proof {
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
    Filter::compile(Some(&Pattern(pattern)), &conditions).unwrap().explain(event)
}

#[test]
fn the_field_that_fails_is_seen_at_once() {
    let pattern = json!({ "payload": {
        "kind": ["order"],
        "total": [{ "numeric": [">=", 1000] }],
        "customer": { "id": [{ "exists": true }] },
    } });
    let conditions = json!([{ "field": "payload.total", "operator": "lt", "value": 5 }]);
    let event = json!({ "payload": { "kind": "order", "total": 12, "customer": { "id": 7 } } });
    let proof = explain(pattern, conditions, &event);
    assert_eq!(proof.summary(), "payload.total numeric >= 1000 does not hold: found 12");
    assert_eq!(
        proof.to_string(),
        "does not match: payload.total numeric >= 1000 does not hold: found 12\n\
         \x20 ✗ payload.total numeric >= 1000, found 12\n\
         \x20 ✓ payload.customer.id exists, found 7\n\
         \x20 ✓ payload.kind \"order\", found \"order\"\n\
         \x20 ✗ payload.total lt 5, found 12"
    );
}

#[test]
fn the_nearest_alternative_comes_first() {
    let pattern = json!({ "kind": ["order"], "$or": [
        { "a": [1], "b": [1] },
        { "a": [2], "c": [{ "exists": false }] },
        { "a": [3], "c": ["x"] },
    ] });
    let proof = explain(pattern, json!([]), &json!({ "kind": "order", "a": 9, "b": 8 }));
    let choices: Vec<_> = proof.branches.iter().map(|branch| branch.choices[0].as_str()).collect();
    // Two values that differ are nearer than one that is not there.
    assert_eq!(choices, ["/$or/1", "/$or/0", "/$or/2"]);
    assert_eq!(proof.summary(), "a 2 does not hold: found 9");
    let text = proof.to_string();
    assert!(
        text.contains("\n  with /$or/1:\n  ✗ a 2, found 9\n  ✓ c is absent, found nothing"),
        "{text}"
    );
    assert!(text.contains("\n  or with /$or/0:\n  ✗ a 1, found 9\n  ✗ b 1, found 8"), "{text}");
}

#[test]
fn a_field_that_holds_says_which_element_does() {
    let pattern =
        json!({ "items": { "sku": [{ "prefix": "A" }], "qty": [{ "numeric": [">", 1] }] } });
    let event = json!({ "items": [
        { "sku": "A-1", "qty": 1 }, { "sku": "B", "qty": 5 }, { "sku": "A-2", "qty": 2 },
    ] });
    let proof = explain(pattern.clone(), json!([]), &event);
    let places: Vec<_> =
        proof.branches[0].leaves.iter().map(|leaf| leaf.at.as_deref().unwrap()).collect();
    assert_eq!(places, ["items[2].qty", "items[2].sku"]);
    assert!(proof.to_string().contains("found 1, 5, 2 at items[2].qty"), "{proof}");

    let event = json!({ "items": [{ "sku": "A-1", "qty": 1 }, { "sku": "B", "qty": 5 }] });
    let proof = explain(pattern, json!([]), &event);
    assert!(!proof.matched && proof.branches[0].leaves.iter().all(|leaf| leaf.matched));
    let why = "no one element of items satisfies items.qty, items.sku together";
    assert_eq!(proof.branches[0].apart.as_deref(), Some(why));
    assert_eq!(proof.summary(), why);
}

#[test]
fn the_outermost_array_keeps_fields_apart() {
    let pattern = json!({ "o": { "a": ["x"], "l": { "b": ["y"] } } });
    let event = json!({ "o": [{ "a": "x", "l": [{ "b": "n" }] }, { "a": "n", "l": [{ "b": "n" }, { "b": "y" }] }] });
    let proof = explain(pattern, json!([]), &event);
    let why = "no one element of o satisfies o.a, o.l.b together";
    assert_eq!(proof.branches[0].apart.as_deref(), Some(why));
    assert_eq!(proof.branches[0].leaves[1].at.as_deref(), Some("o[1].l[1].b"));
}

#[test]
fn what_an_author_overlooked_is_named() {
    for (pattern, event, hint) in [
        (
            json!({ "a": { "totl": [1] } }),
            json!({ "a": { "total": 1 } }),
            "a has no \"totl\", but \"total\"",
        ),
        (
            json!({ "Kind": ["x"] }),
            json!({ "kind": "x" }),
            "the event has no \"Kind\", but \"kind\"",
        ),
        (
            json!({ "l": { "skuu": ["x"] } }),
            json!({ "l": [{ "sku": "x" }] }),
            "l has no \"skuu\", but \"sku\"",
        ),
        (json!({ "a": ["x"] }), json!({ "a": { "b": "x" } }), "a is an object, which is no value"),
        (json!({ "a": ["x"] }), json!({ "a": [] }), "a is an empty array, which is no value"),
        (json!({ "a": { "b": ["x"] } }), json!({ "a": "x" }), "a is a text"),
        (
            json!({ "a": [{ "numeric": [">", 1] }] }),
            json!({ "a": "12" }),
            "it is a text, and a text is never equal to a number",
        ),
        (
            json!({ "a": ["12"] }),
            json!({ "a": 12 }),
            "it is a number, and a number is never equal to a text",
        ),
        (
            json!({ "a": ["x"] }),
            json!({ "a": "X" }),
            "it differs only in case: use equals-ignore-case",
        ),
        (json!({ "a": ["x"] }), json!({ "a": "x\n" }), "it differs only by space around it"),
        (json!({ "a": [true] }), json!({ "a": "true" }), "it is a text, not a boolean"),
    ] {
        let proof = explain(pattern.clone(), json!([]), &event);
        assert!(!proof.matched, "{pattern}");
        assert_eq!(proof.branches[0].leaves[0].hint.as_deref(), Some(hint), "{pattern} {event}");
    }
    let silent = explain(json!({ "other": ["x"] }), json!([]), &json!({ "kind": "x" }));
    assert_eq!(silent.branches[0].leaves[0].hint, None);
}

#[test]
fn questions_are_said_as_people_say_them() {
    for (leaf, said) in [
        (json!(["a", 1, null]), "x \"a\" or 1 or null does not hold: found nothing"),
        (
            json!([{ "prefix": { "equals-ignore-case": "a" } }]),
            "x prefix equals-ignore-case \"a\" does not hold: found nothing",
        ),
        (
            json!([{ "anything-but": ["a", "b"] }]),
            "x anything-but [\"a\", \"b\"] does not hold: found nothing",
        ),
        (
            json!([{ "all": ["a", { "suffix": "b" }] }]),
            "x all [\"a\", suffix \"b\"] does not hold: found nothing",
        ),
        (json!({ "$gte": 1, "$lt": 5 }), "x $gte 1 and $lt 5 does not hold: found nothing"),
        (
            json!([{ "numeric": [">", 0, "<=", 5] }]),
            "x numeric > 0 <= 5 does not hold: found nothing",
        ),
    ] {
        assert_eq!(explain(json!({ "x": leaf }), json!([]), &json!({})).summary(), said);
    }
    let absent = explain(json!({ "x": [{ "exists": false }] }), json!([]), &json!({ "x": 1 }));
    assert_eq!(absent.summary(), "x is absent does not hold: found 1");
}

#[test]
fn a_proof_is_small_whatever_the_event_is() {
    let either = |name: &str| json!([{ name: ["a"] }, { name: ["b"] }]);
    let nested = json!({ "$or": either("p"), "l": { "$or": either("q"), "m": { "$or": either("r"), "n": {
        "$or": either("s"), "o": { "$or": either("t"), "p": { "$or": either("u"), "v": ["z"] } } } } } });
    let event = json!({ "p": vec!["x".repeat(5_000); 5_000] });
    let proof = explain(nested, json!([]), &event);
    assert_eq!((proof.branches.len(), proof.more_branches), (16, 48));
    let leaf = &proof.branches[0].leaves.iter().find(|leaf| leaf.field == "p").unwrap();
    assert_eq!(leaf.actual.len() + leaf.more, 5_000);
    assert!(serde_json::to_string(&proof).unwrap().len() < 200_000);
    assert!(proof.to_string().len() < 10_000, "{}", proof.to_string().len());
    assert!(
        proof.to_string().ends_with("and 61 further ways to match, none of them nearer"),
        "{proof}"
    );
}

#[test]
fn the_value_that_satisfies_is_shown_among_many() {
    let mut values = vec![json!(0); 100];
    values[90] = json!(7);
    let proof = explain(json!({ "a": [7] }), json!([]), &json!({ "a": values }));
    let leaf = &proof.branches[0].leaves[0];
    assert_eq!(
        (leaf.at.as_deref(), leaf.actual[0].clone(), leaf.more),
        (Some("a[90]"), json!(7), 84)
    );
}

#[test]
fn an_event_cannot_steer_the_terminal() {
    let event = json!({ "a\u{1b}[2J": "x\u{1b}[31m\u{9b}31m\u{202e}", "b": 1 });
    let proof = explain(json!({ "a\u{1b}[2J": ["\u{9b}"], "b": [2] }), json!([]), &event);
    for text in [proof.to_string(), proof.summary()] {
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'),
            "{text:?}"
        );
    }
}

#[test]
fn a_filter_without_a_pattern_is_its_conditions() {
    let filter = Filter::compile(None, &[]).unwrap();
    let proof = filter.explain(&json!({}));
    assert_eq!(
        (proof.matched, proof.to_string(), proof.summary()),
        (true, "matches".into(), "it matches".into())
    );
    let conditions: Vec<Condition> =
        serde_json::from_value(json!([{ "field": "a", "operator": "eq", "value": null }])).unwrap();
    let filter = Filter::compile(None, &conditions).unwrap();
    assert_eq!(filter.explain(&json!({})).summary(), "a eq null does not hold: found nothing");
    let proof = filter.explain(&json!({ "a": null }));
    assert_eq!(proof.to_string(), "matches\n  ✓ a eq null, found null");
    // Null is not absent, stored or not.
    let stored = serde_json::to_string(&proof).unwrap();
    assert_eq!(serde_json::from_str::<Proof>(&stored).unwrap(), proof);
}
