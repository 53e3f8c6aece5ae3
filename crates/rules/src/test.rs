//! What a condition asks of one value, compiled. Each operator asks about single values; `neq` and
//! `exists: false` are the negations of `eq` and `exists` over all selected values.

use std::cmp::Ordering;

use serde_json::Value;

use crate::condition::Operator;
use crate::exact;
use crate::fuel::{Exhausted, Fuel};
use crate::regular::{Budget, Regular};

/// The question to one value.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Equals(Value),
    Ordered(fn(Ordering) -> bool, Value),
    Contains(Value),
    StartsWith(String),
    EndsWith(String),
    Matches(Regular),
    In(Vec<Value>),
    Exists,
}

/// A test, and whether it is its failure on every value that counts.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    test: Test,
    negated: bool,
}

impl Question {
    /// Compiles an operator and its value; the error is a sentence about the value.
    pub(crate) fn compile(
        operator: Operator,
        value: Option<&Value>,
        budget: &mut Budget,
    ) -> Result<Self, String> {
        if operator == Operator::Exists {
            return exists(value);
        }
        let value = value.ok_or_else(|| {
            format!("`{operator}` needs a value to compare with, but there is none")
        })?;
        let test = match operator {
            Operator::Eq | Operator::Neq => Test::Equals(value.clone()),
            Operator::Gt => ordered(operator, Ordering::is_gt, value)?,
            Operator::Gte => ordered(operator, Ordering::is_ge, value)?,
            Operator::Lt => ordered(operator, Ordering::is_lt, value)?,
            Operator::Lte => ordered(operator, Ordering::is_le, value)?,
            Operator::Contains => Test::Contains(value.clone()),
            Operator::StartsWith => Test::StartsWith(string(operator, value)?.to_owned()),
            Operator::EndsWith => Test::EndsWith(string(operator, value)?.to_owned()),
            Operator::Matches => Test::Matches(Regular::compile(string(operator, value)?, budget)?),
            Operator::In => match value {
                Value::Array(items) => Test::In(items.clone()),
                other => return Err(wrong_kind(operator, "an array", other)),
            },
            Operator::Exists => Test::Exists,
        };
        Ok(Self { test, negated: operator == Operator::Neq })
    }

    /// Answers for all values that a field selected.
    pub(crate) fn holds(&self, nodes: &[&Value], fuel: &mut Fuel) -> Result<bool, Exhausted> {
        any(nodes, |node| self.test.holds(node, fuel)).map(|found| found != self.negated)
    }
}

/// Whether one item passes; the first that does, or that cannot be decided, ends the search.
fn any<T>(
    items: &[T],
    mut passes: impl FnMut(&T) -> Result<bool, Exhausted>,
) -> Result<bool, Exhausted> {
    for item in items {
        if passes(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Test {
    fn holds(&self, actual: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        fuel.spend(1)?;
        Ok(match self {
            Self::Equals(value) => exact::equal(actual, value, fuel)?,
            Self::Ordered(accepts, value) => {
                exact::order(actual, value, fuel)?.is_some_and(accepts)
            }
            Self::Contains(value) => contains(actual, value, fuel)?,
            Self::StartsWith(start) => {
                fuel.read(start.len())?;
                actual.as_str().is_some_and(|text| text.starts_with(start))
            }
            Self::EndsWith(end) => {
                fuel.read(end.len())?;
                actual.as_str().is_some_and(|text| text.ends_with(end))
            }
            Self::Matches(regular) => match actual.as_str() {
                Some(text) => regular.is_match(text, fuel)?,
                None => false,
            },
            Self::In(values) => any(values, |value| exact::equal(actual, value, fuel))?,
            Self::Exists => true,
        })
    }
}

fn contains(actual: &Value, value: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
    match (actual, value) {
        (Value::String(text), Value::String(part)) => {
            // Searching makes a table of the part and goes over the text, both at a few bytes per nanosecond at worst.
            fuel.spend((text.len() + part.len()) / 8)?;
            Ok(text.contains(part.as_str()))
        }
        (Value::Object(fields), Value::String(name)) => {
            fuel.read(name.len())?;
            Ok(fields.contains_key(name))
        }
        (Value::Array(items), value) => any(items, |item| exact::equal(item, value, fuel)),
        _ => Ok(false),
    }
}

fn exists(value: Option<&Value>) -> Result<Question, String> {
    let wanted = match value {
        None => true,
        Some(Value::Bool(wanted)) => *wanted,
        Some(other) => return Err(wrong_kind(Operator::Exists, "true or false", other)),
    };
    Ok(Question { test: Test::Exists, negated: !wanted })
}

fn ordered(
    operator: Operator,
    accepts: fn(Ordering) -> bool,
    value: &Value,
) -> Result<Test, String> {
    match value {
        Value::Number(_) | Value::String(_) => Ok(Test::Ordered(accepts, value.clone())),
        other => Err(wrong_kind(operator, "a number or a string", other)),
    }
}

fn string(operator: Operator, value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| wrong_kind(operator, "a string", value))
}

fn wrong_kind(operator: Operator, expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!("`{operator}` needs {expected}, not {found}")
}
