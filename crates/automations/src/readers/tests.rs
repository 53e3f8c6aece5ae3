//! What definitions read, by a table.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Case {
    /// A field of a condition, the config of an action, or a `triggerPattern`.
    reads: Value,
    /// The place, the text, and the paths: `[]` an item, `**` any depth.
    expected: Vec<(String, String, Vec<String>)>,
}

fn definition(reads: &Value) -> Definition {
    let pattern = &reads["triggerPattern"];
    let (conditions, config) = match reads.as_str() {
        Some(field) => (json!([{ "field": field, "operator": "exists" }]), json!({})),
        None if pattern.is_null() => (json!([]), reads.clone()),
        None => (json!([]), json!({})),
    };
    serde_json::from_value(json!({
        "name": "reader", "triggerEventType": "custom.x", "triggerConditions": conditions, "triggerPattern": pattern,
        "actions": [{ "type": "log", "config": config }],
    }))
    .unwrap()
}

fn path(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => name.clone(),
        Step::Item => "[]".to_owned(),
        Step::Any => "**".to_owned(),
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}

#[test]
fn what_definitions_read() {
    let table = include_str!("../../testdata/readers.json");
    let cases: Vec<Case> = serde_json::from_str(table).unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let found: Vec<_> = reads(&definition(&case.reads))
            .into_iter()
            .map(|read| (read.place, read.text, read.paths.iter().map(|p| path(p)).collect()))
            .collect();
        assert_eq!(found, case.expected, "{}", case.reads);
    }
}

#[test]
fn a_path_of_many_wildcards_has_few_meanings() {
    let field = format!("$.payload{}", "[*].a".repeat(40));
    let found = reads(&definition(&json!(field)));
    assert_eq!(found.len(), 1);
    assert!((2..=MEANINGS_MAX).contains(&found[0].paths.len()));
}
