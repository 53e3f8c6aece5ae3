//! Small documents that should fit a schema, to be tried as examples.
//!
//! It must stay true that the work is bounded by fuel, and that nobody relies on what comes out: the validators decide.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    document::resolve,
    joined::join,
    keywords::{Node, list, named, strings},
    pattern,
    scalars::{LENGTH_MAX, numbers, texts, whole},
};
use crate::schema::pattern_matches;

/// Most documents that one schema gives.
const GIVEN_MAX: usize = 8;
/// How deep a document is built.
const DEPTH_MAX: usize = 24;
/// Builds documents for schemas of one root, until the fuel is used up.
pub(super) struct Builder<'a> {
    root: &'a Value,
    /// Schemas that may still be looked at.
    fuel: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(root: &'a Value, fuel: usize) -> Self {
        Self { root, fuel }
    }

    /// Documents for a schema, the smallest first.
    pub(super) fn documents(&mut self, schema: &Value) -> Vec<Value> {
        self.build(schema, 0)
    }

    fn build(&mut self, schema: &Value, depth: usize) -> Vec<Value> {
        if self.fuel == 0 || depth > DEPTH_MAX {
            return Vec::new();
        }
        self.fuel -= 1;
        match schema {
            Value::Bool(true) => anything(),
            Value::Object(node) => {
                let node = self.flat(node, 0);
                let mut found = self.of_node(&node, depth);
                found.truncate(GIVEN_MAX);
                found
            }
            _ => Vec::new(),
        }
    }

    /// A node with its references and the parts of `allOf` written into it. Two parts that say the same keyword are
    /// joined as well as can be done at once.
    pub(super) fn flat(&self, node: &Node, depth: usize) -> Node {
        let mut flat = node.clone();
        let parts = flat.remove("allOf");
        let target = flat.remove("$ref");
        if depth > 8 {
            return flat;
        }
        let target = target.as_ref().and_then(Value::as_str).and_then(|to| resolve(self.root, to));
        for part in parts.as_ref().and_then(Value::as_array).into_iter().flatten().chain(target) {
            if let Value::Object(part) = part {
                join(&mut flat, self.flat(part, depth + 1));
            }
        }
        flat
    }

    fn of_node(&mut self, node: &Node, depth: usize) -> Vec<Value> {
        if let Some(constant) = node.get("const") {
            return vec![constant.clone()];
        }
        if let Some(Value::Array(values)) = node.get("enum") {
            return values.iter().take(GIVEN_MAX).cloned().collect();
        }
        for keyword in ["oneOf", "anyOf"] {
            if node.contains_key(keyword) {
                return self.of_union(node, keyword, depth);
            }
        }
        let mut found = Vec::new();
        for kind in kinds(node) {
            found.extend(match kind {
                "string" => texts(node),
                "integer" => numbers(node, true),
                "number" => numbers(node, false),
                "boolean" => vec![json!(false), json!(true)],
                "null" => vec![Value::Null],
                "array" => self.arrays(node, depth),
                _ => self.objects(node, depth),
            });
        }
        found
    }

    fn of_union(&mut self, node: &Node, keyword: &str, depth: usize) -> Vec<Value> {
        let mut base = node.clone();
        base.remove(keyword);
        let mut found = Vec::new();
        let branches = list(node, keyword);
        let each = if branches.len() > 2 { 2 } else { GIVEN_MAX / 2 };
        for branch in branches.iter().take(64) {
            if let Value::Object(branch) = branch {
                let mut both = self.flat(branch, 0);
                join(&mut both, base.clone());
                found.extend(self.build(&Value::Object(both), depth + 1).into_iter().take(each));
            } else if *branch == Value::Bool(true) {
                found.extend(
                    self.build(&Value::Object(base.clone()), depth + 1).into_iter().take(each),
                );
            }
        }
        // All branches have had their turn; the one that comes first is not more likely to be the one that is looked for.
        found.dedup();
        found
    }

    fn arrays(&mut self, node: &Node, depth: usize) -> Vec<Value> {
        let least = whole(node, "minItems").unwrap_or(0);
        let most = whole(node, "maxItems").unwrap_or(u64::MAX);
        let wanted = node.get("contains").map_or(0, |_| whole(node, "minContains").unwrap_or(1));
        if least.max(wanted) > LENGTH_MAX {
            return Vec::new();
        }
        let prefix = list(node, "prefixItems");
        let mut items = Vec::new();
        let contained =
            node.get("contains").map(|schema| self.build(schema, depth + 1)).unwrap_or_default();
        let distinct = node.get("uniqueItems") == Some(&Value::Bool(true));
        let rest = node.get("items").cloned().unwrap_or(Value::Bool(true));
        let others = self.build(&rest, depth + 1);
        for index in 0..least.max(wanted) {
            let position = usize::try_from(index).unwrap_or(usize::MAX);
            let choices = match prefix.get(position) {
                Some(schema) => self.build(schema, depth + 1),
                None if index < wanted && !contained.is_empty() => contained.clone(),
                None => others.clone(),
            };
            let free = choices.iter().find(|one| !distinct || !items.contains(*one)).cloned();
            match free
                .or_else(|| distinct.then(|| json!(index)))
                .or_else(|| choices.first().cloned())
            {
                Some(item) => items.push(item),
                None => return Vec::new(),
            }
        }
        let mut found = vec![Value::Array(items.clone())];
        let length = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if length < most {
            let next = match prefix.get(items.len()) {
                Some(schema) => self.build(schema, depth + 1),
                None => others,
            };
            for item in next.into_iter().take(3) {
                let mut longer = items.clone();
                longer.push(item.clone());
                found.push(Value::Array(longer.clone()));
                if length + 1 < most {
                    longer.push(item);
                    found.push(Value::Array(longer));
                }
            }
        }
        found
    }

    fn objects(&mut self, node: &Node, depth: usize) -> Vec<Value> {
        let mut object = Map::new();
        let mut others: Vec<(String, Vec<Value>)> = Vec::new();
        let mut waiting: Vec<String> = strings(node, "required").map(str::to_owned).collect();
        while let Some(name) = waiting.pop() {
            if object.contains_key(&name) {
                continue;
            }
            let mut values = self.build(&property(node, &name), depth + 1);
            if values.is_empty() {
                return Vec::new();
            }
            object.insert(name.clone(), values.remove(0));
            waiting.extend(dependents(node, &name));
            others.push((name, values));
        }
        let least = whole(node, "minProperties").unwrap_or(0).min(LENGTH_MAX);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let mut fillers = self.fillers(node, depth).into_iter();
        while object.len() < least {
            let Some((name, value)) = fillers.next() else { return Vec::new() };
            object.entry(name).or_insert(value);
        }
        let mut found = vec![Value::Object(object.clone())];
        for (name, values) in others {
            for value in values.into_iter().take(2) {
                let mut other = object.clone();
                other.insert(name.clone(), value);
                found.push(Value::Object(other));
            }
        }
        for (name, value) in fillers.take(3) {
            if !object.contains_key(&name) {
                let mut more = object.clone();
                more.insert(name, value);
                found.push(Value::Object(more));
            }
        }
        found
    }

    /// Properties that an object may hold and need not.
    fn fillers(&mut self, node: &Node, depth: usize) -> Vec<(String, Value)> {
        let mut names: BTreeSet<String> =
            named(node, "properties").map(|(name, _)| name.clone()).take(32).collect();
        let required: BTreeSet<&str> = strings(node, "required").collect();
        names.retain(|name| !required.contains(name.as_str()));
        let mut names: Vec<String> = names.into_iter().collect();
        names.extend(
            named(node, "patternProperties").flat_map(|(pattern, _)| pattern::matching(pattern)),
        );
        if let Some(schema) = node.get("propertyNames") {
            let allowed = self.build(schema, depth + 1);
            names.extend(allowed.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        let least = whole(node, "minProperties").unwrap_or(0).min(LENGTH_MAX);
        names.extend((0..least.max(1)).map(|index| format!("x{index}")));
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut fillers = Vec::new();
        for name in names {
            if let Some(value) = self.build(&property(node, &name), depth + 1).into_iter().next() {
                fillers.push((name, value));
            }
        }
        fillers
    }
}

/// What an object's schema says about one property, as one schema.
pub(super) fn property(node: &Node, name: &str) -> Value {
    let declared = node.get("properties").and_then(|all| all.get(name));
    let matching =
        named(node, "patternProperties").filter(|(pattern, _)| could_match(pattern, name));
    let mut parts: Vec<&Value> =
        declared.into_iter().chain(matching.map(|(_, schema)| schema)).collect();
    if parts.is_empty() {
        parts
            .extend(node.get("additionalProperties").or_else(|| node.get("unevaluatedProperties")));
    }
    match parts.as_slice() {
        [] => Value::Bool(true),
        [only] => (*only).clone(),
        several => json!({"allOf": several}),
    }
}

/// Whether a name fits a pattern; a pattern that is not understood fits nothing.
pub(super) fn could_match(pattern: &str, name: &str) -> bool {
    pattern_matches(pattern, name).unwrap_or(false)
}

fn dependents(node: &Node, name: &str) -> Vec<String> {
    let needed =
        node.get("dependentRequired").and_then(|all| all.get(name)).and_then(Value::as_array);
    needed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Documents of every type.
pub(super) fn anything() -> Vec<Value> {
    vec![json!("a"), json!(0), json!({}), json!([]), Value::Null, json!(false), json!(0.5)]
}

fn kinds(node: &Node) -> Vec<&str> {
    match node.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => {
            let says = |words: &[&str]| words.iter().any(|word| node.contains_key(*word));
            let mut all = Vec::new();
            if says(&[
                "properties",
                "required",
                "minProperties",
                "additionalProperties",
                "patternProperties",
            ]) {
                all.push("object");
            }
            if says(&["items", "prefixItems", "minItems", "uniqueItems", "contains"]) {
                all.push("array");
            }
            if says(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
                all.push("number");
            }
            for kind in ["string", "integer", "object", "array", "null", "boolean", "number"] {
                if !all.contains(&kind) {
                    all.push(kind);
                }
            }
            all
        }
    }
}
