//! Two nodes of a schema as one, as well as that can be said at once.
//!
//! It must stay true that what is said of the joined node follows from the two: it is used to see what a writer keeps.

use serde_json::{Value, json};

use super::keywords::Node;

/// Adds what another node says to this one.
pub(super) fn join(flat: &mut Node, other: Node) {
    for (keyword, value) in other {
        let Some(here) = flat.get_mut(&keyword) else {
            flat.insert(keyword, value);
            continue;
        };
        match (keyword.as_str(), here, value) {
            (
                "properties" | "patternProperties" | "dependentRequired",
                Value::Object(here),
                Value::Object(more),
            ) => {
                for (name, schema) in more {
                    let both = here
                        .remove(&name)
                        .map_or_else(|| schema.clone(), |first| both(first, schema.clone()));
                    here.insert(name, both);
                }
            }
            ("required", Value::Array(here), Value::Array(more)) => {
                here.extend(more);
                here.dedup();
            }
            ("type", here, more) => narrow_types(here, &more),
            (
                "minimum" | "minLength" | "minItems" | "minProperties" | "exclusiveMinimum",
                here,
                more,
            ) if more.as_f64() > here.as_f64() => *here = more,
            (
                "maximum" | "maxLength" | "maxItems" | "maxProperties" | "exclusiveMaximum",
                here,
                more,
            ) if more.as_f64() < here.as_f64() => *here = more,
            ("items" | "additionalProperties", here, more) => *here = both(here.take(), more),
            ("enum", Value::Array(here), Value::Array(more)) => {
                here.retain(|value| more.contains(value));
            }
            _ => {}
        }
    }
}

fn both(first: Value, second: Value) -> Value {
    if first == second || second == Value::Bool(true) {
        first
    } else if first == Value::Bool(true) {
        second
    } else if first == Value::Bool(false) || second == Value::Bool(false) {
        Value::Bool(false)
    } else {
        json!({"allOf": [first, second]})
    }
}

fn narrow_types(here: &mut Value, more: &Value) {
    let words = |kinds: &Value| -> Vec<String> {
        let one = kinds.as_str().map(str::to_owned);
        let all =
            kinds.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        one.into_iter().chain(all).collect()
    };
    let (first, second) = (words(here), words(more));
    let holds = |all: &[String], kind: &str| all.iter().any(|one| one == kind);
    let kept: Vec<String> = first
        .iter()
        .filter(|kind| holds(&second, kind) || *kind == "integer" && holds(&second, "number"))
        .cloned()
        .chain(
            (holds(&second, "integer") && holds(&first, "number") && !holds(&first, "integer"))
                .then(|| "integer".to_owned()),
        )
        .collect();
    *here = json!(kept);
}
