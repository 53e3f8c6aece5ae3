//! Whether a schema allows the values that a question wants.

use serde_json::Value;

use super::place::{self, ARRAY, Place, Way};
use crate::{
    Condition, Operator,
    conditions::question::Question,
    explain::brief,
    fuel::Fuel,
    lint::implies::{kind, kinds},
    predicate::{Predicate, Scalar},
    regular::Budget,
};

/// Arrays within each other that are looked into.
const DEPTH_MAX: usize = 4;

/// So many listed values are named.
const NAMED_MAX: usize = 8;

/// Whether some scalar value at the place, or in arrays there, may satisfy the question.
pub(super) fn may_hold(place: &Place<'_>, predicate: &Predicate) -> bool {
    place.ways.iter().any(|way| way_may_hold(place, way, predicate, DEPTH_MAX))
}

fn way_may_hold(place: &Place<'_>, way: &Way<'_>, predicate: &Predicate, depth: usize) -> bool {
    let allowed = way.kinds();
    if let Some(listed) = way.listed() {
        return listed.iter().any(|value| may_be(value, allowed, predicate));
    }
    if kinds(predicate) & allowed != 0 {
        return true;
    }
    if allowed & ARRAY == 0 {
        return false;
    }
    // Elements of which nothing is said, or too deep to look, may be anything.
    match place.items(way) {
        Some(ways) if depth > 0 => {
            ways.iter().any(|way| way_may_hold(place, way, predicate, depth - 1))
        }
        _ => true,
    }
}

fn may_be(value: &Value, allowed: u8, predicate: &Predicate) -> bool {
    if place::of(value) & allowed == 0 {
        return false;
    }
    let number;
    let scalar = match value {
        Value::Null => Scalar::Null,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::String(text) => Scalar::Text(text.as_bytes()),
        Value::Number(written) => {
            number = written.to_string();
            Scalar::Number(number.as_bytes())
        }
        Value::Array(items) => {
            return items.iter().any(|item| may_be(item, kind::ALL | ARRAY, predicate));
        }
        Value::Object(_) => return false,
    };
    predicate.holds(scalar, &mut Fuel::new()) != Ok(false)
}

/// Whether the value at the place may satisfy the condition, which does not hold for what is absent.
pub(super) fn may_satisfy(place: &Place<'_>, condition: &Condition) -> bool {
    let question =
        Question::compile(condition.operator, condition.value.as_ref(), &mut Budget::new());
    let Ok(question) = question else { return true };
    place.ways.iter().any(|way| match way.listed() {
        Some(listed) => listed.iter().any(|value| {
            place::of(value) & way.kinds() != 0
                && question.holds(&[value], &mut Fuel::new()) != Ok(false)
        }),
        None => wanted(condition) & way.kinds() != 0,
    })
}

/// The kinds of values that may satisfy a condition.
fn wanted(condition: &Condition) -> u8 {
    let value = condition.value.as_ref();
    match (condition.operator, value) {
        (
            Operator::Eq | Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte,
            Some(value),
        ) => place::of(value),
        (Operator::In, Some(Value::Array(values))) => {
            values.iter().fold(0, |kinds, value| kinds | place::of(value))
        }
        (Operator::StartsWith | Operator::EndsWith | Operator::Matches, _) => kind::TEXT,
        (Operator::Contains, _) => kind::TEXT | ARRAY | place::OBJECT,
        _ => u8::MAX,
    }
}

/// What a place is by its schema, in words.
pub(super) fn allowed(place: &Place<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    for way in &place.ways {
        let found = match way.listed() {
            Some(listed) => listed.iter().take(NAMED_MAX).map(brief).collect(),
            None => of_kinds(way.kinds()),
        };
        for word in found {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    if words.is_empty() {
        return "nothing".to_owned();
    }
    let more = words.len().saturating_sub(NAMED_MAX);
    words.truncate(NAMED_MAX);
    let more = if more > 0 { format!(" or {more} more") } else { String::new() };
    format!("{}{more}", words.join(" or "))
}

fn of_kinds(kinds: u8) -> Vec<String> {
    let names = [
        (kind::TEXT, "a text"),
        (kind::NUMBER, "a number"),
        (kind::BOOL, "a boolean"),
        (kind::NULL, "null"),
        (ARRAY, "an array"),
        (place::OBJECT, "an object"),
    ];
    let named = names.iter().filter(|(kind, _)| kinds & kind != 0);
    named.map(|(_, name)| (*name).to_owned()).collect()
}
