//! What a schema says of a place.

use omni_schema::{Schema, Step, places, reading};
use serde_json::{Map, Value, json};

fn schema(value: &Value) -> Schema {
    Schema::new(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn path(text: &str) -> Vec<Step> {
    let step = |step: &str| match step {
        "[]" => Step::Item,
        "**" => Step::Any,
        name => Step::Name(name.to_owned()),
    };
    text.split('.').filter(|step| !step.is_empty()).map(step).collect()
}

#[test]
fn a_place_is_declared_possible_or_never() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../testdata/paths.json")).unwrap();
    for row in rows {
        let said = reading(&schema(&row["schema"]), &path(row["path"].as_str().unwrap()));
        assert_eq!(format!("{said:?}"), row["reading"], "{row}");
    }
}

#[test]
fn the_places_of_a_schema_are_named_as_one_writes_them_in_a_condition() {
    let message = schema(&json!({
        "properties": {
            "from": { "properties": { "labels": { "items": { "type": "string" } }, "name": true, "gone": false } },
            "parts": { "items": { "$ref": "#/$defs/part" } },
        },
        "oneOf": [{ "properties": { "text": { "type": "string" } } }, { "properties": { "url": { "type": "string" } } }],
        "$defs": { "part": { "properties": { "size": true, "parts": { "items": { "$ref": "#/$defs/part" } } } } },
    }));
    let named = places(&message);
    let expected = ["from.labels.0", "from.name", "parts.0.parts.0", "parts.0.size", "text", "url"];
    assert_eq!(named, expected);
    assert!(places(&schema(&json!(true))).is_empty());
}

#[test]
fn no_schema_has_too_many_places_to_name() {
    let wide: Map<String, Value> =
        (0..2_000).map(|number| (format!("p{number}"), json!(true))).collect();
    assert_eq!(places(&schema(&json!({ "properties": wide }))).len(), 500);
    let mut defs = Map::from_iter([("d60".to_owned(), json!({}))]);
    for level in 0..60 {
        let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        defs.insert(
            format!("d{level}"),
            json!({ "properties": { "a": next, "b": next, "c": next } }),
        );
    }
    let deep = schema(&json!({ "$ref": "#/$defs/d0", "$defs": defs }));
    assert_eq!(places(&deep).len(), 500);
    let all = Step::Any;
    assert_eq!(
        format!("{:?}", reading(&deep, &[all.clone(), all.clone(), all, Step::Name("z".into())])),
        "Possible"
    );
}
