//! One schema, compiled once: the linear-time pattern engine, no reference that leaves the document.
//!
//! A message about a fault must stay short and must not repeat the value that is at fault; and no document makes an
//! answer long, deep or slow.

pub(crate) mod unique;

use std::{fmt, sync::Arc};

use jsonschema::PatternOptions;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Unusable,
    schema::{Draft, PATTERN_MAX, Walk, Work},
};

/// Most faults that one answer names; a wrong document of a million items would otherwise be a long answer.
const VIOLATIONS_MAX: usize = 20;
/// Longest message of one fault in bytes: a message quotes the schema, and an enumeration may be long.
const MESSAGE_MAX: usize = 300;
/// Longest pointer in bytes: keys of a payload are the sender's choice.
const POINTER_MAX: usize = 500;
/// Most checks of one document: a second's worth or two. A payload of a megabyte stays far below unless its schema asks
/// thousands of things of each value.
const CHECKS_MAX: u64 = 500_000_000;
/// Most checks of a document whose faults are listed: the engine makes all of them, each a few hundred bytes, before it
/// gives the first.
const LISTED_MAX: u64 = 100_000;

/// A compiled schema. Clones share it.
#[derive(Clone)]
pub struct Validator(Arc<Compiled>);

struct Compiled {
    engine: jsonschema::Validator,
    work: Work,
}

/// A place in a payload that does not fit the schema of its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// JSON Pointer (RFC 6901) into the payload; empty for the whole.
    pub pointer: String,
    /// What is wrong there. Never repeats the value: payloads hold personal data.
    pub message: String,
}

/// How large a document is to a schema.
enum Size {
    /// All its faults can be listed.
    Listed,
    /// It can be looked at.
    Large,
    /// It is refused unseen.
    Refused(&'static str),
}

impl Validator {
    /// Compiles a schema that was found usable, and of which it is known how much work it can be.
    pub(crate) fn of(schema: &Value, draft: Draft, work: Work) -> Result<Self, Unusable> {
        jsonschema::options()
            .with_draft(draft.engine())
            .with_pattern_options(
                PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX),
            )
            .with_keyword("uniqueItems", unique::compile)
            // A text of the sender's that is compiled as a pattern: slow, and of use to nobody.
            .with_format("regex", |_: &str| true)
            .offline()
            .build(schema)
            .map(|engine| Self(Arc::new(Compiled { engine, work })))
            .map_err(|error| Unusable {
                pointer: shorten(error.instance_path().as_str().to_owned(), POINTER_MAX),
                reason: shorten(error.to_string(), MESSAGE_MAX),
            })
    }

    /// Whether a document fits.
    pub fn is_valid(&self, document: &Value) -> bool {
        !matches!(self.size(document), Size::Refused(_)) && self.0.engine.is_valid(document)
    }

    /// The places where a document does not fit, first the first, at most twenty. Of a very large document only the
    /// first, or only that it does not fit.
    pub fn violations(&self, document: &Value) -> Vec<Violation> {
        let size = self.size(document);
        if let Size::Refused(why) = size {
            return vec![Violation { pointer: String::new(), message: why.to_owned() }];
        }
        if self.0.engine.is_valid(document) {
            return Vec::new();
        }
        let fault = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: shorten(error.instance_path().as_str().to_owned(), POINTER_MAX),
            message: shorten(error.masked().to_string(), MESSAGE_MAX),
        };
        if matches!(size, Size::Listed) {
            return self.0.engine.iter_errors(document).take(VIOLATIONS_MAX).map(fault).collect();
        }
        // The first fault of an alternative is all the faults of all its branches.
        let first =
            if self.0.work.alternatives { None } else { self.0.engine.validate(document).err() };
        let unnamed = || Violation {
            pointer: String::new(),
            message: "does not fit; it is too large to say where".to_owned(),
        };
        vec![first.map_or_else(unnamed, fault)]
    }

    fn size(&self, document: &Value) -> Size {
        let work = &self.0.work;
        let values_max = CHECKS_MAX / work.checks.max(1);
        let mut walk = Walk::new(document);
        let mut values: u64 = 0;
        while walk.next().is_some() {
            values += 1;
            if walk.depth() > work.depth_max {
                return Size::Refused("is nested too deep to be looked at");
            }
            if values > values_max {
                return Size::Refused(
                    "has too many values to be held against its schema, which asks very much of each",
                );
            }
        }
        if values.saturating_mul(work.checks) <= LISTED_MAX { Size::Listed } else { Size::Large }
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
