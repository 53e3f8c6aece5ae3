//! What a document can do to the validator: nothing, however large, deep or wrong it is.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::thread;

use omni_schema::{Schema, Validator};
use serde_json::{Map, Value, json};

fn validator(schema: Value) -> Validator {
    Schema::new(schema).unwrap().validator().clone()
}

#[test]
fn of_many_faults_twenty_are_named() {
    let strings = validator(json!({ "items": { "type": "string" } }));
    let violations = strings.violations(&json!(vec![1; 1_000]));
    assert_eq!(violations.len(), 20);
    assert_eq!(violations[3].pointer, "/3");
    assert_eq!(violations[3].message, r#"value is not of type "string""#);
}

#[test]
fn of_a_very_large_document_the_first_fault_is_named() {
    let strings = validator(json!({ "items": { "type": "string" } }));
    let mut items = vec![json!("x"); 300_000];
    items[7] = json!(1);
    items[9] = json!(1);
    let violations = strings.violations(&json!(items));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].pointer, "/7");
    let either =
        validator(json!({ "anyOf": [{ "items": { "type": "string" } }, { "type": "null" }] }));
    let violations = either.violations(&json!(items));
    assert_eq!(violations.len(), 1);
    assert!(violations[0].message.contains("too large to say where"));
}

#[test]
fn a_document_deeper_than_any_stack_does_not_fit() {
    let tree = validator(json!({ "items": { "$ref": "#" } }));
    let nested = |levels: usize| (0..levels).fold(json!([]), |inner, _| json!([inner]));
    assert!(tree.is_valid(&nested(127)));
    assert!(!tree.is_valid(&nested(128)));
    let mut deep = json!([]);
    for _ in 0..200_000 {
        deep = Value::Array(vec![deep]);
    }
    assert!(!tree.is_valid(&deep));
    assert!(tree.violations(&deep)[0].message.contains("too deep"));
    while let Value::Array(mut items) = deep {
        deep = items.pop().unwrap_or(Value::Null);
    }
}

#[test]
fn the_deepest_that_is_looked_at_fits_the_stack_of_a_worker() {
    for chain in [0, 1, 3, 7, 14, 29] {
        let mut defs = Map::from_iter([(
            format!("d{chain}"),
            json!({ "type": "array", "items": { "$ref": "#/$defs/d0" }, "unevaluatedItems": false }),
        )]);
        for level in 0..chain {
            let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            let keyword = ["allOf", "oneOf", "anyOf"][level % 3];
            defs.insert(format!("d{level}"), json!({ keyword: [next] }));
        }
        let schema = json!({ "$ref": "#/$defs/d0", "$defs": defs });
        let looked = thread::Builder::new().stack_size(2 << 20).spawn(move || {
            let Ok(schema) = Schema::new(schema) else { return false };
            let depths = (1..=128).rev();
            depths.map(|levels| (0..levels).fold(json!("wrong"), |inner, _| json!([inner]))).any(
                |deep| {
                    let violations = schema.validator().violations(&deep);
                    assert!(!violations.is_empty());
                    !violations[0].message.contains("too deep")
                },
            )
        });
        assert!(looked.unwrap().join().unwrap() || chain > 14, "{chain}");
    }
}

#[test]
fn a_message_is_short_and_repeats_nothing_of_the_document() {
    let values: Vec<String> = (0..200).map(|number| format!("value-{number}")).collect();
    let one_of = validator(json!({ "additionalProperties": { "enum": values } }));
    let violations = one_of.violations(&json!({ "n".repeat(2_000): "the secret" }));
    assert!(!violations[0].message.contains("secret"));
    assert!(violations[0].message.len() < 310);
    assert!(violations[0].pointer.len() < 510);
}

#[test]
fn a_pattern_that_is_sent_is_not_compiled() {
    let old = validator(
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": { "format": "regex" } }),
    );
    assert!(old.is_valid(&json!(["(((a{1000}){1000}){1000})", "("])));
    let mail =
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "format": "date-time" });
    assert!(!validator(mail).is_valid(&json!("yesterday")));
}
