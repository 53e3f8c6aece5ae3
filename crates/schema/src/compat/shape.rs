//! Which names the schemas that judge one value declare together.
//!
//! A value can be described in several places at once: in branches of `allOf`, next to a reference, under `then`. Closing
//! each place would leave nothing, so all of them count as one. It must stay true that a shape never leaves out a name
//! that one of them declares, and that it says nothing about types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    document::{reference_to, resolve},
    keywords::{self, Node, Role, is_open, list, named},
    policy::{demanded, is_closable},
};

/// Most schemas that judge one value, and most shapes; beyond, a value is left open.
const SHAPES_MAX: usize = 400;

/// The shapes of one schema, by the schemas that each is made of.
pub(super) struct Shapes<'a> {
    root: &'a Value,
    made: BTreeMap<BTreeSet<usize>, Option<String>>,
    definitions: BTreeMap<String, Value>,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, made: BTreeMap::new(), definitions: BTreeMap::new() }
    }

    pub(super) fn into_definitions(self) -> BTreeMap<String, Value> {
        self.definitions
    }

    /// The name of the shape of what a node and the schemas beside it declare; nothing where it would say nothing.
    pub(super) fn of_node(&mut self, node: &Node, root: &Value) -> Option<String> {
        let mut judges = Vec::new();
        gather(root, node, &mut judges);
        self.of_judges(judges, root)
    }

    fn of_judges(&mut self, judges: Vec<&Node>, root: &Value) -> Option<String> {
        let key: BTreeSet<usize> =
            judges.iter().map(|node| std::ptr::from_ref(*node).addr()).collect();
        if let Some(name) = self.made.get(&key) {
            return name.clone();
        }
        if self.made.len() >= SHAPES_MAX || judges.len() >= SHAPES_MAX {
            return None;
        }
        let name = format!("shape!{}", self.made.len());
        self.made.insert(key.clone(), Some(name.clone()));
        let shape = self.shape(&judges, root);
        if is_open(&shape) {
            // A shape that was referred to while it was made stays, and lets everything through.
            self.made.insert(key, None);
        }
        self.definitions.insert(name.clone(), shape.clone());
        (!is_open(&shape)).then_some(name)
    }

    fn shape(&mut self, judges: &[&Node], root: &Value) -> Value {
        let mut shape = Node::new();
        let items = ["items", "prefixItems", "contains", "unevaluatedItems"];
        let elements = children(judges, |keyword, _| items.contains(&keyword));
        if let Some(name) = self.of_children(&elements, root) {
            shape.insert("items".to_owned(), reference_to(&name));
        }
        let names: BTreeSet<String> = judges
            .iter()
            .flat_map(|node| {
                named(node, "properties").map(|(name, _)| name.clone()).chain(demanded(node))
            })
            .collect();
        let mut properties = Node::new();
        for name in names {
            // Which names a pattern takes is not looked at: all patterns count for every name, so none is left out.
            let child = children(judges, |keyword, key| match keyword {
                "properties" => key == Some(&name),
                "patternProperties" | "additionalProperties" | "unevaluatedProperties" => true,
                _ => false,
            });
            let inner = self
                .of_children(&child, root)
                .map_or(Value::Bool(true), |name| reference_to(&name));
            properties.insert(name, inner);
        }
        let patterns: Node = judges
            .iter()
            .flat_map(|node| named(node, "patternProperties"))
            .map(|(pattern, _)| (pattern.clone(), Value::Bool(true)))
            .collect();
        let declares = !properties.is_empty() || !patterns.is_empty();
        let says_the_rest = judges.iter().any(|node| {
            ["additionalProperties", "unevaluatedProperties"].iter().any(|keyword| {
                node.get(*keyword).is_some_and(|rest| rest.is_object() && !is_open(rest))
            })
        });
        if declares {
            shape.insert("properties".to_owned(), Value::Object(properties));
            if !says_the_rest && !judges.iter().any(|node| has_free_branch(root, node)) {
                shape.insert("patternProperties".to_owned(), Value::Object(patterns));
                shape.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        let says_something = shape.contains_key("items")
            || shape.contains_key("additionalProperties")
            || named(&shape, "properties").any(|(_, inner)| !is_open(inner));
        if says_something { Value::Object(shape) } else { Value::Bool(true) }
    }

    fn of_children(&mut self, children: &[&Value], root: &Value) -> Option<String> {
        let mut judges = Vec::new();
        for child in children {
            if let Value::Object(node) = child {
                gather(root, node, &mut judges);
            }
        }
        if judges.is_empty() {
            return None;
        }
        self.of_judges(judges, root)
    }

    /// Whether a value of this union is declared by one branch alone: because of `oneOf`, because only one branch takes
    /// objects, or because a property tells the branches apart.
    pub(super) fn separate(&self, keyword: &str, branches: &[Value]) -> bool {
        if keyword == "oneOf" {
            return true;
        }
        let objects: Vec<&Node> =
            branches.iter().filter_map(|branch| self.object(branch)).collect();
        if objects.len() <= 1 {
            return branches.iter().filter(|branch| self.takes_containers(branch)).count() <= 1;
        }
        branches.len() == objects.len() && tagged(&objects)
    }

    fn target<'s>(&'s self, branch: &'s Value) -> &'s Value {
        let reference = branch.get("$ref").and_then(Value::as_str);
        reference.and_then(|reference| resolve(self.root, reference)).unwrap_or(branch)
    }

    fn object<'s>(&'s self, branch: &'s Value) -> Option<&'s Node> {
        let node = self.target(branch).as_object()?;
        (node.get("type").is_some_and(|kind| kind == "object")).then_some(node)
    }

    fn takes_containers(&self, branch: &Value) -> bool {
        let Some(node) = self.target(branch).as_object() else {
            return branch != &Value::Bool(false);
        };
        let takes = |kind: &Value| kind == "object" || kind == "array";
        match node.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().any(takes),
            Some(kind) => takes(kind),
            None => !node.contains_key("const") && !node.contains_key("enum"),
        }
    }
}

/// The schemas that judge the same value as this node, itself included; those under `not` declare nothing.
fn gather<'r>(root: &'r Value, node: &'r Node, judges: &mut Vec<&'r Node>) {
    if judges.len() >= SHAPES_MAX || judges.iter().any(|known| std::ptr::eq(*known, node)) {
        return;
    }
    judges.push(node);
    let target = node.get("$ref").and_then(Value::as_str).and_then(|to| resolve(root, to));
    if let Some(target) = target.and_then(Value::as_object) {
        gather(root, target, judges);
    }
    keywords::visit(node, |keyword, role, inner| {
        if matches!(role, Role::All | Role::Some | Role::Condition)
            && keyword != "not"
            && let Value::Object(inner) = inner
        {
            gather(root, inner, judges);
        }
    });
}

fn children<'r>(
    judges: &[&'r Node],
    wanted: impl Fn(&str, Option<&String>) -> bool,
) -> Vec<&'r Value> {
    let mut found = Vec::new();
    for node in judges {
        for (keyword, value) in *node {
            match (keywords::holds(keyword), value) {
                (Some((keywords::Holds::Named, _)), Value::Object(all)) => {
                    found.extend(
                        all.iter()
                            .filter(|(name, _)| wanted(keyword, Some(name)))
                            .map(|(_, one)| one),
                    );
                }
                (Some((keywords::Holds::List, _)), Value::Array(all)) if wanted(keyword, None) => {
                    found.extend(all);
                }
                (Some((keywords::Holds::One, _)), one) if wanted(keyword, None) => found.push(one),
                _ => {}
            }
        }
    }
    found
}

/// Whether one way to fit is an object of which nothing is declared: then anything is.
fn has_free_branch(root: &Value, node: &Node) -> bool {
    ["anyOf", "oneOf"].iter().flat_map(|keyword| list(node, keyword)).any(|branch| {
        let Value::Object(branch) = branch else { return branch == &Value::Bool(true) };
        let mut judges = Vec::new();
        gather(root, branch, &mut judges);
        let names_object = judges.iter().any(|judge| match judge.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            Some(kind) => kind == "object",
            None => false,
        });
        names_object
            && !judges
                .iter()
                .any(|judge| is_closable(judge) || judge.contains_key("additionalProperties"))
    })
}

/// Whether all these objects demand one property that has another constant in each.
pub(super) fn tagged(objects: &[&Node]) -> bool {
    let Some(first) = objects.first() else { return false };
    keywords::strings(first, "required").any(|tag| {
        let mut seen = BTreeSet::new();
        objects.iter().all(|object| {
            let constant = object.get("properties").and_then(|all| all.get(tag)).and_then(constant);
            keywords::strings(object, "required").any(|name| name == tag)
                && constant.is_some_and(|constant| seen.insert(constant.to_string()))
        })
    })
}

/// The one value that a schema takes.
pub(super) fn constant(schema: &Value) -> Option<&Value> {
    schema.get("const").or_else(|| match list(schema.as_object()?, "enum") {
        [only] => Some(only),
        _ => None,
    })
}
