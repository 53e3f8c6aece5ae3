//! A schema brought into the one form that comparing needs: 2020-12, without remarks, every reference `#/$defs/<name>`.
//!
//! It must stay true that this form accepts what the schema accepts. What cannot be brought over exactly is not brought
//! over at all: [`Document::of`] is `None` then, and nothing is proved.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::keywords::{self, Node, escape, unescape};
use crate::{Draft, Schema};

/// What leads a reference to a definition.
const DEFINITIONS: &str = "#/$defs/";
/// Begins the name of a definition that stands for another place of the schema, the root for instance.
pub(super) const PLACE: &str = "!place";
/// Ends the name of a definition that a policy rewrote.
pub(super) const CLOSED: &str = "!closed";
/// Ends the name of a definition that was left as it is, next to a rewritten one.
pub(super) const AS_WRITTEN: &str = "!as-written";
/// Most places that references may point at outside `$defs`.
const PLACES_MAX: usize = 200;
/// What says nothing about which documents fit. `default` stays: the policies read it.
const REMARKS: [&str; 16] = [
    "$schema",
    "$id",
    "id",
    "$comment",
    "title",
    "description",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentSchema",
    "contentEncoding",
    "contentMediaType",
    "$vocabulary",
    "$anchor",
];

/// A schema in the form that is compared.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// The schema in that form.
    pub value: Value,
    /// The schema as it was written.
    written: Value,
}

/// The formats that draft-07 holds documents against. `regex` is not among them: our validators let every text be one.
const FORMATS: [&str; 16] = [
    "date-time",
    "date",
    "time",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
];

struct Lift<'a> {
    written: &'a Value,
    draft: Draft,
    /// The base that absolute references to the document itself begin with.
    base: Option<String>,
    places: BTreeMap<String, String>,
}

impl Document {
    /// Brings a schema over, or nothing where that cannot be done exactly.
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        let written = schema.value();
        let base = written
            .get("$id")
            .and_then(Value::as_str)
            .map(|id| id.trim_end_matches('#').to_owned());
        let base = base.filter(|base| !base.is_empty());
        let mut lift = Lift { written, draft: schema.draft(), base, places: BTreeMap::new() };
        let mut value = lift.schema(written, true)?;
        let mut lifted = BTreeMap::new();
        while let Some((pointer, name)) = lift
            .places
            .iter()
            .find(|(_, name)| !lifted.contains_key(*name))
            .map(|(p, n)| (p.clone(), n.clone()))
        {
            if lift.places.len() > PLACES_MAX {
                return None;
            }
            let mut place = lift.schema(written.pointer(&pointer)?, pointer.is_empty())?;
            if let Value::Object(node) = &mut place {
                node.remove("$defs");
            }
            lifted.insert(name, place);
        }
        if !lifted.is_empty() {
            let definitions = value.as_object_mut()?.entry("$defs").or_insert_with(|| json!({}));
            definitions.as_object_mut()?.extend(lifted);
        }
        Some(Self { value, written: written.clone() })
    }

    /// The pointer into the schema as it was written that belongs to a pointer into this form. Policies add definitions
    /// and parts; what has no place in the written schema is shown as the nearest place around it.
    pub(super) fn written_pointer(&self, pointer: &str) -> String {
        let mut here = &self.written;
        let mut found = String::new();
        let mut steps = pointer.split('/').skip(1).map(unescape).peekable();
        while let Some(step) = steps.next() {
            if found.is_empty() && step == "$defs" {
                let Some(name) = steps.next() else { break };
                let name = name.trim_end_matches(CLOSED).trim_end_matches(AS_WRITTEN).to_owned();
                let start = name.strip_prefix(PLACE).map_or_else(
                    || {
                        let keyword = ["$defs", "definitions"].into_iter().find(|keyword| {
                            self.written.get(keyword).is_some_and(|all| all.get(&name).is_some())
                        });
                        keyword.map(|keyword| format!("/{keyword}/{}", escape(&name)))
                    },
                    |place| Some(place.to_owned()),
                );
                match start.and_then(|start| Some((self.written.pointer(&start)?, start))) {
                    Some((node, start)) => (here, found) = (node, start),
                    None => break,
                }
                continue;
            }
            let step = match step.as_str() {
                "prefixItems" if here.get("prefixItems").is_none() => "items".to_owned(),
                "items"
                    if here.get("items").is_some_and(Value::is_array)
                        && !next_is_index(steps.peek()) =>
                {
                    "additionalItems".to_owned()
                }
                "dependentRequired" | "dependentSchemas" if here.get(&step).is_none() => {
                    "dependencies".to_owned()
                }
                _ => step,
            };
            let inner = match here {
                Value::Object(node) => node.get(&step),
                Value::Array(list) => step.parse::<usize>().ok().and_then(|index| list.get(index)),
                _ => None,
            };
            let Some(inner) = inner else { break };
            here = inner;
            found.push('/');
            found.push_str(&escape(&step));
        }
        found
    }
}

/// The definition that a reference names.
pub(super) fn definition_name(reference: &str) -> Option<String> {
    percent_decoded(reference.strip_prefix(DEFINITIONS)?).map(|name| unescape(&name))
}

/// The reference that names a definition.
pub(super) fn reference_to(name: &str) -> Value {
    json!({"$ref": address(name)})
}

/// The fragment that leads to a definition: only letters that a fragment may hold.
fn address(name: &str) -> String {
    let mut address = DEFINITIONS.to_owned();
    for byte in escape(name).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

/// What a reference leads to.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.get("$defs")?.get(definition_name(reference)?)
}

/// A part of a schema that stands alone: with those definitions it reaches, and no others.
pub(super) fn standing_alone(part: Value, root: &Value) -> Value {
    let mut reached = Node::new();
    let mut waiting = Vec::new();
    references(&part, &mut waiting);
    while let Some(name) = waiting.pop() {
        if reached.contains_key(&name) {
            continue;
        }
        if let Some(body) = root.get("$defs").and_then(|all| all.get(&name)) {
            references(body, &mut waiting);
            reached.insert(name, body.clone());
        }
    }
    match part {
        Value::Object(mut node) => {
            node.remove("$defs");
            if !reached.is_empty() {
                node.insert("$defs".to_owned(), Value::Object(reached));
            }
            Value::Object(node)
        }
        other => other,
    }
}

/// The names of the definitions that a schema refers to, outside its own `$defs`.
pub(super) fn references(schema: &Value, names: &mut Vec<String>) {
    let Value::Object(node) = schema else { return };
    names.extend(node.get("$ref").and_then(Value::as_str).and_then(definition_name));
    keywords::visit(node, |_, role, inner| {
        if role != keywords::Role::Definition {
            references(inner, names);
        }
    });
}

impl Lift<'_> {
    fn schema(&mut self, schema: &Value, is_root: bool) -> Option<Value> {
        let Value::Object(written) = schema else {
            return schema.is_boolean().then(|| schema.clone());
        };
        // An inner `$id` starts a document of its own; one that is only a name for references does not.
        let base =
            written.get("$id").and_then(Value::as_str).is_some_and(|id| !id.starts_with('#'));
        if !is_root && base || written.contains_key("$dynamicRef") {
            return None;
        }
        let asserts_content = self.draft == Draft::Draft07
            && (written.contains_key("contentEncoding")
                || written.contains_key("contentMediaType"));
        if asserts_content || written.contains_key("$recursiveRef") {
            return None;
        }
        let mut node = Node::new();
        if let Some(reference) = written.get("$ref") {
            node.insert("$ref".to_owned(), self.reference(reference.as_str()?)?);
            // Before 2019-09 a reference hides what stands next to it.
            if self.draft == Draft::Draft07 {
                for keyword in ["$defs", "definitions"] {
                    if is_root && let Some(inner) = written.get(keyword) {
                        self.keyword(&mut node, written, keyword, inner)?;
                    }
                }
                return Some(Value::Object(node));
            }
        }
        for (keyword, value) in written {
            self.keyword(&mut node, written, keyword, value)?;
        }
        Some(Value::Object(node))
    }

    fn keyword(
        &mut self,
        node: &mut Node,
        written: &Node,
        keyword: &str,
        value: &Value,
    ) -> Option<()> {
        match keyword {
            "$ref" => {}
            _ if REMARKS.contains(&keyword) => {}
            "format" if !self.asserts(value) => {}
            "$defs" | "definitions" => {
                let mut lifted = Node::new();
                for (name, inner) in value.as_object()? {
                    lifted.insert(name.clone(), self.schema(inner, false)?);
                }
                let all = node.entry("$defs").or_insert_with(|| json!({}));
                all.as_object_mut()?.extend(lifted);
            }
            "items" if value.is_array() => {
                let prefix: Option<Vec<_>> =
                    value.as_array()?.iter().map(|item| self.schema(item, false)).collect();
                node.insert("prefixItems".to_owned(), Value::Array(prefix?));
                if let Some(rest) = written.get("additionalItems") {
                    node.insert("items".to_owned(), self.schema(rest, false)?);
                }
            }
            "additionalItems" => {}
            "dependencies" => {
                for (name, needed) in value.as_object()? {
                    let (keyword, needed) = if needed.is_array() {
                        ("dependentRequired", needed.clone())
                    } else {
                        ("dependentSchemas", self.schema(needed, false)?)
                    };
                    let all = node.entry(keyword).or_insert_with(|| json!({}));
                    all.as_object_mut()?.insert(name.clone(), needed);
                }
            }
            _ => {
                let mut exact = true;
                let lifted = keywords::map_one(keyword, value, &mut |_, _, inner| {
                    self.schema(inner, false).unwrap_or_else(|| {
                        exact = false;
                        Value::Null
                    })
                });
                if !exact {
                    return None;
                }
                node.insert(keyword.to_owned(), lifted);
            }
        }
        Some(())
    }

    /// In 2020-12 a format is a remark.
    fn asserts(&self, format: &Value) -> bool {
        self.draft == Draft::Draft07
            && format.as_str().is_some_and(|format| FORMATS.contains(&format))
    }

    fn reference(&mut self, reference: &str) -> Option<Value> {
        let inner =
            self.base.as_deref().and_then(|base| reference.strip_prefix(base)).unwrap_or(reference);
        let pointer = if inner.is_empty() { "" } else { inner.strip_prefix('#')? };
        let mut pointer = percent_decoded(pointer)?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            pointer = anchored(self.written, &pointer)?;
        }
        let mut steps = pointer.split('/').skip(1);
        let name = match (steps.next(), steps.next(), steps.next()) {
            (Some("$defs" | "definitions"), Some(name), None) => unescape(name),
            _ => self
                .places
                .entry(pointer.clone())
                .or_insert_with(|| format!("{PLACE}{pointer}"))
                .clone(),
        };
        Some(address(&name).into())
    }
}

fn next_is_index(step: Option<&String>) -> bool {
    step.is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()))
}

fn percent_decoded(pointer: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut rest = pointer.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The place that a schema gave a name for references.
fn anchored(schema: &Value, name: &str) -> Option<String> {
    match schema {
        Value::Object(node) => {
            let named = |keyword: &str, start: &str| {
                node.get(keyword).and_then(Value::as_str).and_then(|id| id.strip_prefix(start))
                    == Some(name)
            };
            if named("$anchor", "") || named("$id", "#") {
                return Some(String::new());
            }
            let schemas = node.iter().filter(|(keyword, _)| {
                !["enum", "const", "default", "examples"].contains(&keyword.as_str())
            });
            schemas.into_iter().find_map(|(step, inner)| {
                anchored(inner, name).map(|rest| format!("/{}{rest}", escape(step)))
            })
        }
        Value::Array(all) => all
            .iter()
            .enumerate()
            .find_map(|(index, inner)| anchored(inner, name).map(|rest| format!("/{index}{rest}"))),
        _ => None,
    }
}
