//! What a difference is called, and the sentence that says it.
//!
//! It must stay true that a rule is named after what the change did, whichever side it surprises: what the new version
//! refuses was added or narrowed, what the old version refuses was removed or widened.

use std::collections::HashSet;

use serde_json::Value;

use super::Direction;

/// Longest value that a sentence quotes, in bytes.
const QUOTED_MAX: usize = 80;

/// The rule for one keyword that the reader has, and the writer has in another way or not at all.
pub(super) fn of_keyword(
    keyword: &str,
    writer: Option<&Value>,
    reader: &Value,
    direction: Direction,
) -> String {
    let pick = |new_refuses, old_refuses| match direction {
        Direction::Backward => new_refuses,
        Direction::Forward => old_refuses,
    };
    let change = match (keyword, writer) {
        ("type", writer) if writer.is_some_and(|writer| !holds_all(writer, reader)) => "changed",
        ("enum", Some(Value::Array(writer))) => {
            let known: HashSet<String> = writer.iter().map(Value::to_string).collect();
            let kept = reader
                .as_array()
                .is_some_and(|all| all.iter().all(|value| known.contains(&value.to_string())));
            if kept { pick("narrowed", "extended") } else { "changed" }
        }
        (_, None) if keyword != "type" => pick("added", "removed"),
        ("not", Some(_)) => pick("widened", "narrowed"),
        ("dependentRequired" | "dependentSchemas", Some(_)) => pick("extended", "narrowed"),
        ("type" | "additionalProperties" | "unevaluatedProperties", _) => {
            pick("narrowed", "widened")
        }
        (_, Some(_)) if keyword.starts_with("max") || keyword == "exclusiveMaximum" => {
            pick("lowered", "raised")
        }
        (_, Some(_)) if keyword.starts_with("min") || keyword == "exclusiveMinimum" => {
            pick("raised", "lowered")
        }
        _ => "changed",
    };
    let name = match keyword {
        "dependentRequired" | "dependentSchemas" => "dependency",
        other => other,
    };
    format!("{name}.{change}")
}

/// The sentence for one keyword.
pub(super) fn sentence(
    subject: &str,
    keyword: &str,
    writer: Option<&Value>,
    reader: Option<&Value>,
    direction: Direction,
) -> String {
    let (old, new) = match direction {
        Direction::Backward => (writer, reader),
        Direction::Forward => (reader, writer),
    };
    let before =
        old.map_or_else(|| "was not set".to_owned(), |value| format!("was {}", quoted(value)));
    let after =
        new.map_or_else(|| "is not set".to_owned(), |value| format!("is {}", quoted(value)));
    format!("{subject}: {keyword} {before} and {after} now; {}", consequence(direction))
}

/// Who refuses what.
pub(super) fn consequence(direction: Direction) -> &'static str {
    match direction {
        Direction::Backward => "the new version refuses what the old one allowed.",
        Direction::Forward => "the old version refuses what the new one allows.",
    }
}

/// A value as a sentence shows it.
pub(super) fn quoted(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > QUOTED_MAX {
        text.truncate(text.floor_char_boundary(QUOTED_MAX));
        text.push('…');
    }
    text
}

/// How the place in a document is named.
pub(super) fn subject(path: &str) -> String {
    if path.is_empty() { "The document".to_owned() } else { format!("Property `{path}`") }
}

fn holds_all(outer: &Value, inner: &Value) -> bool {
    let words = |kinds: &Value| -> Vec<String> {
        match kinds {
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        }
    };
    let outer = words(outer);
    let within = |kind: &String| {
        outer.contains(kind) || kind == "integer" && outer.iter().any(|one| one == "number")
    };
    words(inner).iter().all(within)
}
