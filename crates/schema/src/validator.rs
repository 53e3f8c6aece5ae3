//! One schema, compiled once: the linear-time pattern engine, no reference that leaves the document.
//!
//! A message about a fault must stay short and must not repeat the value that is at fault.

use std::{fmt, sync::Arc};

use jsonschema::PatternOptions;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::Unusable;

/// Most faults that one answer names; a wrong document of a million items would otherwise be a long answer.
const VIOLATIONS_MAX: usize = 20;
/// Longest message of one fault in bytes: a message quotes the schema, and an enumeration may be long.
const MESSAGE_MAX: usize = 300;
/// Longest pointer in bytes: keys of a payload are the sender's choice.
const POINTER_MAX: usize = 500;
/// Largest compiled pattern in bytes; what needs more is an attack or an error.
const PATTERN_MAX: usize = 1 << 20;

/// A compiled schema. Clones share it.
#[derive(Clone)]
pub struct Validator(Arc<jsonschema::Validator>);

/// A place in a payload that does not fit the schema of its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// JSON Pointer (RFC 6901) into the payload; empty for the whole.
    pub pointer: String,
    /// What is wrong there. Never repeats the value: payloads hold personal data.
    pub message: String,
}

impl Validator {
    /// Compiles a schema of any draft, 2020-12 where it names none.
    pub(crate) fn of(schema: &Value) -> Result<Self, Unusable> {
        jsonschema::options()
            .with_pattern_options(
                PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX),
            )
            .offline()
            .build(schema)
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| Unusable {
                pointer: shorten(error.instance_path().as_str().to_owned(), POINTER_MAX),
                reason: shorten(error.masked().to_string(), MESSAGE_MAX),
            })
    }

    /// Whether a document fits.
    pub fn is_valid(&self, document: &Value) -> bool {
        self.0.is_valid(document)
    }

    /// The places where a document does not fit, first the first, at most twenty.
    pub fn violations(&self, document: &Value) -> Vec<Violation> {
        if self.is_valid(document) {
            return Vec::new();
        }
        let fault = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: shorten(error.instance_path().as_str().to_owned(), POINTER_MAX),
            message: shorten(error.masked().to_string(), MESSAGE_MAX),
        };
        self.0.iter_errors(document).take(VIOLATIONS_MAX).map(fault).collect()
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").finish_non_exhaustive()
    }
}

fn shorten(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}
