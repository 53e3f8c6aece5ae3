//! The compiled configuration. It must stay true that everything which can be known without a scope is
//! refused in `compile`, all problems at once, and that `render` fails only for what the scope lacks.

use serde_json::{Map, Value};

use crate::error::{Problem, RenderError, push_token};
use crate::expression::Expression;
use crate::parse::{Part, parts};
use crate::render::Rendering;

/// The text of all template strings of one configuration, in bytes: it is written by people.
pub const TEMPLATE_TEXT_MAX: usize = 64 * 1024;

/// How deep a configuration may nest: its tree is walked recursively.
pub const DEPTH_MAX: usize = 64;

/// How much rendering may add, in bytes of JSON, nearly: one large value may be named many times.
pub const RENDERED_MAX: usize = 4 * 1024 * 1024;

/// A configuration whose strings may hold templates, compiled.
#[derive(Debug, Clone)]
pub struct Template {
    root: Node,
    constant: bool,
}

/// The configuration as a tree, with its templates parsed.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// Anything without a template below it.
    Constant(Value),
    /// A string that is one expression and keeps the type of its value.
    Whole(String, Expression),
    /// A string with expressions in it.
    Text(String, Vec<Part>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Template {
    /// Compiles a configuration.
    ///
    /// # Errors
    ///
    /// Every problem of it, each with a JSON Pointer into the configuration.
    pub fn compile(config: &Value) -> Result<Self, Vec<Problem>> {
        let mut compiler = Compiler { text: 0, problems: Vec::new() };
        let root = compiler.node(config, "", 0);
        if compiler.text > TEMPLATE_TEXT_MAX {
            compiler.problem(
                "",
                format!(
                    "the templates have {} bytes of text, but {TEMPLATE_TEXT_MAX} are the limit",
                    compiler.text
                ),
            );
        }
        if !compiler.problems.is_empty() {
            return Err(compiler.problems);
        }
        let constant = matches!(root, Node::Constant(_));
        Ok(Self { root, constant })
    }

    /// Puts values of the scope in the places of the templates.
    ///
    /// The scope is an object with the roots as its fields; a root that the caller cannot offer is left out.
    ///
    /// # Errors
    ///
    /// The first path that leads nowhere and has no default, or a result of more than [`RENDERED_MAX`].
    pub fn render(&self, scope: &Value) -> Result<Value, RenderError> {
        Rendering::new(scope).node(&self.root)
    }

    /// Whether there is no template in it, so that rendering gives the configuration itself.
    pub fn is_constant(&self) -> bool {
        self.constant
    }
}

/// Walks a configuration and collects what is wrong.
struct Compiler {
    text: usize,
    problems: Vec<Problem>,
}

impl Compiler {
    fn problem(&mut self, pointer: &str, message: String) {
        self.problems.push(Problem { pointer: pointer.to_owned(), message });
    }

    fn node(&mut self, config: &Value, pointer: &str, depth: usize) -> Node {
        if depth > DEPTH_MAX {
            self.problem(pointer, format!("the configuration is nested deeper than {DEPTH_MAX}"));
            return Node::Constant(Value::Null);
        }
        match config {
            Value::String(text) => self.string(text, pointer),
            Value::Array(items) => {
                let below = items.iter().enumerate();
                let nodes = below.map(|(place, item)| {
                    self.node(item, &push_token(pointer, &place.to_string()), depth + 1)
                });
                folded_array(nodes.collect())
            }
            Value::Object(fields) => {
                let nodes = fields.iter().map(|(name, field)| {
                    (name.clone(), self.node(field, &push_token(pointer, name), depth + 1))
                });
                folded_object(nodes.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Node::Constant(config.clone()),
        }
    }

    fn string(&mut self, text: &str, pointer: &str) -> Node {
        match parts(text) {
            Ok(None) => Node::Constant(Value::String(text.to_owned())),
            Ok(Some(mut parts)) => {
                self.text += text.len();
                match (parts.len(), parts.pop()) {
                    (1, Some(Part::Expression(whole))) => Node::Whole(pointer.to_owned(), whole),
                    (_, last) => {
                        parts.extend(last);
                        Node::Text(pointer.to_owned(), parts)
                    }
                }
            }
            Err(message) => {
                self.problem(pointer, message);
                Node::Constant(Value::Null)
            }
        }
    }
}

/// An array of constants is a constant.
fn folded_array(nodes: Vec<Node>) -> Node {
    if !nodes.iter().all(|node| matches!(node, Node::Constant(_))) {
        return Node::Array(nodes);
    }
    let constants = nodes.into_iter().filter_map(|node| match node {
        Node::Constant(value) => Some(value),
        _ => None,
    });
    Node::Constant(Value::Array(constants.collect()))
}

/// An object of constants is a constant.
fn folded_object(nodes: Vec<(String, Node)>) -> Node {
    if !nodes.iter().all(|(_, node)| matches!(node, Node::Constant(_))) {
        return Node::Object(nodes);
    }
    let constants = nodes.into_iter().filter_map(|(name, node)| match node {
        Node::Constant(value) => Some((name, value)),
        _ => None,
    });
    Node::Constant(Value::Object(constants.collect::<Map<_, _>>()))
}
