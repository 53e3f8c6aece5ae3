//! What an author probably overlooked when a field does not hold.

use serde_json::Value;

use super::{
    ask::Found,
    near,
    place::{self, Step},
};
use crate::{
    filter::Leaf,
    predicate::{Literal, Predicate, fold::fold},
};

/// So many values and alternatives are looked at: a hint is worth no more.
const LOOKED_AT_MAX: usize = 16;

/// So much of a text is compared, in bytes.
const TEXT_MAX: usize = 256;

pub(super) fn hint(leaf: &Leaf, found: &[Found<'_>], event: &Value) -> Option<String> {
    // A question that holds for a field that is absent failed for a value, which is shown.
    if found.is_empty() { missing(&leaf.path, event) } else { differing(leaf, found) }
}

/// How far the path leads, and what there is instead.
fn missing(names: &[Box<str>], event: &Value) -> Option<String> {
    let (mut value, mut place) = (event, Vec::new());
    for name in names {
        let Some(fields) = object(value) else {
            return Some(format!("{} is {}", place::written(&place), kind(value)));
        };
        let Some((known, field)) = fields.get_key_value(name.as_ref()) else {
            let here =
                if place.is_empty() { "the event".to_owned() } else { place::written(&place) };
            let meant = near::nearest(name, fields.keys().map(String::as_str))?;
            let (name, meant) = (Value::from(name.as_ref()), Value::from(meant));
            return Some(format!("{here} has no {name}, but {meant}"));
        };
        place.push(Step::Name(known));
        value = field;
    }
    Some(format!("{} is {}, which is no value", place::written(&place), kind(value)))
}

/// The object that a value is, or that stands first in its arrays.
fn object(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        Value::Array(items) => items.iter().take(LOOKED_AT_MAX).find_map(object),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(items) if items.is_empty() => "an empty array",
        Value::Array(_) => "an array without such a value",
        Value::Object(_) => "an object",
    }
}

fn differing(leaf: &Leaf, found: &[Found<'_>]) -> Option<String> {
    let values = found.iter().take(LOOKED_AT_MAX).map(|found| found.value);
    values.into_iter().find_map(|value| {
        leaf.any.iter().take(LOOKED_AT_MAX).find_map(|predicate| difference(predicate, value))
    })
}

fn difference(predicate: &Predicate, value: &Value) -> Option<String> {
    match (predicate, value) {
        (Predicate::Range(_) | Predicate::Equals(Literal::Number(_)), Value::String(text)) => {
            let number = text.len() <= TEXT_MAX && text.trim().parse::<f64>().is_ok();
            number.then(|| "it is a text, and a text is never equal to a number".to_owned())
        }
        (Predicate::Equals(Literal::Text(wanted)), Value::Number(number)) => (number.to_string()
            == wanted.as_ref())
        .then(|| "it is a number, and a number is never equal to a text".to_owned()),
        (Predicate::Equals(Literal::Text(wanted)), Value::String(text))
            if text.len() <= TEXT_MAX =>
        {
            if text.trim() == wanted.trim() {
                Some("it differs only by space around it".to_owned())
            } else {
                (fold(text) == fold(wanted))
                    .then(|| "it differs only in case: use equals-ignore-case".to_owned())
            }
        }
        (Predicate::Equals(Literal::Bool(wanted)), Value::String(text)) => (text
            == if *wanted { "true" } else { "false" })
        .then(|| "it is a text, not a boolean".to_owned()),
        (Predicate::Prefix(wanted), Value::String(text)) if text.len() <= TEXT_MAX => {
            fold(text).starts_with(&fold(wanted)).then(|| {
                "it differs only in case: use {\"prefix\": {\"equals-ignore-case\": …}}".to_owned()
            })
        }
        _ => None,
    }
}
