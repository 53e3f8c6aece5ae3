//! The shape of a pattern: objects, lists, `$or` and `$and`.

use serde_json::{Map, Value};

use super::{
    Problems, alternatives, dollar, kind, member, operators,
    ways::{self, Way},
};
use crate::{
    filter::{Branch, Group, Leaf},
    problem::Problem,
    regular::Budget,
};

/// What is at hand while a pattern is compiled.
pub(super) struct Compiler<'b> {
    pub(super) problems: Problems,
    pub(super) budget: &'b mut Budget,
    /// The names from the root of the event to where the compiler is.
    path: Vec<Box<str>>,
}

/// The conjunctions of a measured pattern.
pub(super) fn compile(pattern: &Value, budget: &mut Budget) -> Result<Vec<Branch>, Vec<Problem>> {
    let mut compiler = Compiler { problems: Problems::default(), budget, path: Vec::new() };
    let ways = match pattern {
        Value::Object(fields) => compiler.object(fields, ""),
        other => {
            let message = format!(
                "a pattern is an object of fields, such as {{\"payload\": {{\"kind\": [\"order\"]}}}}, not {}",
                kind(other)
            );
            compiler.problems.add::<()>("", message);
            Vec::new()
        }
    };
    let branches: Vec<Branch> = ways.into_iter().map(Way::into_branch).collect();
    ways::check_paths(&branches, &mut compiler.problems);
    let Problems(problems) = compiler.problems;
    if problems.is_empty() { Ok(branches) } else { Err(problems) }
}

/// The alternatives of an `$or`, if it is one and not a field of this name: at least two patterns.
pub(crate) fn or_members<'v>(
    name: &str,
    value: &'v Value,
) -> Option<impl Iterator<Item = &'v Map<String, Value>> + use<'v>> {
    members("$or", 2, name, value)
}

/// The members of an `$and`, if it is one and not a field of this name: at least one pattern.
pub(crate) fn and_members<'v>(
    name: &str,
    value: &'v Value,
) -> Option<impl Iterator<Item = &'v Map<String, Value>> + use<'v>> {
    members("$and", 1, name, value)
}

fn members<'v>(
    operator: &str,
    least: usize,
    name: &str,
    value: &'v Value,
) -> Option<impl Iterator<Item = &'v Map<String, Value>> + use<'v>> {
    let items = value.as_array().filter(|items| name == operator && items.len() >= least)?;
    let is_pattern = |item: &Value| {
        item.as_object().is_some_and(|fields| {
            !fields.is_empty() && !fields.keys().any(|name| operators::is_event_bridge(name))
        })
    };
    items.iter().all(is_pattern).then(|| items.iter().filter_map(Value::as_object))
}

impl Compiler<'_> {
    fn object(&mut self, fields: &Map<String, Value>, pointer: &str) -> Vec<Way> {
        if fields.is_empty() {
            self.problems.add::<()>(
                pointer,
                "an object without fields asks nothing: name a field with a list of what its value may be, or leave it out",
            );
        }
        let mut ways = vec![Way::default()];
        for (name, value) in fields {
            let pointer = member(pointer, name);
            ways = ways::product(ways, &self.field(name, value, &pointer));
        }
        ways
    }

    fn field(&mut self, name: &str, value: &Value, pointer: &str) -> Vec<Way> {
        if let Some(members) = or_members(name, value) {
            return self.either(members, pointer);
        }
        if let Some(members) = and_members(name, value) {
            return self.each(members, pointer);
        }
        self.path.push(name.into());
        let ways = match value {
            Value::Object(fields) if !dollar::is_operators(fields) => self.object(fields, pointer),
            leaf => self.leaf(leaf, pointer),
        };
        self.path.pop();
        ways
    }

    fn either<'v>(
        &mut self,
        members: impl Iterator<Item = &'v Map<String, Value>>,
        pointer: &str,
    ) -> Vec<Way> {
        let mut ways = Vec::new();
        for (index, fields) in members.enumerate() {
            let choice = format!("{pointer}/{index}");
            for mut way in self.object(fields, &choice) {
                way.choices.insert(0, choice.clone());
                ways.push(way);
            }
        }
        ways
    }

    fn each<'v>(
        &mut self,
        members: impl Iterator<Item = &'v Map<String, Value>>,
        pointer: &str,
    ) -> Vec<Way> {
        let mut ways = vec![Way::default()];
        for (index, fields) in members.enumerate() {
            let found = self.object(fields, &format!("{pointer}/{index}"));
            let apart: Vec<Way> = found.into_iter().map(Way::apart).collect();
            ways = ways::product(ways, &apart);
        }
        ways
    }

    /// A field with what its value may be. What is wrong about it is noted, and the rest is compiled as if it were not
    /// there.
    fn leaf(&mut self, value: &Value, pointer: &str) -> Vec<Way> {
        let mut leaf = Leaf {
            path: self.path.as_slice().into(),
            any: Vec::new(),
            whole: Vec::new(),
            pointer: pointer.to_owned(),
        };
        match value {
            Value::Array(items) if self.is_meant_as_patterns(items) => {
                let name = self.path.last().map_or("", |name| name);
                let least = if name == "$or" { "two patterns" } else { "one pattern" };
                let message = format!(
                    "`{name}` takes at least {least}, each an object with fields whose names are not those of operators"
                );
                self.problems.add::<()>(pointer, message);
            }
            Value::Object(operators) => dollar::compile(self, operators, &mut leaf),
            Value::Array(items) => alternatives::compile(self, items, &mut leaf),
            scalar => {
                self.problems.add::<()>(pointer, bare(&self.path, scalar));
            }
        }
        vec![Way { leaves: vec![leaf], groups: Vec::<Group>::new(), choices: Vec::new() }]
    }
}

impl Compiler<'_> {
    /// Whether a list was meant as that of `$or` or `$and`, although it is none: it has no operators.
    fn is_meant_as_patterns(&self, items: &[Value]) -> bool {
        let has_fields = |item: &Value| {
            item.as_object().is_some_and(|fields| {
                !fields
                    .keys()
                    .any(|name| operators::is_event_bridge(name) || operators::is_new(name))
            })
        };
        self.path.last().is_some_and(|name| matches!(&**name, "$or" | "$and"))
            && (items.is_empty() || items.iter().any(has_fields))
    }
}

/// What to say of a value that stands where a list belongs.
fn bare(path: &[Box<str>], value: &Value) -> String {
    let name = path.last().map_or("", |name| name);
    if operators::is_event_bridge(name) || operators::is_new(name) {
        return format!(
            "the operator `{name}` stands in a list: write [{{\"{name}\": {value}}}] for the field around it"
        );
    }
    if matches!(name, "$or" | "$and") {
        return format!("`{name}` takes a list of patterns, such as \"{name}\": [{{…}}, {{…}}]");
    }
    if dollar::NAMES.contains(&name) {
        return format!(
            "`{name}` stands in an object of its own, without fields beside it: {{\"{name}\": {value}}}"
        );
    }
    if name.starts_with('$') {
        return format!(
            "`{name}` is no operator that is known here, and a field takes a list: known are {}",
            dollar::NAMES.join(", ")
        );
    }
    format!("a field takes a list of what its value may be: write [{value}]")
}
