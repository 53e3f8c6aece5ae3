//! What a change of a schema breaks: the table of changes, and properties that hold for any change.

#[path = "compat_support/random.rs"]
mod random;

use std::collections::BTreeSet;

use omni_schema::{Comparison, Compatibility, Direction, Policy, Schema, compare};
use proptest::prelude::*;
use random::{Script, closed_to, document, edited, opened, plain, schema_of};
use serde_json::{Value, json};

const POLICIES: [Policy; 2] = [Policy::Lenient, Policy::Exact];

fn schema(value: &Value) -> Schema {
    Schema::new(value.clone()).unwrap_or_else(|why| panic!("{value}: {why}"))
}

fn rules(found: &Comparison, direction: Direction) -> Vec<String> {
    let there = found.findings.iter().filter(|finding| finding.direction == direction);
    there.map(|finding| format!("{} {}", finding.rule, finding.path)).collect()
}

/// What is wrong with the examples of a comparison: each must fit the side that writes and not the one that reads.
fn wrong_examples(old: &Schema, new: &Schema, found: &Comparison) -> Vec<String> {
    let wrong = found.findings.iter().filter(|finding| {
        let (writer, reader) = match finding.direction {
            Direction::Backward => (old, new),
            Direction::Forward => (new, old),
        };
        let shown = finding.counter_example.as_ref();
        !shown.is_none_or(|shown| {
            writer.validator().is_valid(shown) && !reader.validator().is_valid(shown)
        })
    });
    wrong.map(|finding| format!("{finding:?}")).collect()
}

#[test]
fn every_row_of_the_table_is_named_with_its_place_and_shown_by_an_example() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../testdata/compat.json")).unwrap();
    assert!(cases.len() > 90);
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(case["name"].to_string()), "{} stands there twice", case["name"]);
        let (old, new) = (schema(&case["old"]), schema(&case["new"]));
        for policy in POLICIES {
            let found = compare(&old, &new, policy);
            for (key, direction) in
                [("backward", Direction::Backward), ("forward", Direction::Forward)]
            {
                let expected: Vec<String> =
                    serde_json::from_value(case[policy.as_str()][key].clone()).unwrap();
                assert_eq!(
                    rules(&found, direction),
                    expected,
                    "{} {} {key}",
                    case["name"],
                    policy.as_str()
                );
            }
            let unshown: Vec<_> =
                found.findings.iter().filter(|one| one.counter_example.is_none()).collect();
            assert!(unshown.is_empty(), "{}: {unshown:?}", case["name"]);
            assert_eq!(
                wrong_examples(&old, &new, &found),
                Vec::<String>::new(),
                "{}",
                case["name"]
            );
        }
    }
}

#[test]
fn a_message_names_the_property_and_both_values() {
    let user = |most: u32| {
        let name = json!({"type": "string", "maxLength": most});
        json!({"type": "object", "properties": {"user": {"type": "object", "properties": {"name": name}}}})
    };
    let found = compare(&schema(&user(40)), &schema(&user(20)), Policy::Lenient);
    let finding = &found.findings[0];
    assert_eq!(finding.path, "/properties/user/properties/name/maxLength");
    assert_eq!(
        finding.message,
        "Property `user.name`: maxLength was 40 and is 20 now; the new version refuses what the old one allowed."
    );
    assert_eq!(finding.counter_example, Some(json!({"user": {"name": "a".repeat(21)}})));
}

#[test]
fn an_example_holds_what_is_required_and_the_property_in_question_only() {
    let of = |amount: Value| {
        json!({
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string", "minLength": 1},
                "note": {"type": "string"},
                "payment": {"type": "object", "required": ["currency"], "properties": {
                    "currency": {"enum": ["EUR", "USD"]},
                    "amount": amount,
                    "method": {"type": "string"},
                }},
            },
        })
    };
    let found = compare(
        &schema(&of(json!({"type": "number"}))),
        &schema(&of(json!({"type": "string"}))),
        Policy::Exact,
    );
    let shown: Vec<_> =
        found.findings.iter().map(|finding| finding.counter_example.clone().unwrap()).collect();
    assert_eq!(shown[0], json!({"id": "a", "payment": {"currency": "EUR", "amount": 0}}));
    assert_eq!(shown[1], json!({"id": "a", "payment": {"currency": "EUR", "amount": "a"}}));
}

#[test]
fn what_cannot_be_proved_is_a_finding_that_says_what_to_do() {
    let text = |pattern: &str| schema(&json!({"type": "string", "pattern": pattern}));
    // The new pattern takes less; no set operation knows that the old one takes all of it.
    let found = compare(&text("^[a-z]+$"), &text("^[a-z]{2,4}$"), Policy::Exact);
    assert_eq!(rules(&found, Direction::Backward), ["pattern.changed /pattern"]);
    assert_eq!(rules(&found, Direction::Forward), ["unproved /pattern"]);
    let unproved = found.findings.last().unwrap();
    assert_eq!(unproved.counter_example, None);
    assert!(unproved.message.contains("could not be proved"), "{}", unproved.message);
    assert!(!found.passes(Compatibility::Forward));
}

#[test]
fn the_mode_decides_which_direction_is_refused() {
    let with = |kind: &str| schema(&json!({"type": kind}));
    let found = compare(&with("integer"), &with("number"), Policy::Lenient);
    assert!(found.passes(Compatibility::Backward) && found.passes(Compatibility::None));
    assert!(!found.passes(Compatibility::Forward) && !found.passes(Compatibility::FullTransitive));
}

#[test]
fn a_schema_that_breaks_everywhere_is_answered_with_fifty_findings_of_a_direction() {
    let of = |kind: &str| {
        let fields: serde_json::Map<_, _> =
            (0..120).map(|at| (format!("f{at}"), json!({"type": kind}))).collect();
        schema(&json!({"type": "object", "properties": fields}))
    };
    let found = compare(&of("string"), &of("boolean"), Policy::Lenient);
    assert_eq!(rules(&found, Direction::Backward).len(), 50);
    assert_eq!(rules(&found, Direction::Forward).len(), 50);
}

#[test]
fn drafts_that_cannot_be_brought_together_are_not_called_compatible() {
    let old = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "contentEncoding": "base64"});
    let new = json!({"type": "string"});
    let found = compare(&schema(&old), &schema(&new), Policy::Lenient);
    assert_eq!(rules(&found, Direction::Backward), ["unproved "]);
    assert_eq!(rules(&found, Direction::Forward), ["unproved "]);
    assert!(compare(&schema(&old), &schema(&old), Policy::Exact).findings.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_schema_is_compatible_with_itself(bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
        let one = schema(&schema_of(&mut Script::new(&bytes)));
        for policy in POLICIES {
            prop_assert_eq!(compare(&one, &one, policy), Comparison::default());
        }
    }

    #[test]
    fn compatible_is_true_for_whatever_the_writer_sends(
        bytes in proptest::collection::vec(any::<u8>(), 1..80),
        edits in proptest::collection::vec(any::<u8>(), 1..30),
        documents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 12),
    ) {
        let old_value = schema_of(&mut Script::new(&bytes));
        let new_value = edited(&old_value, &mut Script::new(&edits));
        let (Ok(old), Ok(new)) = (Schema::new(old_value), Schema::new(new_value)) else { return Ok(()) };
        for policy in POLICIES {
            let found = compare(&old, &new, policy);
            prop_assert_eq!(wrong_examples(&old, &new, &found), Vec::<String>::new());
            for (direction, writer, reader) in [(Direction::Backward, &old, &new), (Direction::Forward, &new, &old)] {
                if !rules(&found, direction).is_empty() {
                    continue;
                }
                for bytes in &documents {
                    let sent = document(writer.value(), &mut Script::new(bytes));
                    if !writer.validator().is_valid(&sent) {
                        continue;
                    }
                    let reads = match policy {
                        Policy::Exact => reader.validator().is_valid(&sent),
                        // The helpers know plain objects and arrays only.
                        Policy::Lenient if !plain(writer.value()) || !plain(reader.value()) => continue,
                        Policy::Lenient if !closed_to(writer.value(), &sent) => continue,
                        Policy::Lenient => schema(&opened(reader.value())).validator().is_valid(&sent),
                    };
                    prop_assert!(
                        reads,
                        "{policy:?} {direction:?}: {sent} of {} is not read by {}", writer.value(), reader.value()
                    );
                }
            }
        }
    }
}
