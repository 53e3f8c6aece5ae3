//! Where things are in a document: references followed, and which places hold a schema.
//!
//! It must stay true that every walk ends: references are followed a bounded number of times, and nothing outside of the
//! document is asked for.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::NotImported;

/// Most references from one to the next; more is a circle.
const HOPS_MAX: usize = 32;
/// Levels that the search for anchors goes down.
const ANCHOR_DEPTH_MAX: usize = 128;

/// What a keyword of JSON Schema holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A schema.
    Schema,
    /// A schema, or an array of them.
    SchemaOrList,
    /// An array of schemas.
    List,
    /// An object of schemas.
    Named,
    /// An object of schemas or of anything else.
    NamedOrOther,
    /// No schema.
    Data,
}

/// What a keyword holds, in any draft.
pub(super) fn holds(keyword: &str) -> Holds {
    match keyword {
        "additionalItems"
        | "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::Schema,
        "items" => Holds::SchemaOrList,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::List,
        "$defs" | "definitions" | "dependentSchemas" | "patternProperties" | "properties" => {
            Holds::Named
        }
        "dependencies" => Holds::NamedOrOther,
        _ => Holds::Data,
    }
}

/// A document with what can be referred to in it by name.
pub(super) struct Source<'a> {
    pub(super) document: &'a Value,
    /// Whether the document itself is a schema.
    pub(super) is_schema: bool,
    /// Absolute names of schemas, with their places.
    ids: BTreeMap<&'a str, String>,
    /// Anchors by the place of the schema resource in which they are names.
    anchors: BTreeMap<String, BTreeMap<&'a str, String>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(document: &'a Value, is_schema: bool) -> Self {
        let mut ids = BTreeMap::new();
        let own = is_schema.then(|| (String::new(), document));
        let parts =
            if is_schema { &["/$defs", "/definitions"][..] } else { &["/components/schemas"] };
        let schemas = parts.iter().flat_map(|part| {
            let members = document.pointer(part).and_then(Value::as_object).into_iter().flatten();
            members.map(move |(name, schema)| (format!("{part}/{}", escaped(name)), schema))
        });
        for (pointer, schema) in own.into_iter().chain(schemas) {
            if let Some(id) = id_of(schema) {
                ids.entry(id.trim_end_matches('#')).or_insert(pointer);
            }
        }
        Self { document, is_schema, ids, anchors: BTreeMap::new() }
    }

    /// What stands at a place, after the reference objects of the format (not those of schemas).
    pub(super) fn follow(&self, pointer: String) -> Result<(String, &'a Value), NotImported> {
        let mut at = pointer.clone();
        for _ in 0..HOPS_MAX {
            let value = self
                .document
                .pointer(&at)
                .ok_or_else(|| refused(&pointer, "refers to a place that is not there"))?;
            match value.get("$ref") {
                None => return Ok((at, value)),
                Some(Value::String(reference)) => {
                    let fragment =
                        reference.strip_prefix('#').ok_or_else(|| outside(&at, reference))?;
                    at = decoded(fragment, &at)?.into_owned();
                }
                Some(_) => return Err(refused(&at, "has a `$ref` that is not a text")),
            }
        }
        Err(refused(&pointer, "refers to itself in a circle"))
    }

    /// The place of the schema that a `$ref` at a place leads to.
    pub(super) fn resolve(
        &mut self,
        reference: &str,
        base: &str,
        at: &str,
    ) -> Result<String, NotImported> {
        let (resource, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = match self.ids.get(resource) {
            _ if resource.is_empty() => base,
            Some(place) => &place.clone(),
            None => return Err(outside(at, reference)),
        };
        let fragment = decoded(fragment, at)?;
        if !fragment.is_empty() && !fragment.starts_with('/') {
            let document = self.document;
            let anchors = self.anchors.entry(base.to_owned()).or_insert_with(|| {
                let mut found = BTreeMap::new();
                if let Some(value) = document.pointer(base) {
                    find_anchors(value, &mut base.to_owned(), ANCHOR_DEPTH_MAX, &mut found);
                }
                found
            });
            return anchors
                .get(&*fragment)
                .cloned()
                .ok_or_else(|| refused(at, "refers to an anchor that is not there"));
        }
        // Authors who give a component an `$id` often still mean the document by `#`.
        let places = [format!("{base}{fragment}"), fragment.into_owned()];
        let there = places.into_iter().find(|place| self.document.pointer(place).is_some());
        there.ok_or_else(|| refused(at, "refers to a place that is not there"))
    }

    /// The place of the schema resource around a schema, or `None` when the place does not hold a schema.
    ///
    /// `known` is a place that holds a schema because of where it stands in the document.
    pub(super) fn base_of(&self, pointer: &str, known: &str) -> Option<String> {
        if self.is_schema {
            return self.base_within("", pointer);
        }
        let tokens: Vec<_> = pointer.split('/').skip(1).collect();
        let root = match &tokens[..] {
            ["components", "schemas", _, ..] => Some(3),
            // Bodies of requests and payloads of messages, wherever they stand.
            _ => tokens
                .iter()
                .skip(3)
                .position(|token| matches!(*token, "schema" | "payload"))
                .map(|at| at + 4),
        };
        let root = root.map(|root| {
            tokens.iter().take(root).fold(String::new(), |at, token| format!("{at}/{token}"))
        });
        root.and_then(|root| self.base_within(&root, pointer))
            .or_else(|| self.base_within(known, pointer))
    }

    /// The same, for a place in the schema that stands at `root`, or in the schema within what names its format.
    fn base_within(&self, root: &str, pointer: &str) -> Option<String> {
        let rest =
            pointer.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let formatted = !self.is_schema && self.document.pointer(root).is_some_and(is_formatted);
        let mut at = root.to_owned();
        if formatted && (rest == "/schema" || rest.starts_with("/schema/")) {
            at.push_str("/schema");
        }
        let tokens: Vec<_> = pointer.get(at.len()..)?.split('/').skip(1).collect();
        let (mut tokens, mut base) = (&tokens[..], String::new());
        let mut schema = self.document.pointer(&at)?;
        while let Some(keyword) = tokens.first() {
            if id_of(schema).is_some() {
                base.clone_from(&at);
            }
            let keyword = plain(keyword);
            let steps = match (holds(&keyword), schema.get(&*keyword)?) {
                (Holds::Data, _) => return None,
                (Holds::Schema, _) | (Holds::SchemaOrList, Value::Object(_) | Value::Bool(_)) => 1,
                _ => 2,
            };
            for token in tokens.get(..steps)? {
                at = format!("{at}/{token}");
            }
            tokens = tokens.get(steps..)?;
            schema = self.document.pointer(&at)?;
        }
        (schema.is_object() || schema.is_boolean()).then_some(base)
    }
}

/// Whether a value is a schema with the name of its format beside it, as AsyncAPI has them.
pub(super) fn is_formatted(value: &Value) -> bool {
    value.get("schemaFormat").is_some() && value.get("schema").is_some()
}

/// The absolute or relative name of a schema; not the anchor that draft-07 writes as one.
pub(super) fn id_of(schema: &Value) -> Option<&str> {
    schema.get("$id").and_then(Value::as_str).filter(|id| !id.starts_with('#'))
}

/// An object at a place.
pub(super) fn object<'a>(
    value: &'a Value,
    at: &str,
) -> Result<&'a Map<String, Value>, NotImported> {
    value.as_object().ok_or_else(|| refused(at, "must be an object"))
}

/// A name as a token of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(super) fn refused(pointer: &str, reason: impl Into<String>) -> NotImported {
    NotImported { pointer: pointer.to_owned(), reason: reason.into() }
}

fn outside(at: &str, reference: &str) -> NotImported {
    let reference: String = reference.chars().take(200).collect();
    refused(
        at,
        format!(
            "refers to `{reference}`, which is outside of this document: put what it names under `components` and refer to it there"
        ),
    )
}

/// The name that a token of a JSON Pointer stands for.
fn plain(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        token.replace("~1", "/").replace("~0", "~").into()
    } else {
        token.into()
    }
}

fn decoded<'f>(fragment: &'f str, at: &str) -> Result<Cow<'f, str>, NotImported> {
    percent_decode_str(fragment)
        .decode_utf8()
        .map_err(|_| refused(at, "has a `$ref` that is not UTF-8"))
}

/// Gathers the anchors in a value that is one schema resource: what has its own `$id` is another.
fn find_anchors<'a>(
    value: &'a Value,
    at: &mut String,
    depth: usize,
    found: &mut BTreeMap<&'a str, String>,
) {
    let below: Vec<(Cow<'_, str>, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (escaped(key).into(), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, value)| (n.to_string().into(), value)).collect()
        }
        _ => return,
    };
    let old = value.get("$id").and_then(Value::as_str).and_then(|id| id.strip_prefix('#'));
    if let Some(anchor) = value.get("$anchor").and_then(Value::as_str).or(old) {
        found.entry(anchor).or_insert_with(|| at.clone());
    }
    for (token, value) in below {
        if depth == 0 || id_of(value).is_some() {
            continue;
        }
        let length = at.len();
        at.push('/');
        at.push_str(&token);
        find_anchors(value, at, depth - 1, found);
        at.truncate(length);
    }
}
