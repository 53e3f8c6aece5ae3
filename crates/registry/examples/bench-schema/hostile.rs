//! Schemas that are meant to hurt; the slowest answer counts, whether it is a refusal or not.

use std::{hint::black_box, time::Duration};

use omni_registry::Schema;
use serde_json::{Map, Value, json};

use crate::{book::Book, millis, shortest_of};

pub(crate) fn measure(book: &mut Book) {
    let mut worst = Duration::ZERO;
    for (name, schema) in schemas() {
        let text = schema.to_string();
        let took = shortest_of(|| drop(black_box(Schema::parse(&text))));
        book.note(&format!("refuse_{name}_ms"), "ms", millis(took));
        worst = worst.max(took);
    }
    book.note("refuse_worst_ms", "ms", millis(worst));
}

fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("recursion", json!({ "$ref": "#" })),
        (
            "recursion_by_two",
            json!({ "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "not": { "$ref": "#/$defs/a" } } }, "$ref": "#/$defs/a" }),
        ),
        (
            "tree_twice",
            json!({ "properties": { "a": { "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] } } }),
        ),
        ("exponential", doubling("oneOf")),
        ("exponential_all", doubling("allOf")),
        ("remote", json!({ "$ref": "https://example.org/schema.json" })),
        ("pattern_bomb", json!({ "pattern": "((a{1,100}){1,100}){1,100}" })),
        ("pattern_backtracking", json!({ "pattern": "(a+)+$" })),
        (
            "many_patterns",
            many(2000, |n| json!({ "pattern": format!("^(x{n}|[a-z]{{1,{}}})*$", n % 50 + 1) })),
        ),
        (
            "many_alternatives",
            json!({ "oneOf": (0..2000).map(|n| json!({ "properties": { "a": { "const": n } } })).collect::<Vec<_>>() }),
        ),
        ("many_references", references(4000)),
        (
            "large_enum",
            json!({ "enum": (0..20_000).map(|n| format!("{n:08}")).collect::<Vec<_>>() }),
        ),
        ("deep", (0..60).fold(json!(true), |inner, _| json!({ "properties": { "a": inner } }))),
        ("deeper", (0..100).fold(json!(true), |inner, _| json!({ "items": inner }))),
        (
            "quarter_megabyte",
            many(4000, |n| json!({ "type": "string", "title": format!("{n:030}") })),
        ),
        ("megabyte", many(16_000, |n| json!({ "type": "string", "title": format!("{n:030}") }))),
    ]
}

/// Each definition asks the next one twice.
fn doubling(keyword: &str) -> Value {
    let definition = |n: usize| {
        let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
        (format!("d{n}"), json!({ keyword: [next.clone(), next] }))
    };
    let mut definitions: Map<String, Value> = (0..40).map(definition).collect();
    definitions.insert("d40".into(), json!({ "type": "string" }));
    json!({ "$defs": definitions, "$ref": "#/$defs/d0" })
}

fn references(count: usize) -> Value {
    let definition = |n: usize| (format!("d{n}"), json!({ "$ref": format!("#/$defs/d{}", n + 1) }));
    let mut definitions: Map<String, Value> = (0..count).map(definition).collect();
    definitions.insert(format!("d{count}"), json!(true));
    json!({ "$defs": definitions, "$ref": "#/$defs/d0" })
}

fn many(count: usize, property: impl Fn(usize) -> Value) -> Value {
    let all: Map<String, Value> = (0..count).map(|n| (format!("p{n}"), property(n))).collect();
    json!({ "type": "object", "properties": all })
}
