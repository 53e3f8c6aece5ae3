//! Event patterns: the language of EventBridge and what Omni adds to it. It must stay true that the names of EventBridge
//! mean what they mean there; what is new has a new name.

mod alternatives;
mod anything_but;
mod compile;
mod dollar;
mod operators;
mod ranges;
mod ways;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::{
    compile::{and_members, or_members},
    dollar::is_operators,
};
use crate::{filter::Branch, limits, problem::Problem, regular::Budget};

/// An event pattern as its author writes it: names of fields, each with a list of what its value may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(pub Value);

impl Pattern {
    /// The conjunctions of which one must hold. Regular expressions are paid for by the budget.
    ///
    /// # Errors
    ///
    /// Every problem, with a JSON Pointer into the pattern.
    pub(crate) fn branches(&self, budget: &mut Budget) -> Result<Vec<Branch>, Vec<Problem>> {
        limits::measure(self).map_err(|problem| vec![problem])?;
        let branches = compile::compile(&self.0, budget)?;
        limits::check_steps(&branches).map_err(|problem| vec![problem])?;
        Ok(branches)
    }
}

/// The problems of one pattern, while it is compiled.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    /// Notes what is wrong, and answers with nothing in place of what should have been compiled.
    fn add<T>(&mut self, pointer: &str, message: impl Into<String>) -> Option<T> {
        if self.0.len() < limits::PROBLEMS_MAX {
            self.0.push(Problem { pointer: pointer.to_owned(), message: message.into() });
        }
        None
    }
}

/// The pointer to a member of what is at a pointer.
fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
