//! Where a condition looks: a dotted path or a JSONPath. It must stay true that an author's text is
//! measured, in length and nesting, before any parser sees it.

use serde_json::Value;

use crate::conditions::jsonpath::JsonPath;
use crate::fuel::{Exhausted, Fuel};
use crate::regular::Budget;

/// The longest field, in bytes.
pub const FIELD_LENGTH_MAX: usize = 4 * 1024;

/// How deep brackets and parentheses of a JSONPath may nest, because its parser is recursive.
pub const FIELD_NESTING_MAX: usize = 32;

/// Steps of a dotted path: no accepted event is nested deeper than 127.
const STEPS_MAX: usize = 128;

/// A compiled field.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    Dotted(Vec<Step>),
    JsonPath(Box<JsonPath>),
}

/// One step of a dotted path.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    name: String,
    /// The place in an array, when the name is a number as JSON writes it.
    place: Option<usize>,
}

/// The values that a field selected from one document.
#[derive(Debug)]
pub(crate) enum Selected<'a> {
    One(Option<&'a Value>),
    Many(Vec<&'a Value>),
}

impl<'a> Selected<'a> {
    pub(crate) fn nodes(&self) -> &[&'a Value] {
        match self {
            Self::One(node) => node.as_slice(),
            Self::Many(nodes) => nodes,
        }
    }
}

impl Field {
    pub(crate) fn compile(text: &str, budget: &mut Budget) -> Result<Self, String> {
        if text.len() > FIELD_LENGTH_MAX {
            return Err(format!(
                "the field has {} bytes, but {FIELD_LENGTH_MAX} are the limit",
                text.len()
            ));
        }
        // Explanations show the field, and not every database and terminal takes such characters.
        if text.contains(|c: char| c.is_control() && !c.is_ascii_whitespace()) {
            return Err(format!(
                "the field {text:?} has a control character; in JSONPath it is written \\uXXXX"
            ));
        }
        if text.starts_with('$') {
            return JsonPath::compile(text, budget).map(|path| Self::JsonPath(Box::new(path)));
        }
        if text.is_empty() {
            return Err("the field is empty; name one, such as payload.from.id".to_owned());
        }
        if text.trim() != text {
            return Err(format!("the field {text:?} has spaces around it; take them away"));
        }
        if text.contains(['[', ']']) {
            return Err(format!(
                "a dotted path has no brackets: write a number as a step (items.0) or begin with `$.` for JSONPath ($.{text})"
            ));
        }
        let steps: Vec<Step> = text.split('.').map(Step::new).collect();
        if steps.iter().any(|step| step.name.is_empty()) {
            return Err(format!("`{text}` has an empty step: remove the extra dot"));
        }
        if steps.len() > STEPS_MAX {
            return Err(format!(
                "the path has {} steps, but {STEPS_MAX} are the limit",
                steps.len()
            ));
        }
        Ok(Self::Dotted(steps))
    }

    pub(crate) fn select<'a>(
        &'a self,
        document: &'a Value,
        fuel: &mut Fuel,
    ) -> Result<Selected<'a>, Exhausted> {
        match self {
            Self::Dotted(steps) => {
                fuel.spend(steps.len())?;
                let found = steps.iter().try_fold(document, |value, step| step.take(value));
                Ok(Selected::One(found))
            }
            Self::JsonPath(path) => path.select(document, fuel).map(Selected::Many),
        }
    }
}

impl Step {
    fn new(name: &str) -> Self {
        let plain = name.bytes().all(|byte| byte.is_ascii_digit())
            && (name == "0" || !name.starts_with('0'));
        let place = if plain { name.parse().ok() } else { None };
        Self { name: name.to_owned(), place }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may be a place in an array.
    pub(crate) fn is_place(&self) -> bool {
        self.place.is_some()
    }

    fn take<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match value {
            Value::Object(fields) => fields.get(&self.name),
            Value::Array(items) => items.get(self.place?),
            _ => None,
        }
    }
}
