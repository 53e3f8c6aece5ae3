//! What may be used as a schema, and that whatever is refused is refused unhurt.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::thread;

use omni_schema::{Draft, SCHEMA_BYTES_MAX, Schema, Unusable};
use serde_json::{Map, Value, json};

fn table(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn refused(schema: Value) -> Unusable {
    Schema::new(schema).expect_err("should be refused")
}

#[test]
fn what_cannot_be_used_is_refused_with_the_place_and_the_reason() {
    for row in table(include_str!("../testdata/refused.json")) {
        let Err(unusable) = Schema::new(row["schema"].clone()) else {
            panic!("{}: was taken", row["case"])
        };
        assert_eq!(unusable.pointer, row["pointer"], "{}: {unusable}", row["case"]);
        assert!(
            unusable.reason.contains(row["reason"].as_str().unwrap()),
            "{}: {unusable}",
            row["case"]
        );
        assert!(unusable.to_string().len() < 1_000, "{}", row["case"]);
    }
}

#[test]
fn what_can_be_used_is_taken_and_means_what_it_says() {
    for row in table(include_str!("../testdata/usable.json")) {
        let schema = Schema::new(row["schema"].clone())
            .unwrap_or_else(|error| panic!("{}: {error}", row["case"]));
        assert_eq!(schema.value(), &row["schema"]);
        for document in row["fits"].as_array().unwrap() {
            assert_eq!(schema.validator().violations(document), [], "{}: {document}", row["case"]);
            assert!(schema.validator().is_valid(document), "{}: {document}", row["case"]);
        }
        for document in row["fails"].as_array().unwrap() {
            assert!(!schema.validator().is_valid(document), "{}: {document}", row["case"]);
            assert!(
                !schema.validator().violations(document).is_empty(),
                "{}: {document}",
                row["case"]
            );
        }
    }
}

#[test]
fn a_dialect_that_is_meant_anyway_says_nothing_new() {
    let plain = json!({ "type": "object", "properties": { "a": { "const": 1 } } });
    let declared = |uri: &str| {
        let mut schema = plain.clone();
        schema["$schema"] = json!(uri);
        schema
    };
    let is_same =
        |one: &Value, other: &Value| Schema::new(one.clone()).unwrap().says_the_same(other);
    let default = declared("https://json-schema.org/draft/2020-12/schema");
    assert!(is_same(&default, &plain) && is_same(&plain, &default));
    let seven = declared("http://json-schema.org/draft-07/schema#");
    assert!(!is_same(&seven, &plain) && !is_same(&plain, &seven) && is_same(&seven, &seven));
    let mut other = default.clone();
    other["type"] = json!("array");
    assert!(!is_same(&default, &other));
    // Inside, it is the name of a property as any other.
    let inside = json!({ "properties": { "$schema": { "type": "string" } } });
    assert!(!is_same(&inside, &json!({ "properties": {} })));
}

#[test]
fn a_schema_is_read_from_text() {
    let schema = Schema::parse("{ \"type\": \"string\" }").unwrap();
    assert_eq!(schema.draft(), Draft::Draft202012);
    let old = Schema::parse(r#"{ "$schema": "http://json-schema.org/draft-07/schema#" }"#).unwrap();
    assert_eq!(old.draft(), Draft::Draft07);
    assert!(Schema::parse("{").unwrap_err().reason.contains("is no JSON"));
    assert!(Schema::parse(&"[".repeat(10_000)).unwrap_err().reason.contains("is no JSON"));
    assert!(
        Schema::parse(&" ".repeat(5 * SCHEMA_BYTES_MAX)).unwrap_err().reason.contains("256 KiB")
    );
}

#[test]
fn a_schema_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let of =
        |bytes: usize| json!({ "description": "x".repeat(bytes - r#"{"description":""}"#.len()) });
    Schema::new(of(SCHEMA_BYTES_MAX)).unwrap();
    assert!(refused(of(SCHEMA_BYTES_MAX + 1)).reason.contains("256 KiB"));
    assert!(refused(json!({ "enum": vec![1; 500_000] })).reason.contains("256 KiB"));
    assert!(
        refused(json!({ "description": "\u{1}".repeat(SCHEMA_BYTES_MAX / 5) }))
            .reason
            .contains("256 KiB")
    );
}

#[test]
fn a_schema_nested_deeper_than_any_stack_is_refused() {
    let nested = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({ "not": inner }));
    let sixty_four =
        |levels: usize| (0..levels).fold(json!(true), |inner, _| json!({ "items": inner }));
    Schema::new(sixty_four(64)).unwrap();
    assert!(refused(sixty_four(65)).reason.contains("64 levels"));
    // Deeper than `json!` could drop at once: put together and taken apart by hand.
    let mut deep = Value::Null;
    for _ in 0..200_000 {
        deep = Value::Object(Map::from_iter([("a".to_owned(), deep)]));
    }
    assert!(refused(deep).reason.contains("nested deeper"));
    assert!(refused(nested(70)).reason.contains("nested deeper"));
}

/// `levels` definitions, each of which refers to the next in two ways.
fn doubling(levels: usize, twice: impl Fn(Value) -> Value) -> Value {
    let mut defs = Map::from_iter([(format!("d{levels}"), json!({ "type": "string" }))]);
    for level in 0..levels {
        defs.insert(
            format!("d{level}"),
            twice(json!({ "$ref": format!("#/$defs/d{}", level + 1) })),
        );
    }
    json!({ "$ref": "#/$defs/d0", "$defs": defs })
}

#[test]
fn work_that_doubles_with_every_reference_is_refused() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let unusable = refused(doubling(14, |next| json!({ keyword: [next, next] })));
        assert!(unusable.reason.contains("10000 things"), "{unusable}");
    }
    let conditions = doubling(14, |next| json!({ "if": next, "then": next, "else": next }));
    assert!(refused(conditions).reason.contains("10000 things"));
    let apart = doubling(
        60,
        |next| json!({ "allOf": [{ "properties": { "a": next } }, { "patternProperties": { "a": next } }] }),
    );
    assert!(refused(apart).reason.contains("10000 things"));
    let unevaluated =
        doubling(14, |next| json!({ "anyOf": [next, true], "unevaluatedProperties": false }));
    assert!(refused(unevaluated).reason.contains("10000 things"));
    let beside =
        doubling(200, |next| json!({ "properties": { "a": next, "b": next }, "items": next }));
    Schema::new(beside).unwrap();
}

#[test]
fn a_long_row_of_references_is_refused() {
    let row = |levels| doubling(levels, |next| next);
    Schema::new(row(20)).unwrap();
    assert!(refused(row(4_000)).reason.contains("in a row"));
}

#[test]
fn parts_that_meet_in_too_many_ways_are_refused() {
    let others: Map<String, Value> = (0..6)
        .map(|kind| {
            (
                format!("x{kind}"),
                json!({ "additionalProperties": { "$ref": format!("#/$defs/x{kind}") } }),
            )
        })
        .collect();
    let named: Map<String, Value> = (0..6)
        .map(|kind| {
            (
                format!("p{kind}"),
                json!({ "allOf": [{ "$ref": "#" }, { "$ref": format!("#/$defs/x{kind}") }] }),
            )
        })
        .collect();
    let unusable = refused(json!({ "properties": named, "$defs": others }));
    assert!(unusable.reason.contains("cannot be told"), "{unusable}");
}

#[test]
fn deep_definitions_that_refer_to_deep_definitions_fit_the_stack_of_a_worker() {
    let schema = doubling(100, |next| {
        (0..28).fold(next, |inner, _| json!({ "properties": { "a": inner } }))
    });
    let worker =
        thread::Builder::new().stack_size(2 << 20).spawn(move || Schema::new(schema).is_ok());
    assert!(worker.unwrap().join().unwrap());
}

#[test]
fn a_name_too_long_for_all_that_stands_below_it_is_refused() {
    let many: Map<String, Value> =
        (0..5_000).map(|number| (number.to_string(), json!({ "type": "null" }))).collect();
    let schema = json!({ "properties": { "x".repeat(100_000): { "properties": many } } });
    assert!(refused(schema).reason.contains("names too long"));
}

#[test]
fn too_many_patterns_are_refused() {
    let with = |count: usize| {
        let all: Map<String, Value> =
            (0..count).map(|number| (format!("^a{number}$"), json!(true))).collect();
        json!({ "patternProperties": all })
    };
    Schema::new(with(200)).unwrap();
    assert!(refused(with(300)).reason.contains("too many"));
    let large: Vec<Value> =
        (0..20).map(|number| json!({ "pattern": format!("^{number}.{{1,300}}$") })).collect();
    assert!(refused(json!({ "items": { "anyOf": large } })).reason.contains("too many"));
}

#[test]
fn a_real_schema_with_hundreds_of_alternatives_is_taken() {
    let kinds: Vec<Value> = (0..200)
        .map(|kind| {
            let fields: Map<String, Value> =
                (0..10).map(|field| (format!("f{field}"), json!({ "type": "string", "maxLength": 100 }))).collect();
            json!({ "properties": { "kind": { "const": format!("k{kind}") }, "data": { "properties": fields } }, "required": ["kind"] })
        })
        .collect();
    let schema = Schema::new(json!({ "oneOf": kinds })).unwrap();
    assert!(schema.validator().is_valid(&json!({ "kind": "k7", "data": { "f1": "x" } })));
    assert!(!schema.validator().is_valid(&json!({ "kind": "k7", "data": { "f1": 1 } })));
}
