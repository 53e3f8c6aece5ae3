//! What is refused when a schedule is saved, and what is said.

use omni_schedules::{Plan, Problem};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{at, definition};

fn refused(fields: Value) -> Vec<Problem> {
    Plan::new(&definition(fields), at("2026-06-01T12:00:00Z")).unwrap_err()
}

#[test]
fn each_mistake_is_told_where_it_is() {
    #[derive(Deserialize)]
    struct Row {
        definition: Value,
        pointer: String,
        says: String,
    }
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../testdata/refused.json")).unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        check(row.definition, &row.pointer, &row.says);
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let (long, longer) = ("a".repeat(65), "x".repeat(1_025));
    check(json!({ "name": long, "schedule": "@daily" }), "/name", "1 to 64");
    check(json!({ "description": longer, "schedule": "@daily" }), "/description", "1024");
    let payload = "x".repeat(256 << 10);
    check(json!({ "payload": payload, "schedule": "@daily" }), "/payload", "262,144");
}

fn check(fields: Value, pointer: &str, says: &str) {
    let problems = refused(fields);
    let [problem] = problems.as_slice() else { panic!("{pointer}: {problems:?}") };
    assert_eq!(problem.pointer, pointer, "{problem:?}");
    assert!(problem.message.contains(says), "{says}: {problem:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let problems = refused(json!({
        "name": "A b", "schedule": "61 25 * * *", "timezone": "Nowhere/City", "start": "soon", "maxFires": 0,
        "eventType": "x", "jitterMs": u64::MAX, "at": "x", "catchupWindowMs": 1,
    }));
    let mut pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    pointers.sort_unstable();
    let expected = [
        "/at",
        "/catchupWindowMs",
        "/eventType",
        "/jitterMs",
        "/maxFires",
        "/name",
        "/schedule",
        "/schedule",
        "/start",
        "/timezone",
    ];
    assert_eq!(pointers, expected);
}

#[test]
fn what_is_over_is_refused_when_saved_and_read_when_stored() {
    for fields in [
        json!({ "kind": "once", "at": "2026-01-01T00:00:00Z" }),
        json!({ "schedule": "@daily", "end": "2026-01-01T00:00:00Z" }),
    ] {
        let definition = definition(fields);
        assert!(Plan::new(&definition, at("2026-06-01T12:00:00Z")).is_err());
        assert!(Plan::stored(&definition).is_ok());
    }
    // "Now" may be a few seconds old when it arrives.
    let now = definition(json!({ "kind": "once", "at": "2026-06-01T11:59:55Z" }));
    assert!(Plan::new(&now, at("2026-06-01T12:00:00Z")).is_ok());
}

#[test]
fn zones_are_found_in_any_case_and_by_old_names() {
    for name in [
        "UTC",
        "Europe/Berlin",
        "europe/berlin",
        "Asia/Calcutta",
        "US/Pacific",
        "EST5EDT",
        "Etc/GMT-2",
    ] {
        let definition = definition(json!({ "schedule": "@daily", "timezone": name }));
        assert!(Plan::stored(&definition).is_ok(), "{name}");
    }
}
