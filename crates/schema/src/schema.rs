//! A schema that may be used: it is one, it needs nothing from outside, and no document can make it work for long.
//!
//! It must stay true that whatever a sender writes as a schema is answered within a tenth of a second and leaves the
//! process as it was.

use serde_json::Value;

use crate::Validator;

/// Largest schema in bytes of JSON text.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// A JSON Schema (2020-12 where it names no other draft) that was looked at and may be used.
#[derive(Clone, Debug)]
pub struct Schema {
    value: Value,
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

impl Schema {
    /// Looks at a schema and compiles it.
    ///
    /// # Errors
    /// When it is no schema, needs something from outside, or could take too long.
    pub fn new(value: Value) -> Result<Self, Unusable> {
        let validator = Validator::of(&value)?;
        Ok(Self { value, validator })
    }

    /// The schema as it was written.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The compiled schema.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }
}
