//! Two versions of fifty properties held against each other, both policies; the slowest of several changes.

use std::{hint::black_box, time::Duration};

use omni_schema::{Policy, Schema, compare};
use serde_json::{Value, json};

use crate::{book::Book, millis, samples, shortest_of};

pub(crate) fn measure(book: &mut Book) {
    let old = samples::schema(50);
    let mut worst = Duration::ZERO;
    for (change, new) in changes(&old) {
        for policy in [Policy::Lenient, Policy::Exact] {
            let took = shortest_of(|| {
                let old = Schema::new(old.clone()).unwrap();
                let new = Schema::new(new.clone()).unwrap();
                black_box(compare(&old, &new, policy));
            });
            book.note(&format!("compare_{change}_{}_ms", policy.as_str()), "ms", millis(took));
            worst = worst.max(took);
        }
    }
    book.note("compare_50_ms", "ms", millis(worst));
}

fn changes(old: &Value) -> Vec<(&'static str, Value)> {
    let mut added = old.clone();
    added["properties"]["another"] = json!({ "type": "string" });
    let mut required = old.clone();
    required["required"] = (0..50).map(|number| format!("property_{number}")).collect();
    let mut narrowed = old.clone();
    narrowed["properties"]["property_1"] = json!({ "type": "integer", "minimum": 1 });
    let mut retyped = old.clone();
    for property in retyped["properties"].as_object_mut().unwrap().values_mut() {
        *property = json!({ "type": "boolean" });
    }
    let mut closed = old.clone();
    closed["additionalProperties"] = json!(false);
    vec![
        ("added", added),
        ("all_required", required),
        ("narrowed", narrowed),
        ("all_retyped", retyped),
        ("closed", closed),
    ]
}
