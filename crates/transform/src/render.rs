//! Rendering: the tree of a template with the values of one scope. It must stay true that the memory
//! taken is bounded by the limit before it is taken, and that no value is parsed again.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::error::RenderError;
use crate::expression::Expression;
use crate::parse::Part;
use crate::template::{Node, RENDERED_MAX};

/// One rendering in progress.
pub(crate) struct Rendering<'a> {
    scope: &'a Value,
    /// How many bytes may still be added.
    left: usize,
}

impl<'a> Rendering<'a> {
    pub(crate) fn new(scope: &'a Value) -> Self {
        Self { scope, left: RENDERED_MAX }
    }

    pub(crate) fn node(&mut self, node: &Node) -> Result<Value, RenderError> {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Whole(pointer, expression) => {
                let value = find(expression, self.scope, pointer)?;
                self.spend(weight(&value), pointer)?;
                Ok(value.into_owned())
            }
            Node::Text(pointer, parts) => self.text(pointer, parts).map(Value::String),
            Node::Array(nodes) => {
                nodes.iter().map(|node| self.node(node)).collect::<Result<_, _>>().map(Value::Array)
            }
            Node::Object(nodes) => {
                let fields = nodes.iter().map(|(name, node)| Ok((name.clone(), self.node(node)?)));
                fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }

    fn text(&mut self, pointer: &str, parts: &[Part]) -> Result<String, RenderError> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Expression(expression) => {
                    let value = find(expression, self.scope, pointer)?;
                    self.spend(weight(&value), pointer)?;
                    match value.as_str() {
                        Some(string) => text.push_str(string),
                        None => text.push_str(&value.to_string()),
                    }
                }
            }
        }
        Ok(text)
    }

    fn spend(&mut self, weight: usize, pointer: &str) -> Result<(), RenderError> {
        match self.left.checked_sub(weight) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(RenderError {
                pointer: pointer.to_owned(),
                path: String::new(),
                message: format!(
                    "the rendered values have more than {RENDERED_MAX} bytes: name smaller parts of the event"
                ),
            }),
        }
    }
}

fn find<'a>(
    expression: &'a Expression,
    scope: &'a Value,
    pointer: &str,
) -> Result<std::borrow::Cow<'a, Value>, RenderError> {
    expression.evaluate(scope).map_err(|message| RenderError {
        pointer: pointer.to_owned(),
        path: expression.written().to_owned(),
        message: format!("{message}; `| default(…)` would stand in for it"),
    })
}

/// The size of a value as compact JSON.
fn weight(value: &Value) -> usize {
    let mut counter = Counter(0);
    // Only a map with keys that are no strings fails, and a `Value` has none.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Counts what is written to it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
