//! Where a schema holds schemas: the one list that every walk over a schema uses.
//!
//! It must stay true that a walk never enters what only looks like a schema: the values of `enum`, `const`, `default`.

use serde_json::{Map, Value};

/// The node of a JSON Schema that is an object.
pub(super) type Node = Map<String, Value>;

/// How a schema inside a schema stands to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Judges the same value and must hold.
    All,
    /// Judges the same value and is one of several ways, or holds under a condition.
    Some,
    /// Judges the same value, and accepting more there can mean accepting less as a whole.
    Condition,
    /// Judges a child of the value.
    Child,
    /// Judges a child or a name, and must not be rewritten: accepting more there can mean accepting less.
    Fixed,
    /// Judges nothing where it stands; references lead to it.
    Definition,
}

/// What a keyword holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    One,
    List,
    Named,
}

/// The keywords of 2020-12 that hold schemas.
pub(super) fn holds(keyword: &str) -> Option<(Holds, Role)> {
    Some(match keyword {
        "allOf" => (Holds::List, Role::All),
        "anyOf" | "oneOf" => (Holds::List, Role::Some),
        "then" | "else" => (Holds::One, Role::Some),
        "dependentSchemas" => (Holds::Named, Role::Some),
        "if" | "not" => (Holds::One, Role::Condition),
        "properties" | "patternProperties" => (Holds::Named, Role::Child),
        "prefixItems" => (Holds::List, Role::Child),
        "items" | "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems" => {
            (Holds::One, Role::Child)
        }
        "contains" | "propertyNames" => (Holds::One, Role::Fixed),
        "$defs" => (Holds::Named, Role::Definition),
        _ => return None,
    })
}

/// The same node with every schema in it replaced by what `change` makes of it.
pub(super) fn map(node: &Node, change: &mut dyn FnMut(&str, Role, &Value) -> Value) -> Node {
    node.iter().map(|(keyword, value)| (keyword.clone(), map_one(keyword, value, change))).collect()
}

/// One keyword's value with every schema in it replaced by what `change` makes of it.
pub(super) fn map_one(
    keyword: &str,
    value: &Value,
    change: &mut dyn FnMut(&str, Role, &Value) -> Value,
) -> Value {
    match (holds(keyword), value) {
        (Some((Holds::List, role)), Value::Array(list)) => {
            list.iter().map(|one| change(keyword, role, one)).collect()
        }
        (Some((Holds::Named, role)), Value::Object(named)) => Value::Object(
            named.iter().map(|(name, one)| (name.clone(), change(keyword, role, one))).collect(),
        ),
        (Some((Holds::One, role)), one) => change(keyword, role, one),
        _ => value.clone(),
    }
}

/// Calls `visit` for every schema directly inside the node.
pub(super) fn visit<'a>(node: &'a Node, mut visit: impl FnMut(&'a str, Role, &'a Value)) {
    for (keyword, value) in node {
        match (holds(keyword), value) {
            (Some((Holds::List, role)), Value::Array(list)) => {
                for one in list {
                    visit(keyword, role, one);
                }
            }
            (Some((Holds::Named, role)), Value::Object(named)) => {
                for one in named.values() {
                    visit(keyword, role, one);
                }
            }
            (Some((Holds::One, role)), one) => visit(keyword, role, one),
            _ => {}
        }
    }
}

/// Whether any reference is inside.
pub(super) fn refers(schema: &Value) -> bool {
    let Value::Object(node) = schema else { return false };
    let mut found = node.contains_key("$ref");
    visit(node, |_, _, inner| found = found || refers(inner));
    found
}

/// The schemas that a keyword names, as in `properties`.
pub(super) fn named<'a>(
    node: &'a Node,
    keyword: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    node.get(keyword).and_then(Value::as_object).into_iter().flatten()
}

/// The schemas that a keyword lists, as in `allOf`.
pub(super) fn list<'a>(node: &'a Node, keyword: &str) -> &'a [Value] {
    node.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings that a keyword lists, as in `required`.
pub(super) fn strings<'a>(node: &'a Node, keyword: &str) -> impl Iterator<Item = &'a str> {
    list(node, keyword).iter().filter_map(Value::as_str)
}

/// Whether the schema lets everything through, as far as that can be seen at once.
pub(super) fn is_open(schema: &Value) -> bool {
    match schema {
        Value::Bool(open) => *open,
        Value::Object(node) => node.keys().all(|keyword| keyword == "default"),
        _ => false,
    }
}

/// A step of a JSON Pointer.
pub(super) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// Undoes [`escape`].
pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
