//! What a condition asks of one value, compiled. Each operator asks about single values; `neq` and
//! `exists: false` are the negations of `eq` and `exists` over all selected values.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::condition::Operator;
use crate::exact;

/// The longest regular expression, in bytes.
pub const REGEX_LENGTH_MAX: usize = 1024;

/// The memory of one compiled regular expression: more than a sensible one needs, and little enough
/// that repetition of repetition is refused within milliseconds.
const REGEX_SIZE_MAX: usize = 2 * 1024 * 1024;

/// How deep a regular expression may nest: its parser keeps a stack of it.
const REGEX_NESTING_MAX: u32 = 32;

/// The question to one value.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Equals(Value),
    Ordered(fn(Ordering) -> bool, Value),
    Contains(Value),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
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
    pub(crate) fn compile(operator: Operator, value: Option<&Value>) -> Result<Self, String> {
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
            Operator::Matches => Test::Matches(compile_regex(string(operator, value)?)?),
            Operator::In => match value {
                Value::Array(items) => Test::In(items.clone()),
                other => return Err(wrong_kind(operator, "an array", other)),
            },
            Operator::Exists => Test::Exists,
        };
        Ok(Self { test, negated: operator == Operator::Neq })
    }

    /// Answers for all values that a field selected.
    pub(crate) fn holds(&self, nodes: &[&Value]) -> bool {
        nodes.iter().any(|node| self.test.holds(node)) != self.negated
    }
}

impl Test {
    fn holds(&self, actual: &Value) -> bool {
        match self {
            Self::Equals(value) => exact::equal(actual, value),
            Self::Ordered(accepts, value) => exact::order(actual, value).is_some_and(accepts),
            Self::Contains(value) => contains(actual, value),
            Self::StartsWith(start) => actual.as_str().is_some_and(|text| text.starts_with(start)),
            Self::EndsWith(end) => actual.as_str().is_some_and(|text| text.ends_with(end)),
            Self::Matches(regex) => actual.as_str().is_some_and(|text| regex.is_match(text)),
            Self::In(values) => values.iter().any(|value| exact::equal(actual, value)),
            Self::Exists => true,
        }
    }
}

fn contains(actual: &Value, value: &Value) -> bool {
    match (actual, value) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Object(fields), Value::String(name)) => fields.contains_key(name),
        (Value::Array(items), value) => items.iter().any(|item| exact::equal(item, value)),
        _ => false,
    }
}

/// Compiles a regular expression within the limits; shared with the functions of JSONPath.
pub(crate) fn compile_regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > REGEX_LENGTH_MAX {
        return Err(format!(
            "the regular expression has {} bytes, but {REGEX_LENGTH_MAX} are the limit",
            pattern.len()
        ));
    }
    RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE_MAX)
        .nest_limit(REGEX_NESTING_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "the regular expression would take too much memory: repeat less, or write [a-z0-9_] where \\w (all letters of Unicode) is not meant"
                    .to_owned()
            }
            // The last of the lines says what; those before draw the pattern.
            other => {
                let text = other.to_string();
                let what = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("the regular expression is not valid: {what}")
            }
        })
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
