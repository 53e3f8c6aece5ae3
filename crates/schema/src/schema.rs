//! A schema that may be used: it is one, it needs nothing from outside, and no document can make it work for long.
//!
//! It must stay true that whatever a sender writes as a schema is answered within a tenth of a second and leaves the
//! process as it was. So nothing is compiled before it is known to be small.

mod draft;
mod graph;
mod limits;
mod order;
mod parts;
mod patterns;
mod refs;
mod work;

use std::borrow::Cow;

use serde_json::Value;

pub use self::draft::Draft;
pub(crate) use self::{
    graph::{At, Graph, InPlace, Part},
    limits::Walk,
    patterns::{PATTERN_MAX, pattern_matches},
};
use crate::{Validator, validator::unique};

/// Largest schema in bytes of JSON text.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// Deepest that a document and the schemas asked in a row about one value may be together, as a product: each is a step
/// down the stack of the thread that looks.
const STACK_MAX: usize = 1024;

/// A JSON Schema (2020-12 where it names no other draft) that was looked at and may be used.
#[derive(Clone, Debug)]
pub struct Schema {
    value: Value,
    draft: Draft,
    validator: Validator,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", if pointer.is_empty() { "the schema" } else { pointer })]
pub struct Unusable {
    /// JSON Pointer (RFC 6901) to what is wrong in the schema; empty for the whole.
    pub pointer: String,
    /// What is wrong, and what to do instead.
    pub reason: String,
}

/// How much work a schema can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Most checks of one value.
    pub(crate) checks: u64,
    /// Deepest document that it is held against.
    pub(crate) depth_max: usize,
    /// Whether it has `anyOf` or `oneOf`.
    pub(crate) alternatives: bool,
}

impl Schema {
    /// Looks at a schema and compiles it.
    ///
    /// # Errors
    /// When it is no schema, needs something from outside, or could take too long.
    pub fn new(value: Value) -> Result<Self, Unusable> {
        if let Err(unusable) = limits::check(&value) {
            limits::dismantle(value);
            return Err(unusable);
        }
        let (draft, validator) = look_at(&value)?;
        Ok(Self { value, draft, validator })
    }

    /// Reads a schema as it is written in a file or a request.
    ///
    /// # Errors
    /// When it is no JSON, and as [`Schema::new`].
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        // Blanks do not count, within reason.
        if text.len() > 4 * SCHEMA_BYTES_MAX {
            return Err(limits::too_large());
        }
        let value = serde_json::from_str(text).map_err(|error| Unusable {
            pointer: String::new(),
            reason: format!("is no JSON: {error}"),
        })?;
        Self::new(value)
    }

    /// The schema as it was written.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether this is the same schema in other writing: members in another order, `1.0` for `1`, or a `$schema` that only
    /// names the dialect that is meant without it.
    pub fn says_the_same(&self, other: &Value) -> bool {
        unique::compare(&undeclared(&self.value), &undeclared(other)).is_eq()
    }

    /// The dialect that it is written in.
    pub fn draft(&self) -> Draft {
        self.draft
    }

    /// The compiled schema.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// The schema as parts that lead to each other; nothing only if it was not looked at.
    pub(crate) fn graph(&self) -> Option<Graph<'_>> {
        Graph::of(&self.value, self.draft).ok()
    }
}

/// A schema without the `$schema` that it does not need.
fn undeclared(schema: &Value) -> Cow<'_, Value> {
    let uri = schema.get("$schema").and_then(Value::as_str);
    if uri.and_then(Draft::from_uri) != Some(Draft::default()) {
        return Cow::Borrowed(schema);
    }
    let mut schema = schema.clone();
    schema.as_object_mut().and_then(|members| members.remove("$schema"));
    Cow::Owned(schema)
}

fn look_at(value: &Value) -> Result<(Draft, Validator), Unusable> {
    let draft = Draft::of(value)?;
    check_meta(draft, value, "")?;
    let graph = Graph::of(value, draft)?;
    let order = order::of(&graph)?;
    let checks = work::measure(&graph, &order)?;
    patterns::check(&graph)?;
    let alternative = |(how, _): &(InPlace, usize)| matches!(how, InPlace::AnyOf | InPlace::OneOf);
    let work = Work {
        checks,
        depth_max: (STACK_MAX / order.chain).min(work::DEPTH_MAX),
        alternatives: graph.parts.iter().any(|part| part.in_place.iter().any(alternative)),
    };
    let id = value.get("$id").and_then(Value::as_str);
    let validator = match id {
        // An address of its own could be one that the engine knows as something else.
        Some(id) if !id.starts_with('#') => {
            let mut nameless = value.clone();
            nameless.as_object_mut().and_then(|schema| schema.remove("$id"));
            Validator::of(&nameless, draft, work)?
        }
        _ => Validator::of(value, draft, work)?,
    };
    Ok((draft, validator))
}

/// Holds a schema, or a part of one, against the schema of schemas.
fn check_meta(draft: Draft, value: &Value, pointer: &str) -> Result<(), Unusable> {
    let checked = match draft {
        Draft::Draft07 => jsonschema::draft7::meta::validate(value),
        Draft::Draft202012 => jsonschema::draft202012::meta::validate(value),
    };
    checked.map_err(|error| {
        let at = error.instance_path().as_str();
        let reason = match at.rsplit('/').next() {
            Some("type") => "must be string, number, integer, boolean, object, array or null, or an array of them".to_owned(),
            _ if at.is_empty() && !value.is_object() => "must be an object, true or false".to_owned(),
            _ => shorten(error.to_string()),
        };
        Unusable { pointer: format!("{pointer}{at}"), reason }
    })
}

/// A message that quotes the schema, cut to a readable length.
fn shorten(mut message: String) -> String {
    const LONGEST: usize = 300;
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    message
}
