//! The compiled configuration. It must stay true that everything which can be known without a scope is
//! refused in `compile`, all problems at once, and that `render` fails only for what the scope lacks.

use serde_json::{Map, Value};

use crate::error::{Problem, RenderError, head, push_token};
use crate::expression::Expression;
use crate::parse::{Part, has_template, parts};
use crate::path::ROOTS;
use crate::render::Rendering;

/// The text of all template strings of one configuration, in bytes: it is written by people.
pub const TEMPLATE_TEXT_MAX: usize = 64 * 1024;

/// How deep a configuration may nest: its tree is walked recursively.
pub const DEPTH_MAX: usize = 64;

/// How much rendering may add, in bytes of JSON, nearly: one large value may be named many times.
pub const RENDERED_MAX: usize = 4 * 1024 * 1024;

/// The longest pointer to a template, in bytes: each template keeps its own, and each error shows one.
const POINTER_MAX: usize = 1024;

/// So many problems are told at once; whoever has more repeats himself.
const PROBLEMS_MAX: usize = 20;

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
    /// The problems of it, twenty at most, each with a JSON Pointer into the configuration.
    pub fn compile(config: &Value) -> Result<Self, Vec<Problem>> {
        Self::compile_in(config, &ROOTS)
    }

    /// Compiles a configuration whose paths start elsewhere than those of an automation.
    ///
    /// # Errors
    ///
    /// The problems of it, twenty at most, each with a JSON Pointer into the configuration.
    pub fn compile_in(
        config: &Value,
        roots: &'static [&'static str],
    ) -> Result<Self, Vec<Problem>> {
        let mut compiler =
            Compiler { roots, text: 0, pointer: String::new(), problems: Vec::new() };
        let root = compiler.node(config, 0);
        if compiler.text > TEMPLATE_TEXT_MAX {
            let message = format!(
                "the templates have more than {TEMPLATE_TEXT_MAX} bytes of text, which is the limit"
            );
            compiler.problems = vec![Problem { pointer: String::new(), message }];
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

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// Whether there is no template in it, so that rendering gives the configuration itself.
    pub fn is_constant(&self) -> bool {
        self.constant
    }
}

/// Walks a configuration and collects what is wrong. The pointer is one text that grows and shrinks on the way: a copy
/// for every value would let a long name above many values take all memory.
struct Compiler {
    roots: &'static [&'static str],
    text: usize,
    pointer: String,
    problems: Vec<Problem>,
}

impl Compiler {
    fn problem(&mut self, message: String) -> Node {
        self.problems
            .push(Problem { pointer: head(&self.pointer, POINTER_MAX).to_owned(), message });
        Node::Constant(Value::Null)
    }

    /// Whether nothing of what follows can make a difference.
    fn is_decided(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX || self.text > TEMPLATE_TEXT_MAX
    }

    fn node(&mut self, config: &Value, depth: usize) -> Node {
        if self.is_decided() {
            return Node::Constant(Value::Null);
        }
        if depth > DEPTH_MAX {
            return self.problem(format!("the configuration is nested deeper than {DEPTH_MAX}"));
        }
        match config {
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                let below = items.iter().enumerate();
                folded_array(
                    below
                        .map(|(place, item)| self.below(&place.to_string(), item, depth))
                        .collect(),
                )
            }
            Value::Object(fields) => {
                let nodes = fields
                    .iter()
                    .map(|(name, field)| (name.clone(), self.below(name, field, depth)));
                folded_object(nodes.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Node::Constant(config.clone()),
        }
    }

    fn below(&mut self, token: &str, config: &Value, depth: usize) -> Node {
        let here = self.pointer.len();
        push_token(&mut self.pointer, token);
        let node = self.node(config, depth + 1);
        self.pointer.truncate(here);
        node
    }

    fn string(&mut self, text: &str) -> Node {
        if !has_template(text) {
            return Node::Constant(Value::String(text.to_owned()));
        }
        self.text += text.len();
        if self.text > TEMPLATE_TEXT_MAX {
            return Node::Constant(Value::Null);
        }
        if self.pointer.len() > POINTER_MAX {
            return self.problem(format!(
                "the names that lead to this template have more than {POINTER_MAX} bytes"
            ));
        }
        match parts(text, self.roots) {
            Ok(mut parts) => match (parts.len(), parts.pop()) {
                (1, Some(Part::Expression(whole))) => Node::Whole(self.pointer.clone(), whole),
                (_, last) => {
                    parts.extend(last);
                    Node::Text(self.pointer.clone(), parts)
                }
            },
            Err(message) => self.problem(message),
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
