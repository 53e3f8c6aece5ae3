//! What stands between `{{` and `}}`: a start (a path or a text) and the filters applied to it in order.

use std::borrow::Cow;

use serde_json::Value;

use crate::path::Path;

/// Where an expression takes its value from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Start {
    Path(Path),
    /// A text literal, the way to write braces.
    Text(Value),
}

/// One filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    /// `default(literal)`: this value, if there is none.
    Default(Value),
    /// `json`: compact JSON text.
    Json,
}

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) start: Start,
    pub(crate) filters: Vec<Filter>,
}

impl Expression {
    /// Finds the value, or explains what is missing.
    pub(crate) fn evaluate<'a>(&'a self, scope: &'a Value) -> Result<Cow<'a, Value>, String> {
        let mut found = match &self.start {
            Start::Path(path) => path.find(scope).map(Cow::Borrowed),
            Start::Text(text) => Ok(Cow::Borrowed(text)),
        };
        for filter in &self.filters {
            found = match (filter, found) {
                (Filter::Default(value), Err(_)) => Ok(Cow::Borrowed(value)),
                (Filter::Json, Ok(value)) => Ok(Cow::Owned(Value::String(value.to_string()))),
                (Filter::Default(_), Ok(value)) => Ok(value),
                (Filter::Json, Err(missing)) => Err(missing),
            };
        }
        found
    }

    /// The path as it was written; empty for a text.
    pub(crate) fn written(&self) -> &str {
        match &self.start {
            Start::Path(path) => &path.written,
            Start::Text(_) => "",
        }
    }
}
