//! What readers lose, by examples of schemas.

use serde_json::json;
use uuid::Uuid;

use super::*;

fn schema(value: Value) -> Schema {
    Schema::new(value).unwrap()
}

/// A reader of one path with its meanings: names, `[]` for an item, `**` for any depth.
fn reader(meanings: &[&str]) -> Reader {
    let step = |step: &str| match step {
        "[]" => Step::Item,
        "**" => Step::Any,
        name => Step::Name(name.to_owned()),
    };
    let paths = meanings.iter().map(|path| path.split('.').map(step).collect()).collect();
    let text = format!("payload.{}", meanings[0]);
    let read = Read { paths, text, place: "condition 1".into() };
    Reader { id: Uuid::from_u128(7), name: "vip".into(), enabled: true, reads: vec![read] }
}

fn loss(meanings: &[&str], old: &Value, new: &Value) -> Option<Loss> {
    let old = (!old.is_null()).then(|| schema(old.clone()));
    let found = findings(&[reader(meanings)], old.as_ref(), &schema(new.clone()));
    found.first().map(|finding| finding.reading)
}

#[test]
fn a_place_is_gone_when_it_was_described_and_is_not() {
    let from = |names: &[&str], open: bool| {
        let properties: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        json!({ "type": "object", "properties": { "from": {
            "type": "object", "properties": properties, "additionalProperties": open
        } } })
    };
    let none = Value::Null;
    let (tags, other) = (from(&["tags"], true), from(&["labels"], true));
    assert_eq!(loss(&["from.tags"], &tags, &other), Some(Loss::Gone));
    assert_eq!(loss(&["from.tags"], &tags, &tags), None);
    assert_eq!(loss(&["from.tags"], &other, &tags), None);
    // What was never described is no loss, unless it is forbidden.
    assert_eq!(loss(&["from.x"], &tags, &other), None);
    assert_eq!(loss(&["from.x"], &none, &other), None);
    assert_eq!(loss(&["from.x"], &none, &from(&["tags"], false)), Some(Loss::Never));
    assert_eq!(loss(&["from.tags"], &tags, &from(&["labels"], false)), Some(Loss::Gone));
    assert_eq!(loss(&["from.tags.x"], &none, &tags), Some(Loss::Never), "a string has no members");
}

#[test]
fn a_number_is_an_item_or_a_name() {
    let list = json!({ "properties": { "a": { "type": "array", "items": { "properties": { "b": { "type": "string" } } } } } });
    let map = json!({ "properties": { "a": { "type": "object", "properties": { "0": { "properties": { "b": { "type": "string" } } } } } } });
    let bare = json!({ "properties": { "a": { "type": "array", "items": { "type": "object" } } } });
    let meanings = ["a.[].b", "a.0.b"];
    assert_eq!(loss(&meanings, &list, &list), None);
    assert_eq!(loss(&meanings, &map, &map), None, "an item is impossible here, a name is not");
    assert_eq!(loss(&meanings, &list, &bare), Some(Loss::Gone));
    assert_eq!(
        loss(&meanings, &map, &json!({ "properties": { "a": { "type": "string" } } })),
        Some(Loss::Gone)
    );
    assert_eq!(
        loss(&meanings, &Value::Null, &json!({ "properties": { "a": { "type": "string" } } })),
        Some(Loss::Never)
    );
}

#[test]
fn what_took_the_place_is_suggested() {
    let with = |properties: Value| json!({ "properties": properties });
    let text = json!({ "type": "string" });
    let old = with(json!({ "from": { "properties": { "id": text, "tags": text } } }));
    let renamed = with(json!({ "from": { "properties": { "id": text, "labels": text } } }));
    let moved =
        with(json!({ "from": { "properties": { "id": text } }, "tags": text, "other": text }));
    let split = with(json!({ "from": { "properties": { "id": text, "a": text, "b": text } } }));
    for (new, expected) in
        [(renamed, Some("payload.from.labels")), (moved, Some("payload.tags")), (split, None)]
    {
        let found = findings(&[reader(&["from.tags"])], Some(&schema(old.clone())), &schema(new));
        assert_eq!(found[0].suggestion.as_deref(), expected);
    }
}

#[test]
fn the_same_place_is_told_once_and_there_is_an_end() {
    let names: Vec<String> = (0..300).map(|n| format!("p{n}")).collect();
    let properties: serde_json::Map<_, _> =
        names.iter().map(|name| (name.clone(), json!({ "type": "string" }))).collect();
    let old = schema(json!({ "properties": properties }));
    let reads = names.iter().flat_map(|name| vec![reader(&[name]).reads.remove(0); 2]).collect();
    let readers = [Reader { reads, ..reader(&["x"]) }];
    let found = findings(&readers, Some(&old), &schema(json!(true)));
    assert_eq!(found.len(), FINDINGS_MAX);
    assert_eq!(found[1].path, "payload.p1");
}
