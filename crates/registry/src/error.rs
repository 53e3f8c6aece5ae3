//! Why the registry could not be read, and why an event is refused.

use std::fmt;

use omni_event_bus::Stream;
use schemars::JsonSchema;
use serde::Serialize;

/// The registry could not be opened or read again, or a type cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not answer.
    #[error("event types could not be read from or written to the store")]
    Store(#[from] omni_store::Error),
    /// Nobody may define such a type.
    #[error("`{event_type}` cannot be registered: {reason}")]
    Closed {
        /// The type.
        event_type: String,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// The schema is none.
    #[error("the schema of `{event_type}` cannot be used: {reason}")]
    Schema {
        /// The type.
        event_type: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Streams are shared, and another organisation has chosen another one for this type.
    #[error(
        "`{event_type}` goes to the stream {stream} already, by the choice of another organisation; choose that one, \
         none, or another name for the type"
    )]
    StreamTaken {
        /// The type.
        event_type: String,
        /// The stream it goes to.
        stream: Stream,
    },
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

/// Why an event may not enter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such type is registered, and it is not under `custom.`.
    #[error("{}", UnknownType { event_type, near })]
    UnknownType {
        /// The type that was asked for.
        event_type: String,
        /// Registered names that come near it, nearest first.
        near: Vec<String>,
    },
    /// The payload does not fit the schema of its type.
    #[error("the payload does not fit {event_type} version {version}: {}", Faults(violations))]
    Invalid {
        /// The type.
        event_type: String,
        /// The version of its schema.
        version: i32,
        /// What does not fit; never empty, at most twenty.
        violations: Vec<Violation>,
    },
}

impl Refused {
    /// The places that do not fit; empty for an unknown type.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::UnknownType { .. } => &[],
            Self::Invalid { violations, .. } => violations,
        }
    }
}

struct UnknownType<'a> {
    event_type: &'a str,
    near: &'a [String],
}

impl fmt::Display for UnknownType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a registered event type", self.event_type)?;
        if !self.near.is_empty() {
            write!(f, " (near names: {})", self.near.join(", "))?;
        }
        let action = self.event_type.split_once('.').map_or(self.event_type, |(_, action)| action);
        write!(
            f,
            "; to define your own, begin its name with `custom.`, as in custom.{action}: \
             such a type needs no registration"
        )
    }
}

struct Faults<'a>(&'a [Violation]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { pointer, message }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let place = if pointer.is_empty() { "the document" } else { pointer };
            write!(f, "{separator}{place}: {message}")?;
        }
        Ok(())
    }
}
