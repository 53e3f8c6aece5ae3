//! A list of conditions, compiled once and asked often. It must stay true that `evaluate` and `explain`
//! give the same answer, since people debug with one what the engine does with the other.

pub(crate) mod condition;
pub(crate) mod field;
mod jsonpath;
pub(crate) mod question;
pub(crate) mod reads;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conditions::condition::{Condition, Operator, present};
use crate::conditions::field::{Field, Selected, Step};
use crate::conditions::question::Question;
use crate::fuel::{Exhausted, Fuel};
use crate::problem::Problem;
use crate::regular::Budget;

/// The longest list of conditions: a longer one is a table, and belongs into one `in`.
pub const CONDITIONS_MAX: usize = 100;

/// What an explanation shows of one value, in bytes, nearly; larger ones are described.
const SHOWN_MAX: usize = 1024;

/// So much of a long string is shown, in characters.
const TEXT_SHOWN_MAX: usize = 200;

/// So many of the values that a JSONPath selected are shown.
pub(crate) const NODES_SHOWN_MAX: usize = 16;

/// Compiled conditions; all must hold. An empty list always holds.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    compiled: Vec<Arc<Compiled>>,
}

/// One condition, in its form as written and in that which is asked.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) condition: Condition,
    field: Field,
    pub(crate) question: Question,
}

/// What one condition saw and said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leaf {
    /// The place in the list, from 0.
    pub index: usize,
    /// The field as written.
    pub field: String,
    /// The operator.
    pub operator: Operator,
    /// The value of the condition; for `exists` without one, true.
    pub expected: Value,
    /// What the field was: left out when absent, null when null, an array when a JSONPath selected several.
    /// A long string is cut; a large array or object is described in words.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// Whether the condition holds.
    pub matched: bool,
    /// Why the condition could not be decided, and therefore does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Conditions {
    /// Compiles a list of conditions.
    ///
    /// # Errors
    ///
    /// Every problem of the list, each with a JSON Pointer into it.
    pub fn compile(list: &[Condition]) -> Result<Self, Vec<Problem>> {
        Self::compile_within(list, &mut Budget::new())
    }

    /// The same with what other regular expressions of the rule have left.
    pub(crate) fn compile_within(
        list: &[Condition],
        budget: &mut Budget,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if list.len() > CONDITIONS_MAX {
            let message =
                format!("there are {} conditions, but {CONDITIONS_MAX} are the limit", list.len());
            return Err(vec![Problem { pointer: String::new(), message }]);
        }
        let mut compiled = Vec::with_capacity(list.len());
        for (index, condition) in list.iter().enumerate() {
            let problem = |part: &str, message: String| Problem {
                pointer: format!("/{index}/{part}"),
                message,
            };
            let field = Field::compile(&condition.field, budget)
                .map_err(|message| problem("field", message));
            let question = Question::compile(condition.operator, condition.value.as_ref(), budget)
                .map_err(|message| problem("value", message));
            match (field, question) {
                (Ok(field), Ok(question)) => {
                    let condition = condition.clone();
                    compiled.push(Arc::new(Compiled { condition, field, question }));
                }
                (field, question) => {
                    problems.extend([field.err(), question.err()].into_iter().flatten());
                }
            }
        }
        if problems.is_empty() { Ok(Self { compiled }) } else { Err(problems) }
    }

    /// Whether all conditions hold for the document; stops at the first that does not.
    pub fn evaluate(&self, document: &Value) -> bool {
        self.hold(document, &mut Fuel::new())
    }

    fn hold(&self, document: &Value, fuel: &mut Fuel) -> bool {
        // What cannot be decided does not hold, whatever the operator.
        self.compiled
            .iter()
            .all(|compiled| compiled.ask(document, fuel).is_ok_and(|(_, holds)| holds))
    }

    /// Those that an index can ask, see [`Compiled::names`].
    pub(crate) fn indexed(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.compiled.iter().filter(|compiled| compiled.names().is_some())
    }

    /// Whether there are others.
    pub(crate) fn has_rest(&self) -> bool {
        self.compiled.iter().any(|compiled| compiled.names().is_none())
    }

    /// Whether those others hold.
    pub(crate) fn rest_holds(&self, document: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        for compiled in self.compiled.iter().filter(|compiled| compiled.names().is_none()) {
            if !compiled.ask(document, fuel)?.1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says for each condition what it saw and whether it holds; asks all of them.
    pub fn explain(&self, document: &Value) -> Vec<Leaf> {
        let mut fuel = Fuel::new();
        let leaves = self.compiled.iter().enumerate();
        leaves.map(|(index, compiled)| compiled.explain(index, document, &mut fuel)).collect()
    }

    /// The conditions as their author wrote them.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Condition> {
        self.compiled.iter().map(|compiled| &compiled.condition)
    }

    /// How many conditions there are.
    pub(crate) fn len(&self) -> usize {
        self.compiled.len()
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }
}

impl Compiled {
    /// The names that lead to the field, if it can only be a value that lies in no array: then the reader of the index finds
    /// it, too.
    pub(crate) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match &self.field {
            Field::Dotted(steps) if !steps.iter().any(Step::is_place) => {
                Some(steps.iter().map(Step::name))
            }
            _ => None,
        }
    }

    /// What the field selects, and whether the condition holds for it.
    fn ask<'a>(
        &'a self,
        document: &'a Value,
        fuel: &mut Fuel,
    ) -> Result<(Selected<'a>, bool), Exhausted> {
        let found = self.field.select(document, fuel)?;
        let holds = self.question.holds(found.nodes(), fuel)?;
        Ok((found, holds))
    }

    fn explain(&self, index: usize, document: &Value, fuel: &mut Fuel) -> Leaf {
        let (actual, matched, error) = match self.ask(document, fuel) {
            Ok((found, holds)) => (seen(&found), holds, None),
            Err(exhausted) => (None, false, Some(exhausted.to_string())),
        };
        Leaf {
            index,
            field: self.condition.field.clone(),
            operator: self.condition.operator,
            expected: self.condition.value.clone().unwrap_or(Value::Bool(true)),
            actual,
            matched,
            error,
        }
    }
}

/// What was selected, as a person wants to see it.
fn seen(found: &Selected<'_>) -> Option<Value> {
    match found.nodes() {
        [] => None,
        [one] => Some(shown(one)),
        many => {
            Some(Value::Array(many.iter().take(NODES_SHOWN_MAX).map(|node| shown(node)).collect()))
        }
    }
}

/// A value as an explanation shows it: whole when it is small.
pub(crate) fn shown(value: &Value) -> Value {
    if fits(value, &mut { SHOWN_MAX }) {
        return value.clone();
    }
    Value::String(match value {
        Value::String(text) => {
            let start: String = text.chars().take(TEXT_SHOWN_MAX).collect();
            format!("{start}… ({} characters)", text.chars().count())
        }
        Value::Array(items) => format!("(an array of {})", items.len()),
        Value::Object(fields) => format!("(an object with {} fields)", fields.len()),
        small => small.to_string(),
    })
}

/// Whether a value is small; looks at no more of it than that takes.
fn fits(value: &Value, left: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len() + 2,
        _ => 4,
    };
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, left)),
        Value::Object(fields) => fields.iter().all(|(name, field)| {
            let Some(rest) = left.checked_sub(name.len() + 3) else { return false };
            *left = rest;
            fits(field, left)
        }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_miss_ends_the_evaluation() {
        let miss = json!({ "field": "payload.kind", "operator": "eq", "value": "other" });
        let costly = json!({ "field": "$.payload.items[*]", "operator": "eq", "value": 7 });
        let document = json!({ "payload": { "kind": "order", "items": vec![1; 10_000] } });
        let left = |list: [&Value; 2]| {
            let list: Vec<Condition> =
                list.into_iter().map(|c| serde_json::from_value(c.clone()).unwrap()).collect();
            let mut fuel = Fuel::new();
            assert!(!Conditions::compile(&list).unwrap().hold(&document, &mut fuel));
            fuel.left()
        };
        let (cheap, dear) = (left([&miss, &costly]), left([&costly, &miss]));
        assert!(cheap > dear + 9_000, "{cheap} steps are left after a miss, {dear} after a walk");
    }
}
