//! What a condition asks of one value, compiled. Each operator asks about single values; `neq` and
//! `exists: false` are the negations of `eq` and `exists` over all selected values.

use std::cmp::Ordering;

use serde_json::Value;

use crate::conditions::condition::Operator;
use crate::exact;
use crate::fuel::{Exhausted, Fuel};
use crate::predicate::Scalar;
use crate::regular::{Budget, Regular};

/// Bytes of JSON that are read in one step.
const PARSED_PER_STEP: usize = 4;

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

/// What the field of a condition is in the bytes of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    Absent,
    Scalar(Scalar<'a>),
    /// An array or object, as JSON text.
    Container(&'a [u8]),
}

impl Question {
    /// The same answer as [`Question::holds`], from bytes; of scalar values nothing is copied.
    pub(crate) fn holds_for(&self, seen: Seen<'_>, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        let passes = match seen {
            Seen::Absent => false,
            Seen::Scalar(Scalar::Null) => self.test.holds(&Value::Null, fuel)?,
            Seen::Scalar(Scalar::Bool(value)) => self.test.holds(&Value::Bool(value), fuel)?,
            Seen::Scalar(Scalar::Text(text)) => match str::from_utf8(text) {
                Ok(text) => self.test.holds_for_text(text, fuel)?,
                Err(_) => return Ok(false),
            },
            Seen::Scalar(Scalar::Number(json)) | Seen::Container(json) => {
                fuel.spend(json.len() / PARSED_PER_STEP)?;
                // What is no JSON for serde_json is refused before it is an event.
                let Ok(value) = serde_json::from_slice(json) else { return Ok(false) };
                self.test.holds(&value, fuel)?
            }
        };
        Ok(passes != self.negated)
    }

    /// Whether an array or object can make a difference to a field that is absent.
    pub(crate) fn concerns_containers(&self) -> bool {
        match &self.test {
            Test::Equals(value) => value.is_array() || value.is_object(),
            Test::In(values) => values.iter().any(|v| v.is_array() || v.is_object()),
            Test::Contains(_) | Test::Exists => true,
            Test::Ordered(..) | Test::StartsWith(_) | Test::EndsWith(_) | Test::Matches(_) => false,
        }
    }

    /// The test that some value has to pass for this to hold; none if it may hold without a value.
    pub(crate) fn wants(&self) -> Option<&Test> {
        (!self.negated).then_some(&self.test)
    }
}

impl Test {
    fn holds(&self, actual: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        if let Value::String(text) = actual {
            return self.holds_for_text(text, fuel);
        }
        fuel.spend(1)?;
        Ok(match self {
            Self::Equals(value) => exact::equal(actual, value, fuel)?,
            Self::Ordered(accepts, value) => {
                exact::order(actual, value, fuel)?.is_some_and(accepts)
            }
            Self::Contains(value) => contains(actual, value, fuel)?,
            Self::StartsWith(_) | Self::EndsWith(_) | Self::Matches(_) => false,
            Self::In(values) => any(values, |value| exact::equal(actual, value, fuel))?,
            Self::Exists => true,
        })
    }

    fn holds_for_text(&self, actual: &str, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        fuel.spend(1)?;
        Ok(match self {
            Self::Equals(value) => same_text(actual, value, fuel)?,
            Self::Ordered(accepts, Value::String(text)) => {
                fuel.spend(1)?;
                fuel.read(actual.len().min(text.len()))?;
                // UTF-8 sorts as its code points do.
                accepts(actual.cmp(text))
            }
            Self::Contains(Value::String(part)) => {
                // Searching makes a table of the part and goes over the text, both at a few bytes per nanosecond at worst.
                fuel.spend((actual.len() + part.len()) / 8)?;
                actual.contains(part.as_str())
            }
            Self::Ordered(..) | Self::Contains(_) => false,
            Self::StartsWith(start) => {
                fuel.read(start.len())?;
                actual.starts_with(start)
            }
            Self::EndsWith(end) => {
                fuel.read(end.len())?;
                actual.ends_with(end)
            }
            Self::Matches(regular) => regular.is_match(actual.as_bytes(), fuel)?,
            Self::In(values) => any(values, |value| same_text(actual, value, fuel))?,
            Self::Exists => true,
        })
    }
}

fn same_text(actual: &str, value: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
    fuel.spend(1)?;
    match value {
        Value::String(text) if text.len() == actual.len() => {
            fuel.read(text.len())?;
            Ok(text == actual)
        }
        _ => Ok(false),
    }
}

fn contains(actual: &Value, value: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
    match (actual, value) {
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
