//! `uniqueItems` in the time that sorting takes.
//!
//! The engine's own compares all items that have the same hash, and a sender can write as many of those as he likes:
//! nested empty arrays, or numbers beyond the precision of a float.

use std::cmp::Ordering;

use jsonschema::{Keyword, ValidationError, paths::Location};
use serde_json::{Map, Number, Value};

/// No two items of an array are equal.
struct UniqueItems;

/// Nothing is asked: `"uniqueItems": false`.
struct Anything;

type Compiled<'a> = Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>;

#[expect(clippy::unnecessary_wraps, reason = "the engine asks for a result")]
pub(super) fn compile<'a>(
    _: &'a Map<String, Value>,
    value: &'a Value,
    _: Location,
) -> Compiled<'a> {
    Ok(if value == &Value::Bool(true) { Box::new(UniqueItems) } else { Box::new(Anything) })
}

impl<'i> Keyword<'i> for UniqueItems {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if is_unique(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom("array has non-unique elements"))
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        is_unique(instance)
    }
}

impl<'i> Keyword<'i> for Anything {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        true
    }
}

fn is_unique(value: &Value) -> bool {
    let Value::Array(items) = value else { return true };
    let mut items: Vec<&Value> = items.iter().collect();
    items.sort_unstable_by(|a, b| compare(a, b));
    items.windows(2).all(|pair| compare(pair[0], pair[1]) != Ordering::Equal)
}

/// An order of all values in which those are equal that JSON Schema calls equal: `1` and `1.0`, and objects in whichever
/// order their members are written.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            a.iter()
                .zip(b)
                .map(|(a, b)| compare(a, b))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Value::Object(a), Value::Object(b)) => compare_objects(a, b),
        _ => kind(a).cmp(&kind(b)),
    }
}

fn compare_objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let shape = a.len().cmp(&b.len());
    if shape.is_ne() {
        return shape;
    }
    let (names, others) = (sorted_names(a), sorted_names(b));
    names.cmp(&others).then_with(|| {
        names
            .iter()
            .map(|name| compare(&a[*name], &b[*name]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

fn sorted_names(members: &Map<String, Value>) -> Vec<&String> {
    let mut names: Vec<_> = members.keys().collect();
    names.sort_unstable();
    names
}

/// By their mathematical value.
fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // A float that is no whole number, or beyond all integers: rounding the other to a float cannot pass it.
        _ => a.as_f64().unwrap_or(f64::INFINITY).total_cmp(&b.as_f64().unwrap_or(f64::INFINITY)),
    }
}

/// The number as an integer, where it is one that fits.
fn whole(number: &Number) -> Option<i128> {
    /// 2^100; a float below it that is whole is exact as an integer.
    const LARGE: f64 = 1_267_650_600_228_229_401_496_703_205_376.0;
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < LARGE);
    integer.or_else(|| float().map(|float| float as i128))
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_equal_as_json_schema_says() {
        for same in [
            json!([1, 1.0]),
            json!([0.0, -0.0]),
            json!([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]),
            json!([[null], [null]]),
            json!([3, [], "x", {}, 4, {}]),
            json!([1e300, 1e300]),
        ] {
            assert!(!is_unique(&same), "{same}");
        }
        for different in [
            json!([1, true, "1", [1], {"1": 1}, null, 0, false]),
            json!([[], [[]], [[[]]], [[], []]]),
            json!([u64::MAX, u64::MAX - 1, 18_446_744_073_709_551_616.0, 1.5, 1]),
            json!([9_007_199_254_740_993_u64, 9_007_199_254_740_992.0]),
            json!([{"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}]),
            json!({"a": 1}),
            json!([]),
        ] {
            assert!(is_unique(&different), "{different}");
        }
    }
}
