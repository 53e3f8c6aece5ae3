//! What a version writes and what it reads under a policy, as schemas of their own.
//!
//! It must stay true that a schema of what is written never leaves out a document that the version declares (else
//! "compatible" would be said too easily), and that nothing under `not`, `if` and the like is rewritten: accepting more
//! there means accepting less as a whole. Where that cannot be kept, the schema is left as it was written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Policy,
    document::{AS_WRITTEN, CLOSED, definition_name, reference_to, resolve},
    keywords::{self, Node, Role, is_open, list, named, strings},
    shape::Shapes,
};

/// What a reader makes of its schema: what has a default is not missed, and under the lenient policy what it does not
/// know is passed over.
pub(super) fn reads(root: &Value, policy: Policy) -> Value {
    let reader = Reader { root, policy };
    let mut opened = reader.open(root, &BTreeSet::new());
    add_as_written(&mut opened, root);
    opened
}

/// What a writer sends: under the lenient policy nothing that its version does not declare.
pub(super) fn writes(root: &Value, policy: Policy) -> Value {
    if policy == Policy::Exact {
        return root.clone();
    }
    let mut writer = Writer { root, shapes: Shapes::new(root), waiting: Vec::new() };
    let mut closed = writer.close(root);
    let mut definitions = BTreeMap::new();
    while let Some(name) = writer.waiting.pop() {
        let key = format!("{name}{CLOSED}");
        if definitions.contains_key(&key) {
            continue;
        }
        let Some(body) = root.get("$defs").and_then(|all| all.get(&name)) else { continue };
        definitions.insert(key, writer.close(body));
    }
    definitions.extend(writer.shapes.into_definitions());
    if let Value::Object(node) = &mut closed {
        node.remove("$defs");
        if !definitions.is_empty() {
            node.insert("$defs".to_owned(), definitions.into_iter().collect());
        }
    }
    add_as_written(&mut closed, root);
    closed
}

struct Reader<'a> {
    root: &'a Value,
    policy: Policy,
}

impl Reader<'_> {
    /// `forgiven`: what the schemas around this one, which judge the same object, give a default. A definition does not
    /// see the defaults of those that refer to it; that is left as it is, and at worst a change is refused.
    fn open(&self, schema: &Value, forgiven: &BTreeSet<String>) -> Value {
        let Value::Object(node) = schema else { return schema.clone() };
        let mut forgiven = forgiven.clone();
        self.defaults(node, &mut forgiven, 0);
        let mut opened = keywords::map(node, &mut |_, role, inner| match role {
            Role::All | Role::Some => self.open(inner, &forgiven),
            Role::Child | Role::Definition => self.open(inner, &BTreeSet::new()),
            Role::Condition | Role::Fixed => as_written(inner),
        });
        if let Some(Value::Array(required)) = opened.get_mut("required") {
            required.retain(|name| name.as_str().is_none_or(|name| !forgiven.contains(name)));
        }
        if self.policy == Policy::Lenient {
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                if opened.get(keyword) == Some(&Value::Bool(false)) {
                    opened.remove(keyword);
                }
            }
        }
        Value::Object(opened)
    }

    fn defaults(&self, node: &Node, forgiven: &mut BTreeSet<String>, depth: usize) {
        for (name, property) in named(node, "properties") {
            let target =
                property.get("$ref").and_then(Value::as_str).and_then(|to| resolve(self.root, to));
            if property.get("default").is_some()
                || target.is_some_and(|target| target.get("default").is_some())
            {
                forgiven.insert(name.clone());
            }
        }
        if depth > 8 {
            return;
        }
        let target = node.get("$ref").and_then(Value::as_str).and_then(|to| resolve(self.root, to));
        for part in list(node, "allOf").iter().chain(target).filter_map(Value::as_object) {
            self.defaults(part, forgiven, depth + 1);
        }
    }
}

struct Writer<'a> {
    root: &'a Value,
    shapes: Shapes<'a>,
    /// Definitions that are referred to in closed form.
    waiting: Vec<String>,
}

impl Writer<'_> {
    /// Closes a schema that alone judges its value.
    fn close(&mut self, schema: &Value) -> Value {
        let Value::Object(node) = schema else { return schema.clone() };
        if let Some(name) = alias(node) {
            self.waiting.push(name.clone());
            return reference_to(&format!("{name}{CLOSED}"));
        }
        if let Some(keyword) = only_union(node)
            && self.shapes.separate(keyword, list(node, keyword))
        {
            // Of a value that fits one branch and no other, that branch says what was declared.
            return Value::Object(keywords::map(node, &mut |_, role, inner| match role {
                Role::Some => self.close(inner),
                _ => inner.clone(),
            }));
        }
        if judges_with_others(node) {
            return self.close_together(schema, node);
        }
        let lone_pattern =
            named(node, "patternProperties").count() <= 1 && !has(node, "properties");
        let overlapping = has(node, "patternProperties") && !lone_pattern;
        let mixed_items = node.contains_key("contains") || node.contains_key("unevaluatedItems");
        let mut closed = keywords::map(node, &mut |keyword, role, inner| match (keyword, role) {
            // A value that two schemas judge is declared by both together; closing each alone would leave nothing.
            ("properties" | "patternProperties", _) if overlapping => as_written(inner),
            ("items" | "prefixItems", _) if mixed_items => as_written(inner),
            (
                "properties"
                | "patternProperties"
                | "items"
                | "prefixItems"
                | "additionalProperties",
                _,
            ) => self.close(inner),
            (_, Role::Definition) => inner.clone(),
            _ => as_written(inner),
        });
        if is_closable(node) {
            let undeclared: Vec<String> = demanded(node)
                .filter(|name| named(node, "properties").all(|(known, _)| known != name))
                .collect();
            if !undeclared.is_empty()
                && let Value::Object(all) = closed.entry("properties").or_insert_with(|| json!({}))
            {
                all.extend(undeclared.into_iter().map(|name| (name, Value::Bool(true))));
            }
            closed.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        Value::Object(closed)
    }

    /// Closes a value that several schemas judge: they stay as they are, and next to them stands which names they
    /// declare together.
    fn close_together(&mut self, schema: &Value, node: &Node) -> Value {
        let mut closed = match as_written(schema) {
            Value::Object(closed) => closed,
            other => return other,
        };
        // The node is found in the document by where it is, so the borrowed one counts and not a copy.
        if let Some(shape) = self.shapes.of_node(node, self.root)
            && let Value::Array(parts) = closed.entry("allOf").or_insert_with(|| json!([]))
        {
            parts.push(reference_to(&shape));
        }
        Value::Object(closed)
    }
}

/// The definition that a schema is another name of.
pub(super) fn alias(node: &Node) -> Option<String> {
    let mut said = node.iter().filter(|(keyword, _)| *keyword != "default" && *keyword != "$defs");
    let (keyword, value) = said.next()?;
    if said.next().is_some() {
        return None;
    }
    match (keyword.as_str(), value) {
        ("$ref", Value::String(reference)) => definition_name(reference),
        ("allOf", Value::Array(parts)) if parts.len() == 1 => {
            parts.first()?.as_object().and_then(alias)
        }
        _ => None,
    }
}

/// The union that is all a schema says, next to a type.
fn only_union(node: &Node) -> Option<&'static str> {
    let union = ["oneOf", "anyOf"].into_iter().find(|keyword| node.contains_key(*keyword))?;
    let alone = node.keys().all(|keyword| {
        keyword == union || ["type", "default", "$defs"].contains(&keyword.as_str())
    });
    alone.then_some(union)
}

fn judges_with_others(node: &Node) -> bool {
    node.contains_key("$ref")
        || node.keys().any(|keyword| {
            keyword != "not"
                && keywords::holds(keyword).is_some_and(|(_, role)| {
                    matches!(role, Role::All | Role::Some | Role::Condition)
                })
        })
}

fn has(node: &Node, keyword: &str) -> bool {
    named(node, keyword).next().is_some()
}

/// Whether an object declares something and does not say what else may be there. One that declares nothing is a map of
/// anything, and stays one.
pub(super) fn is_closable(node: &Node) -> bool {
    let declares = has(node, "properties")
        || has(node, "patternProperties")
        || demanded(node).next().is_some();
    declares
        && ["additionalProperties", "unevaluatedProperties"].iter().all(|keyword| {
            node.get(*keyword).is_none_or(|rest| is_open(rest) || *rest == Value::Bool(false))
        })
}

/// The names that an object must hold, always or next to others.
pub(super) fn demanded(node: &Node) -> impl Iterator<Item = String> {
    let dependent = named(node, "dependentRequired").flat_map(|(name, needed)| {
        std::iter::once(name.as_str())
            .chain(needed.as_array().into_iter().flatten().filter_map(Value::as_str))
    });
    let names: Vec<String> = strings(node, "required")
        .chain(dependent)
        .chain(named(node, "dependentSchemas").map(|(name, _)| name.as_str()))
        .map(str::to_owned)
        .collect();
    names.into_iter()
}

/// A schema that no policy touches: its references lead to definitions that none touched either.
pub(super) fn as_written(schema: &Value) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let mut kept = keywords::map(node, &mut |_, _, inner| as_written(inner));
    if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(definition_name)
        && let Value::Object(reference) = reference_to(&format!("{name}{AS_WRITTEN}"))
    {
        kept.extend(reference);
    }
    Value::Object(kept)
}

/// Adds the untouched definitions that untouched parts refer to.
fn add_as_written(rewritten: &mut Value, root: &Value) {
    let mut names = Vec::new();
    super::document::references(rewritten, &mut names);
    for (_, body) in rewritten.as_object().into_iter().flat_map(|node| named(node, "$defs")) {
        super::document::references(body, &mut names);
    }
    let Value::Object(node) = rewritten else { return };
    let mut added = BTreeSet::new();
    while let Some(name) = names.pop() {
        let Some(original) = name.strip_suffix(AS_WRITTEN) else { continue };
        let Some(body) = root.get("$defs").and_then(|all| all.get(original)) else { continue };
        if !added.insert(name.clone()) {
            continue;
        }
        let body = as_written(body);
        super::document::references(&body, &mut names);
        if let Value::Object(all) = node.entry("$defs").or_insert_with(|| json!({})) {
            all.insert(name, body);
        }
    }
}
