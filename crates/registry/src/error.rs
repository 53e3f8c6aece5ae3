//! Why the registry could not be read, and why an event is refused.

use std::fmt;

use omni_event_bus::Stream;
use omni_events::EventType;
use omni_schema::{Unusable, Violation};

use crate::Compared;

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
        /// What is wrong with it, and where.
        reason: Unusable,
    },
    /// The description cannot be kept.
    #[error("the description of `{event_type}` {reason}")]
    Description {
        /// The type.
        event_type: String,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// It breaks what the mode of the type protects.
    #[error("{}", Incompatible { event_type, compared })]
    Incompatible {
        /// The type.
        event_type: String,
        /// What it breaks.
        compared: Box<Compared>,
    },
    /// There is no such type.
    #[error("`{event_type}` is not registered")]
    Unknown {
        /// The type.
        event_type: String,
    },
    /// Only what was deleted can be purged.
    #[error("`{event_type}` is still there; delete it first, then for good")]
    NotDeleted {
        /// The type.
        event_type: String,
    },
    /// Others change the type all the time.
    #[error("`{event_type}` is being changed by others at this moment; try again")]
    Busy {
        /// The type.
        event_type: String,
    },
    /// The process ends.
    #[error("the process is stopping")]
    Stopping,
    /// Work on schemas panicked: a fault of ours.
    #[error("work on schemas broke off by a fault of the product")]
    Broken(#[source] tokio::task::JoinError),
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

impl Error {
    pub(crate) fn unknown(event_type: &str) -> Self {
        Self::Unknown { event_type: event_type.to_owned() }
    }
}

pub(crate) fn busy(event_type: &EventType) -> Error {
    Error::Busy { event_type: event_type.as_str().to_owned() }
}

struct Incompatible<'a> {
    event_type: &'a str,
    compared: &'a Compared,
}

impl fmt::Display for Incompatible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type, compared } = self;
        let count = compared.refused().count();
        let mode = compared.compatibility.as_str();
        let least = if compared.omitted > 0 { "at least " } else { "" };
        write!(
            f,
            "the schema would break {least}{count} things that {mode} protects for `{event_type}`"
        )?;
        if let Some((version, finding)) = compared.refused().next() {
            let place = if finding.path.is_empty() { "the document" } else { &finding.path };
            write!(f, ", first against version {version}: {place}: {}", finding.message)?;
        }
        write!(f, "; mend the schema, or set the compatibility of the type")
    }
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
