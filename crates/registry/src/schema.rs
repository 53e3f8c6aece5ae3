//! One schema, compiled once: the linear-time pattern engine, no reference that leaves the document.
//!
//! A message about a fault must stay short and must not repeat the value that is at fault.

use jsonschema::{PatternOptions, Validator};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Violation;

/// Most faults that one answer names; a wrong document of a million items would otherwise be a long answer.
const VIOLATIONS_MAX: usize = 20;
/// Longest message of one fault in bytes: a message quotes the schema, and an enumeration may be long.
const MESSAGE_MAX: usize = 300;
/// Longest pointer in bytes: keys of a payload are the sender's choice.
const POINTER_MAX: usize = 500;
/// Largest compiled pattern in bytes; what needs more is an attack or an error.
const PATTERN_MAX: usize = 1 << 20;

/// How strictly payloads of a type are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Not at all.
    Off,
    /// Faults are reported, the event is taken.
    Warn,
    /// An event with a fault is refused.
    Enforce,
}

impl Validation {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// Reads the stored word; an unknown one, written by a newer version, only warns.
    pub(crate) fn stored(word: &str) -> Self {
        match word {
            "off" => Self::Off,
            "enforce" => Self::Enforce,
            _ => Self::Warn,
        }
    }
}

/// Compiles a schema of any draft, 2020-12 where it names none.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(
            PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX),
        )
        .offline()
        .build(schema)
        .map_err(|error| shorten(error.masked().to_string(), MESSAGE_MAX))
}

/// The places where a document does not fit, first the first, at most twenty.
pub(crate) fn violations(validator: &Validator, document: &Value) -> Vec<Violation> {
    if validator.is_valid(document) {
        return Vec::new();
    }
    let fault = |error: jsonschema::ValidationError<'_>| Violation {
        pointer: shorten(error.instance_path().as_str().to_owned(), POINTER_MAX),
        message: shorten(error.masked().to_string(), MESSAGE_MAX),
    };
    validator.iter_errors(document).take(VIOLATIONS_MAX).map(fault).collect()
}

fn shorten(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_has_its_place_and_no_value() {
        let schema = json!({ "type": "object", "required": ["name"], "properties": {
            "age": { "type": "integer" }, "tags": { "items": { "type": "string" } } } });
        let document = json!({ "age": "secret-value", "tags": ["a", 7] });
        let found = violations(&compile(&schema).unwrap(), &document);
        let mut pointers: Vec<&str> = found.iter().map(|v| v.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["", "/age", "/tags/1"]);
        assert!(found.iter().all(|v| !v.message.contains("secret-value")), "{found:?}");
    }

    #[test]
    fn answers_are_bounded() {
        let schema = json!({ "items": { "enum": vec!["word"; 500] } });
        let document = json!(vec![1; 10_000]);
        let found = violations(&compile(&schema).unwrap(), &document);
        assert_eq!(found.len(), VIOLATIONS_MAX);
        assert!(found.iter().all(|v| v.message.len() <= MESSAGE_MAX + '…'.len_utf8()));
    }

    #[test]
    fn remote_references_and_backtracking_patterns_are_refused() {
        for bad in [
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "pattern": "(?=a)b" }),
            json!({ "pattern": "(a)\\1" }),
            json!({ "pattern": "a{1000}{1000}{1000}" }),
            json!({ "type": "no such type" }),
        ] {
            assert!(compile(&bad).is_err(), "{bad} was taken");
        }
    }
}
