//! A path through the scope, and the sentence that explains why it leads nowhere. That sentence may
//! name fields but must never show a value.

use std::fmt::Write;

use serde_json::Value;

/// Where a path may start.
pub const ROOTS: [&str; 7] = ["event", "payload", "metadata", "input", "actions", "steps", "env"];

/// So many names are listed to somebody who asked for one that is not there.
const NAMES_SHOWN: usize = 10;

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// `.name` or `["name"]`.
    Name(String),
    /// `.0` or `[0]`: the place in an array; in an object, the name as it was written.
    Number { place: usize, written: String },
}

/// A path from a root of the scope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) root: &'static str,
    pub(crate) steps: Vec<Step>,
    /// The path as the author wrote it.
    pub(crate) written: String,
    /// For each step the end of it in `written`; the first entry is the end of the root.
    pub(crate) ends: Vec<usize>,
}

impl Path {
    /// Finds the value, or explains what is missing.
    pub(crate) fn find<'a>(&self, scope: &'a Value) -> Result<&'a Value, String> {
        let Some(mut value) = scope.get(self.root) else {
            return Err(format!("there is no `{}` here: the scope {}", self.root, contents(scope)));
        };
        for (step, ends) in self.steps.iter().zip(self.ends.windows(2)) {
            value = step.take(value).ok_or_else(|| self.missing(value, ends[0], ends[1]))?;
        }
        Ok(value)
    }

    fn missing(&self, parent: &Value, parent_end: usize, end: usize) -> String {
        let (parent_path, path) = (&self.written[..parent_end], &self.written[..end]);
        format!("`{path}` is missing: `{parent_path}` {}", contents(parent))
    }
}

impl Step {
    fn take<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(fields)) => fields.get(name),
            (Self::Number { written, .. }, Value::Object(fields)) => fields.get(written),
            (Self::Number { place, .. }, Value::Array(items)) => items.get(*place),
            _ => None,
        }
    }
}

/// Says what a value offers to a path: the names of its fields or the number of its elements.
fn contents(value: &Value) -> String {
    let fields = match value {
        Value::Null => return "is null".to_owned(),
        Value::Bool(_) => return "is a boolean, which has no fields".to_owned(),
        Value::Number(_) => return "is a number, which has no fields".to_owned(),
        Value::String(_) => return "is a string, which has no fields".to_owned(),
        Value::Array(items) if items.is_empty() => return "is an empty array".to_owned(),
        Value::Array(items) => return format!("is an array of {}, counted from 0", items.len()),
        Value::Object(fields) if fields.is_empty() => return "is an empty object".to_owned(),
        Value::Object(fields) => fields,
    };
    let mut text = "has ".to_owned();
    for (place, name) in fields.keys().take(NAMES_SHOWN).enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        // Writing to a String cannot fail; a name may hold anything, so it is shown escaped.
        let _ = write!(text, "{separator}{}", shown(name));
    }
    if let Some(more @ 1..) = fields.len().checked_sub(NAMES_SHOWN) {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// A field name as a person may see it: control characters escaped, cut at 64 characters.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}
