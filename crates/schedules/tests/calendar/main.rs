//! The calendar of schedules: what it says on the days when clocks change, what always holds, what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails where it stops")]

mod catchup;
mod definition;
mod properties;
mod table;

use chrono::{DateTime, Utc};
use omni_schedules::{Definition, Next, Plan};
use serde_json::{Value, json};

/// A definition with the given fields and the name `report`.
fn definition(fields: Value) -> Definition {
    let mut document = json!({ "name": "report" });
    let fields = fields.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(document).unwrap()
}

fn plan(fields: Value) -> Plan {
    Plan::stored(&definition(fields)).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
}

fn next(plan: &Plan, after: DateTime<Utc>) -> DateTime<Utc> {
    match plan.next_after(after) {
        Next::At(instant) => instant,
        other => panic!("{other:?} after {after}"),
    }
}
