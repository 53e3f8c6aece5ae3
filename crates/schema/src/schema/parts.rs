//! Finds the parts of a schema.
//!
//! It must stay true that nothing leads out of the document, and that what leads to a part by a reference and by a
//! keyword leads to the same one.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Draft, Unusable,
    graph::{At, Graph, InPlace, Part},
    refs,
};

/// Most bytes of JSON Pointers that a compiled schema may hold: it keeps one for every keyword, and a long name in the
/// way of many parts is in all of theirs.
const POINTERS_MAX: usize = 8 << 20;

impl<'a> Graph<'a> {
    /// Finds the parts of a schema.
    pub(super) fn of(root: &'a Value, draft: Draft) -> Result<Self, Unusable> {
        let mut builder = Builder {
            root,
            draft,
            parts: Vec::new(),
            known: HashMap::new(),
            seen: 0,
            anchors: HashMap::new(),
            references: Vec::new(),
            pointers: 0,
        };
        builder.add(root, String::new());
        builder.look_at_all()?;
        builder.resolve()?;
        Ok(Self { parts: builder.parts })
    }
}

struct Builder<'a> {
    root: &'a Value,
    draft: Draft,
    parts: Vec<Part<'a>>,
    /// The parts by their address in memory, so that a reference to one is that one.
    known: HashMap<*const Value, usize>,
    /// How many parts were looked at.
    seen: usize,
    anchors: HashMap<&'a str, &'a Value>,
    references: Vec<(usize, &'a str)>,
    pointers: usize,
}

impl<'a> Builder<'a> {
    fn add(&mut self, value: &'a Value, pointer: String) -> usize {
        *self.known.entry(std::ptr::from_ref(value)).or_insert_with(|| {
            let keywords = value.as_object().map_or(0, Map::len);
            self.pointers += pointer.len() * (keywords + 1);
            let only_ref = self.draft == Draft::Draft07 && value.get("$ref").is_some();
            self.parts.push(Part {
                pointer,
                value,
                only_ref,
                in_place: Vec::new(),
                inner: Vec::new(),
            });
            self.parts.len() - 1
        })
    }

    fn look_at_all(&mut self) -> Result<(), Unusable> {
        while self.seen < self.parts.len() {
            let inner = members_within(self.parts[self.seen].value);
            let pointers = self.pointers + inner * self.parts[self.seen].pointer.len();
            if pointers > POINTERS_MAX {
                return Err(Unusable {
                    pointer: String::new(),
                    reason: "has names too long for how deep and how often they stand before \
                             others; shorten them"
                        .to_owned(),
                });
            }
            self.look_at(self.seen)?;
            self.seen += 1;
        }
        Ok(())
    }

    /// Finds what a part leads to.
    fn look_at(&mut self, part: usize) -> Result<(), Unusable> {
        let Value::Object(schema) = self.parts[part].value else { return Ok(()) };
        self.refuse_what_leads_out(part, schema)?;
        if let Some(Value::String(reference)) = schema.get("$ref") {
            self.references.push((part, reference));
        }
        if self.parts[part].only_ref {
            return Ok(());
        }
        for (keyword, value) in schema {
            self.keyword(part, schema, keyword, value);
        }
        Ok(())
    }

    fn keyword(
        &mut self,
        part: usize,
        schema: &'a Map<String, Value>,
        keyword: &'a str,
        value: &'a Value,
    ) {
        let newest = self.draft == Draft::Draft202012;
        let prefix = |name| schema.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        match keyword {
            "allOf" => self.in_place_each(part, keyword, value, InPlace::AllOf),
            "anyOf" => self.in_place_each(part, keyword, value, InPlace::AnyOf),
            "oneOf" => self.in_place_each(part, keyword, value, InPlace::OneOf),
            "not" => self.in_place(part, keyword, value, InPlace::Not),
            "if" => self.in_place(part, keyword, value, InPlace::If),
            "then" if schema.contains_key("if") => {
                self.in_place(part, keyword, value, InPlace::Then);
            }
            "else" if schema.contains_key("if") => {
                self.in_place(part, keyword, value, InPlace::Else);
            }
            "dependentSchemas" | "dependencies" => {
                self.in_place_each(part, keyword, value, InPlace::Dependent);
            }
            "properties" => self.inner_each(part, keyword, value, At::Name),
            "patternProperties" => self.inner_each(part, keyword, value, At::Pattern),
            "additionalProperties" => self.inner(part, keyword, value, At::OtherName),
            "unevaluatedProperties" if newest => self.inner(part, keyword, value, At::OtherName),
            "propertyNames" => self.inner(part, keyword, value, At::Key),
            "contains" => self.inner(part, keyword, value, At::Contains),
            "prefixItems" if newest => self.items(part, keyword, value),
            "items" | "unevaluatedItems" if newest => {
                self.inner(part, keyword, value, At::From(prefix("prefixItems")));
            }
            "items" if value.is_array() => self.items(part, keyword, value),
            "items" => self.inner(part, keyword, value, At::From(0)),
            "additionalItems" if !newest && schema.get("items").is_some_and(Value::is_array) => {
                self.inner(part, keyword, value, At::From(prefix("items")));
            }
            "$defs" | "definitions" => {
                for (pointer, value) in self.members(part, keyword, value) {
                    self.add(value.1, pointer);
                }
            }
            "then" | "else" | "contentSchema" => {
                let pointer = self.pointer(part, keyword);
                self.add(value, pointer);
            }
            _ => {}
        }
    }

    fn pointer(&self, part: usize, keyword: &str) -> String {
        format!("{}/{keyword}", self.parts[part].pointer)
    }

    /// The schemas in an array or object, each with its pointer and its name.
    fn members(
        &self,
        part: usize,
        keyword: &str,
        value: &'a Value,
    ) -> Vec<(String, (&'a str, &'a Value))> {
        let pointer = self.pointer(part, keyword);
        let schema = |value: &Value| value.is_object() || value.is_boolean();
        match value {
            Value::Array(items) => (items.iter().enumerate())
                .filter(|(_, value)| schema(value))
                .map(|(number, value)| (format!("{pointer}/{number}"), ("", value)))
                .collect(),
            Value::Object(members) => (members.iter())
                .filter(|(_, value)| schema(value))
                .map(|(name, value)| {
                    (format!("{pointer}/{}", refs::escape(name)), (name.as_str(), value))
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn in_place(&mut self, part: usize, keyword: &str, value: &'a Value, how: InPlace) {
        let to = self.add(value, self.pointer(part, keyword));
        self.parts[part].in_place.push((how, to));
    }

    fn in_place_each(&mut self, part: usize, keyword: &str, value: &'a Value, how: InPlace) {
        for (pointer, (_, value)) in self.members(part, keyword, value) {
            let to = self.add(value, pointer);
            self.parts[part].in_place.push((how, to));
        }
    }

    fn inner(&mut self, part: usize, keyword: &str, value: &'a Value, at: At<'a>) {
        let to = self.add(value, self.pointer(part, keyword));
        self.parts[part].inner.push((at, to));
    }

    fn inner_each(
        &mut self,
        part: usize,
        keyword: &str,
        value: &'a Value,
        at: fn(&'a str) -> At<'a>,
    ) {
        for (pointer, (name, value)) in self.members(part, keyword, value) {
            let to = self.add(value, pointer);
            self.parts[part].inner.push((at(name), to));
        }
    }

    fn items(&mut self, part: usize, keyword: &str, value: &'a Value) {
        for (number, (pointer, (_, value))) in
            self.members(part, keyword, value).into_iter().enumerate()
        {
            let to = self.add(value, pointer);
            self.parts[part].inner.push((At::Index(number), to));
        }
    }

    /// Refuses what gives a part an address or a dialect of its own, or refers to whoever asks.
    fn refuse_what_leads_out(
        &mut self,
        part: usize,
        schema: &'a Map<String, Value>,
    ) -> Result<(), Unusable> {
        let pointer = |keyword| self.pointer(part, keyword);
        if let Some(keyword) =
            ["$dynamicRef", "$recursiveRef"].into_iter().find(|name| schema.contains_key(*name))
        {
            return Err(Unusable {
                pointer: pointer(keyword),
                reason: "means another schema depending on who asks, so nothing can be proved of it; write $ref".to_owned(),
            });
        }
        let dialect = schema.get("$schema").and_then(Value::as_str);
        if dialect.is_some_and(|uri| Draft::from_uri(uri) != Some(self.draft)) {
            return Err(Unusable {
                pointer: pointer("$schema"),
                reason: "names another dialect than the whole schema; write all of it in one"
                    .to_owned(),
            });
        }
        let id = schema.get("$id").and_then(Value::as_str);
        let by_id = id.filter(|_| self.draft == Draft::Draft07).and_then(|id| id.strip_prefix('#'));
        if id.is_some() && by_id.is_none() && part != 0 {
            return Err(Unusable {
                pointer: pointer("$id"),
                reason: "gives a part of the schema an address of its own, from which references would be read; leave \
                         it out and refer with #/$defs/…"
                    .to_owned(),
            });
        }
        let text = |keyword| schema.get(keyword).and_then(Value::as_str);
        for anchor in [by_id, text("$anchor"), text("$dynamicAnchor")].into_iter().flatten() {
            let before = self.anchors.insert(anchor, self.parts[part].value);
            if before.is_some() {
                return Err(Unusable {
                    pointer: self.parts[part].pointer.clone(),
                    reason: "has an anchor that another part has too; name each differently"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Follows the references, also to places that are no keyword's, as in `#/components/schemas/…`.
    fn resolve(&mut self) -> Result<(), Unusable> {
        let mut done = 0;
        while let Some(&(part, reference)) = self.references.get(done) {
            let refused = |reason: &str| Unusable {
                pointer: self.pointer(part, "$ref"),
                reason: reason.to_owned(),
            };
            if !reference.starts_with('#') {
                return Err(refused(
                    "refers to something outside of this schema, and nothing is fetched; copy it under $defs and refer \
                     with #/$defs/…",
                ));
            }
            let fragment = refs::fragment(reference)
                .ok_or_else(|| refused("is no reference that can be read"))?;
            let target = if fragment.is_empty() || fragment.starts_with('/') {
                self.root.pointer(&fragment)
            } else {
                self.anchors.get(fragment.as_str()).copied()
            };
            let target = target.ok_or_else(|| refused("leads to nothing in this schema"))?;
            if !target.is_object() && !target.is_boolean() {
                return Err(refused("leads to something that is no schema"));
            }
            if !self.known.contains_key(&std::ptr::from_ref(target)) {
                super::check_meta(self.draft, target, &fragment)?;
            }
            let to = self.add(target, fragment);
            self.parts[part].in_place.push((InPlace::Ref, to));
            done += 1;
            self.look_at_all()?;
        }
        Ok(())
    }
}

/// How many values stand under the keywords of a schema, each of which may become a part.
fn members_within(schema: &Value) -> usize {
    let within = |value: &Value| match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 1,
    };
    schema.as_object().map_or(0, |schema| schema.values().map(within).sum())
}
