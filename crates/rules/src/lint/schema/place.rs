//! What a JSON Schema allows at one place of an event. It must stay true that more is allowed here than by the schema, never
//! less: what is not read here only narrows, and is left out.

use std::{cell::Cell, rc::Rc};

use serde_json::{Map, Value};

use crate::lint::implies::kind;

/// Kinds of values beside the scalar ones.
pub(super) const ARRAY: u8 = 16;
pub(super) const OBJECT: u8 = 32;
const ANY: u8 = kind::ALL | ARRAY | OBJECT;

/// Alternatives of one place; a schema with more is taken as leaving them open.
const WAYS_MAX: usize = 64;

/// References and combinations within each other, and arrays of arrays.
const DEPTH_MAX: usize = 16;

/// Schemas that are looked at for one filter. What comes after is taken as open: combinations of references multiply.
const STEPS: usize = 100_000;

/// The schemas that a value satisfies all of, in one of the ways to satisfy a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Way<'s> {
    schemas: Vec<&'s Map<String, Value>>,
    /// Whether there are schemas that are not read here, which may name fields.
    open: bool,
}

/// The ways to satisfy a schema; without any, nothing does.
#[derive(Debug, Clone)]
pub(super) struct Place<'s> {
    document: Document<'s>,
    pub(super) ways: Vec<Way<'s>>,
}

/// The whole schema, and how many parts of it may still be looked at.
#[derive(Debug, Clone)]
struct Document<'s> {
    root: &'s Value,
    steps: Rc<Cell<usize>>,
}

impl Document<'_> {
    fn may_go_on(&self) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(1));
        left > 0
    }
}

/// Where a name leads to.
pub(super) enum Below<'s> {
    /// The schema allows no such field; it names these.
    RuledOut(Vec<&'s str>),
    /// The schema allows further fields, and does not name this one; these are its neighbours.
    Unnamed(Vec<&'s str>),
    Known(Place<'s>),
}

impl<'s> Place<'s> {
    pub(super) fn of(schema: &'s Value) -> Self {
        let document = Document { root: schema, steps: Rc::new(Cell::new(STEPS)) };
        let ways = document.expand(schema, 0);
        Self { document, ways }
    }

    /// What the schema says of the member with this name; with `arrays`, of the elements of arrays, too.
    pub(super) fn member(&self, name: &str, arrays: bool) -> Below<'s> {
        let mut found = Found { ways: Vec::new(), unnamed: false, neighbours: Vec::new() };
        for way in &self.ways {
            self.step(way, name, if arrays { DEPTH_MAX } else { 0 }, &mut found);
        }
        if found.ways.len() > WAYS_MAX {
            found.ways = vec![Way::open()];
        }
        match (found.ways.is_empty(), found.unnamed) {
            (false, _) => Below::Known(Self { document: self.document.clone(), ways: found.ways }),
            (true, true) => Below::Unnamed(found.neighbours),
            (true, false) => Below::RuledOut(found.neighbours),
        }
    }

    fn step(&self, way: &Way<'s>, name: &str, arrays: usize, found: &mut Found<'s>) {
        if !self.document.may_go_on() {
            return found.ways.push(Way::open());
        }
        if way.kinds() & OBJECT != 0 {
            self.object(way, name, found);
        }
        if arrays == 0 || way.kinds() & ARRAY == 0 {
            return;
        }
        match self.items(way) {
            // Elements of which nothing is said have no names either.
            None => found.unnamed = true,
            Some(ways) => {
                for way in ways {
                    self.step(&way, name, arrays - 1, found);
                }
            }
        }
    }

    fn object(&self, way: &Way<'s>, name: &str, found: &mut Found<'s>) {
        let (mut below, mut named, mut silent) = (Vec::new(), way.open, true);
        for schema in &way.schemas {
            let properties = schema.get("properties").and_then(Value::as_object);
            if let Some(properties) = properties {
                silent = silent && properties.is_empty();
                found.neighbours.extend(properties.keys().map(String::as_str));
            }
            let patterns = schema.get("patternProperties").and_then(Value::as_object);
            if let Some(field) = properties.and_then(|properties| properties.get(name)) {
                named = true;
                below.push(field);
            } else if patterns.is_some_and(|patterns| !patterns.is_empty()) {
                named = true;
            } else {
                match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => return,
                    Some(rest @ Value::Object(_)) => {
                        named = true;
                        below.push(rest);
                    }
                    _ => {}
                }
            }
        }
        if named || silent {
            let open = way.open || below.is_empty();
            found.ways.extend(self.all(&below, open));
        } else {
            found.unnamed = true;
        }
    }

    /// What the elements of an array are; `None` when nothing is said of them.
    pub(super) fn items(&self, way: &Way<'s>) -> Option<Vec<Way<'s>>> {
        let (mut below, mut open) = (Vec::new(), way.open);
        for schema in &way.schemas {
            match schema.get("items") {
                _ if schema.contains_key("prefixItems") => open = true,
                Some(Value::Array(_)) => open = true,
                Some(items) => below.push(items),
                None => {}
            }
        }
        (!below.is_empty() || open).then(|| self.all(&below, open))
    }

    /// The ways to satisfy all of these schemas.
    fn all(&self, schemas: &[&'s Value], open: bool) -> Vec<Way<'s>> {
        let start = vec![Way { schemas: Vec::new(), open }];
        schemas.iter().fold(start, |ways, schema| both(ways, &self.document.expand(schema, 0)))
    }
}

struct Found<'s> {
    ways: Vec<Way<'s>>,
    unnamed: bool,
    neighbours: Vec<&'s str>,
}

impl<'s> Way<'s> {
    /// Of which nothing is known.
    fn open() -> Self {
        Self { schemas: Vec::new(), open: true }
    }

    /// The kinds of values that are allowed.
    pub(super) fn kinds(&self) -> u8 {
        self.schemas.iter().fold(ANY, |kinds, schema| match schema.get("type") {
            Some(Value::String(name)) => kinds & named(name),
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                kinds & names.fold(0, |kinds, name| kinds | named(name))
            }
            _ => kinds,
        })
    }

    /// The only values that are allowed, if the schema lists them.
    pub(super) fn listed(&self) -> Option<&'s [Value]> {
        let lists = self.schemas.iter().filter_map(|schema| match schema.get("const") {
            Some(value) => Some(std::slice::from_ref(value)),
            None => schema.get("enum").and_then(Value::as_array).map(Vec::as_slice),
        });
        // Each of the lists narrows; the shortest says most.
        lists.min_by_key(|list| list.len())
    }
}

fn named(name: &str) -> u8 {
    match name {
        "null" => kind::NULL,
        "boolean" => kind::BOOL,
        "number" | "integer" => kind::NUMBER,
        "string" => kind::TEXT,
        "array" => ARRAY,
        "object" => OBJECT,
        _ => ANY,
    }
}

/// The kind of a value.
pub(super) fn of(value: &Value) -> u8 {
    match value {
        Value::Null => kind::NULL,
        Value::Bool(_) => kind::BOOL,
        Value::Number(_) => kind::NUMBER,
        Value::String(_) => kind::TEXT,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
    }
}

impl<'s> Document<'s> {
    /// The ways to satisfy a schema.
    fn expand(&self, schema: &'s Value, depth: usize) -> Vec<Way<'s>> {
        let Value::Object(fields) = schema else {
            return if schema == &Value::Bool(false) { Vec::new() } else { vec![Way::default()] };
        };
        // Within a schema that has an address of its own, references mean something else.
        let foreign = fields.contains_key("$id") && !std::ptr::eq(schema, self.root);
        if depth == DEPTH_MAX || foreign || !self.may_go_on() {
            return vec![Way::open()];
        }
        let reference = fields.get("$ref").and_then(Value::as_str);
        let alone = reference.is_some() && is_before_2019(self.root);
        let unread = ["$dynamicRef", "$recursiveRef", "if", "dependentSchemas", "dependencies"];
        let open = unread.iter().any(|name| fields.contains_key(*name));
        let schemas = if alone { Vec::new() } else { vec![fields] };
        let mut ways = vec![Way { schemas, open }];
        if let Some(reference) = reference {
            let target = reference.strip_prefix('#').and_then(|place| self.root.pointer(place));
            let target = target.map_or_else(|| vec![Way::open()], |s| self.expand(s, depth + 1));
            ways = both(ways, &target);
        }
        if alone {
            return ways;
        }
        for part in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            ways = both(ways, &self.expand(part, depth + 1));
        }
        for name in ["anyOf", "oneOf"] {
            let Some(parts) = fields.get(name).and_then(Value::as_array) else { continue };
            let mut either = Vec::new();
            for part in parts {
                either.extend(self.expand(part, depth + 1));
                if either.len() > WAYS_MAX {
                    break;
                }
            }
            ways = both(ways, &either);
        }
        ways
    }
}

/// Every way of the one with every way of the other; too many are replaced by what they share.
fn both<'s>(one: Vec<Way<'s>>, other: &[Way<'s>]) -> Vec<Way<'s>> {
    if one.len() * other.len() > WAYS_MAX {
        let open = |way: Way<'s>| Way { open: true, ..way };
        return one.into_iter().map(open).collect();
    }
    let join = |a: &Way<'s>, b: &Way<'s>| Way {
        schemas: [&a.schemas[..], &b.schemas].concat(),
        open: a.open || b.open,
    };
    one.iter().flat_map(|a| other.iter().map(move |b| join(a, b))).collect()
}

/// Whether the schema is of a draft in which what stands beside a reference does not count.
fn is_before_2019(root: &Value) -> bool {
    let dialect = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    dialect.contains("/draft-0")
}
