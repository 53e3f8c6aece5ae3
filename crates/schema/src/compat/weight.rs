//! How much work a schema is to the set operations, before they are asked: they multiply alternatives out.
//!
//! It must stay true that the estimate itself takes time that grows with the schema alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    document::{definition_name, resolve},
    keywords::{self, Node, Role, list, named, strings},
    shape::tagged,
};

/// What a schema weighs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// Schemas in it.
    pub nodes: u64,
    /// Most alternatives that come together at one place.
    pub width: u64,
    /// In how many ways a document can miss it.
    pub ways_out: u64,
    /// Whether it has formats.
    pub formats: bool,
}

struct Scale<'a> {
    root: &'a Value,
    nodes: u64,
    widest: u64,
    formats: bool,
    /// Definitions that were weighed, or are being weighed.
    known: BTreeMap<String, (u64, u64)>,
}

impl Weight {
    /// Weighs a schema that stands alone.
    pub(super) fn of(schema: &Value) -> Self {
        let mut scale =
            Scale { root: schema, nodes: 0, widest: 1, formats: false, known: BTreeMap::new() };
        let (width, ways_out) = scale.weigh(schema);
        Self {
            nodes: scale.nodes,
            width: scale.widest.max(width),
            ways_out,
            formats: scale.formats,
        }
    }
}

impl Scale<'_> {
    /// The alternatives of a schema, and the ways to miss it.
    fn weigh(&mut self, schema: &Value) -> (u64, u64) {
        self.nodes += 1;
        let Value::Object(node) = schema else { return (1, 1) };
        let (mut width, mut factors, mut ways) = (1_u64, 0_u32, 0_u64);
        self.formats = self.formats || node.contains_key("format");
        let mut multiply = |branches: u64, width: &mut u64| {
            if branches > 1 {
                *width = width.saturating_mul(branches);
                factors += 1;
            }
        };
        if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(definition_name) {
            let (branches, missed) = self.definition(&name);
            multiply(branches, &mut width);
            ways = ways.saturating_add(missed);
        }
        for part in list(node, "allOf") {
            let (branches, missed) = self.weigh(part);
            multiply(branches, &mut width);
            ways = ways.saturating_add(missed);
        }
        for keyword in ["anyOf", "oneOf"] {
            let branches = list(node, keyword);
            if branches.is_empty() {
                continue;
            }
            let (mut sum, mut missed) = (0_u64, 1_u64);
            for branch in branches {
                let (wide, ways) = self.weigh(branch);
                sum = sum.saturating_add(wide);
                missed = missed.saturating_mul(ways.max(1));
            }
            if keyword == "oneOf" && branches.len() > 2 && !self.exclusive(branches) {
                sum = sum.saturating_mul(sum);
            }
            multiply(sum, &mut width);
            ways = ways.saturating_add(missed);
        }
        for keyword in ["if", "then", "else", "not"] {
            if let Some(inner) = node.get(keyword) {
                let (wide, missed) = self.weigh(inner);
                multiply(wide.max(missed.min(4)), &mut width);
                ways = ways.saturating_add(wide.saturating_add(missed));
            }
        }
        for (_, inner) in named(node, "dependentSchemas") {
            let (wide, missed) = self.weigh(inner);
            multiply(wide.saturating_add(1), &mut width);
            ways = ways.saturating_add(missed);
        }
        keywords::visit(node, |_, role, inner| {
            if matches!(role, Role::Child | Role::Fixed) {
                let (wide, missed) = self.weigh(inner);
                self.widest = self.widest.max(wide);
                ways = ways.saturating_add(missed);
            }
        });
        let asked = node.keys().filter(|keyword| keywords::holds(keyword).is_none()).count();
        let asked = asked + strings(node, "required").count();
        ways = ways.saturating_add(u64::try_from(asked).unwrap_or(u64::MAX));
        if factors > 1 {
            // Several unions at one place are multiplied, and each product is compared with the others.
            width = width.saturating_mul(4);
        }
        self.widest = self.widest.max(width);
        (width, ways)
    }

    fn definition(&mut self, name: &str) -> (u64, u64) {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        self.known.insert(name.to_owned(), (1, 1));
        let reference = super::document::reference_to(name);
        let target =
            reference.get("$ref").and_then(Value::as_str).and_then(|to| resolve(self.root, to));
        let weighed = target.map_or((1, 1), |target| self.weigh(target));
        self.known.insert(name.to_owned(), weighed);
        weighed
    }

    /// Whether a property tells the branches apart, so that they need not be compared one by one.
    fn exclusive(&self, branches: &[Value]) -> bool {
        let target = |branch| -> Option<&Node> {
            let branch: &Value = branch;
            let to = branch.get("$ref").and_then(Value::as_str);
            to.and_then(|to| resolve(self.root, to)).map_or_else(|| None, Value::as_object)
        };
        let nodes: Vec<&Node> = branches
            .iter()
            .filter_map(|branch| target(branch).or_else(|| branch.as_object()))
            .collect();
        nodes.len() == branches.len() && tagged(&nodes)
    }
}
