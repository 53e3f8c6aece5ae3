//! One schema out of a document, with everything it refers to inside.
//!
//! It must stay true that the work is bounded by the size of what comes out: each schema that is referred to is copied
//! once, and the copy ends at the limit of a schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    NotImported,
    place::{Holds, Source, escaped, holds, id_of, is_formatted, refused},
};
use crate::SCHEMA_BYTES_MAX;

/// Most levels of JSON in a schema, as a schema that may be used has.
const LEVELS_MAX: usize = 64;
/// What can be read in one document, in bytes of schemas; a thousand small schemas that all refer to one large one would
/// otherwise become a quarter of a gigabyte.
const ALL_BYTES_MAX: usize = 16 << 20;

/// How much may still be copied out of one document.
pub(super) struct Budget(usize);

/// Where a schema is expected, and how references are written in the one that comes out.
pub(super) struct Target<'a> {
    /// The place that holds a schema because of where it stands; the schema may be elsewhere and only referred to there.
    pub(super) known: &'a str,
    /// What stands before them: `#`, or the place that the schema will have in a document.
    pub(super) prefix: &'a str,
    /// The keyword that holds what is referred to.
    pub(super) definitions: &'a str,
}

/// The schema at one place on its way out.
struct Bundle<'s, 'a> {
    source: &'s mut Source<'a>,
    budget: &'s mut Budget,
    target: &'s Target<'s>,
    root: &'s str,
    /// The place that is being copied.
    at: String,
    bytes: usize,
    names: BTreeMap<String, String>,
    suffixes: BTreeMap<String, usize>,
    waiting: Vec<(String, String)>,
}

impl Default for Budget {
    fn default() -> Self {
        Self(ALL_BYTES_MAX)
    }
}

/// Copies the schema at a place with everything that it refers to.
pub(super) fn bundle(
    source: &mut Source<'_>,
    budget: &mut Budget,
    root: &str,
    target: &Target<'_>,
) -> Result<Value, NotImported> {
    let mut bundle = Bundle {
        source,
        budget,
        target,
        root,
        at: root.to_owned(),
        bytes: 0,
        names: BTreeMap::new(),
        suffixes: BTreeMap::new(),
        waiting: Vec::new(),
    };
    let mut schema = bundle.place(root)?;
    let mut definitions = Map::new();
    while let Some((pointer, name)) = bundle.waiting.pop() {
        let copied = bundle.place(&pointer)?;
        definitions.insert(name, copied);
    }
    if !definitions.is_empty() {
        definitions.sort_keys();
        schema[target.definitions] = Value::Object(definitions);
    }
    Ok(schema)
}

impl Bundle<'_, '_> {
    fn place(&mut self, pointer: &str) -> Result<Value, NotImported> {
        pointer.clone_into(&mut self.at);
        let base = self.source.base_of(pointer, self.target.known);
        let (Some(base), Some(value)) = (base, self.source.document.pointer(pointer)) else {
            return Err(refused(pointer, "is referred to as a schema and is none"));
        };
        self.schema(value, &base, 0)
    }

    fn schema(&mut self, value: &Value, base: &str, level: usize) -> Result<Value, NotImported> {
        let members = match value {
            Value::Object(members) => members,
            Value::Bool(_) => return self.data(value, level),
            _ => {
                return Err(refused(&self.at, "is no schema: it must be an object, true or false"));
            }
        };
        self.pay(2, level)?;
        let own = id_of(value).map(|_| self.at.clone());
        let base = own.as_deref().unwrap_or(base);
        let mut copy = Map::new();
        for (keyword, value) in members {
            let value = match keyword.as_str() {
                // Names of schemas, because every reference is rewritten to a place; and words of OpenAPI and
                // AsyncAPI that no validator looks at, with references of their own.
                "$id" | "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" | "$defs"
                | "definitions" | "$schema" | "discriminator" | "xml" | "externalDocs" => continue,
                "nullable" if self.source.is_schema || *value != json!(true) => continue,
                "nullable" => {
                    return Err(refused(
                        &self.at,
                        "has `nullable`, a word of OpenAPI 3.0; in 3.1 add \"null\" to its `type` instead",
                    ));
                }
                "$dynamicRef" | "$recursiveRef" => {
                    return Err(refused(
                        &self.at,
                        format!("has `{keyword}`, which is not supported: use `$ref`"),
                    ));
                }
                "$ref" => self.reference(value, base)?,
                _ => {
                    self.inside(keyword, |bundle| bundle.keyword(keyword, value, base, level + 1))?
                }
            };
            self.pay(keyword.len() + 4, level)?;
            copy.insert(keyword.clone(), value);
        }
        Ok(Value::Object(copy))
    }

    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        base: &str,
        level: usize,
    ) -> Result<Value, NotImported> {
        match (holds(keyword), value) {
            (Holds::List | Holds::SchemaOrList, Value::Array(items)) => {
                let mut copy = Vec::new();
                for (place, item) in items.iter().enumerate() {
                    copy.push(self.inside(&place.to_string(), |bundle| {
                        bundle.schema(item, base, level + 1)
                    })?);
                }
                Ok(Value::Array(copy))
            }
            (Holds::Named | Holds::NamedOrOther, Value::Object(members)) => {
                let other = holds(keyword) == Holds::NamedOrOther;
                let mut copy = Map::new();
                for (name, value) in members {
                    self.pay(name.len() + 4, level)?;
                    let value = self.inside(name, |bundle| match value {
                        Value::Array(_) if other => bundle.data(value, level + 1),
                        _ => bundle.schema(value, base, level + 1),
                    })?;
                    copy.insert(name.clone(), value);
                }
                Ok(Value::Object(copy))
            }
            (Holds::Schema | Holds::SchemaOrList, _) => self.schema(value, base, level),
            // No schema, or not what the keyword needs: then whoever uses the schema will say so.
            _ => self.data(value, level),
        }
    }

    fn reference(&mut self, value: &Value, base: &str) -> Result<Value, NotImported> {
        let Value::String(reference) = value else {
            return Err(refused(&self.at, "has a `$ref` that is not a text"));
        };
        let mut place = self.source.resolve(reference, base, &self.at)?;
        if self.source.document.pointer(&place).is_some_and(is_formatted) && !self.source.is_schema
        {
            place.push_str("/schema");
        }
        let Target { prefix, definitions, .. } = *self.target;
        if place == self.root {
            return Ok(json!(prefix));
        }
        let name = match self.names.get(&place) {
            Some(name) => name.clone(),
            None => self.name(place),
        };
        self.pay(prefix.len() + name.len() + 10, 0)?;
        Ok(json!(format!("{prefix}/{definitions}/{name}")))
    }

    /// Gives a schema that is referred to its name, after the last part of its place.
    fn name(&mut self, place: String) -> String {
        let fitting = |letter: char| {
            if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' }
        };
        let last = place.trim_end_matches("/schema").rsplit('/').next().unwrap_or_default();
        let plain: String =
            last.replace("~1", "_").replace("~0", "_").chars().map(fitting).take(80).collect();
        let plain = if plain.is_empty() { "schema".to_owned() } else { plain };
        let mut name = plain.clone();
        while self.suffixes.contains_key(&name) {
            let suffix = self.suffixes.entry(plain.clone()).or_insert(1);
            *suffix += 1;
            name = format!("{plain}-{suffix}");
        }
        self.suffixes.insert(name.clone(), 1);
        self.waiting.push((place.clone(), name.clone()));
        self.names.insert(place, name.clone());
        name
    }

    /// Copies what is no schema, as it is.
    fn data(&mut self, value: &Value, level: usize) -> Result<Value, NotImported> {
        match value {
            Value::Array(items) => {
                self.pay(2, level)?;
                items
                    .iter()
                    .map(|item| self.data(item, level + 1))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            Value::Object(members) => {
                self.pay(2, level)?;
                let mut copy = Map::new();
                for (name, value) in members {
                    self.pay(name.len() + 4, level)?;
                    copy.insert(name.clone(), self.data(value, level + 1)?);
                }
                Ok(Value::Object(copy))
            }
            Value::String(text) => self.pay(text.len() + 3, level).map(|()| value.clone()),
            _ => self.pay(5, level).map(|()| value.clone()),
        }
    }

    fn inside<T>(
        &mut self,
        token: &str,
        work: impl FnOnce(&mut Self) -> Result<T, NotImported>,
    ) -> Result<T, NotImported> {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&escaped(token));
        let done = work(self)?;
        self.at.truncate(length);
        Ok(done)
    }

    /// Counts what is copied.
    fn pay(&mut self, bytes: usize, level: usize) -> Result<(), NotImported> {
        self.bytes += bytes;
        if level > LEVELS_MAX {
            return Err(refused(self.root, format!("is nested deeper than {LEVELS_MAX} levels")));
        }
        if self.bytes > SCHEMA_BYTES_MAX {
            let limit = SCHEMA_BYTES_MAX / 1024;
            return Err(refused(
                self.root,
                format!("is larger than {limit} KiB with everything it refers to"),
            ));
        }
        self.budget.0 = self.budget.0.checked_sub(bytes).ok_or_else(|| {
            let limit = ALL_BYTES_MAX >> 20;
            refused(self.root, format!("is not read: the schemas before it are {limit} MiB together; split the document"))
        })?;
        Ok(())
    }
}
