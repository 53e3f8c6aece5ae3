//! Why an event was not accepted.

use omni_registry::Refused;
use uuid::Uuid;

/// Why an event was not accepted; nothing of it was stored.
///
/// [`AppendError::Store`] is the exception: when the connection breaks during the commit its outcome is unknown, and
/// the sender should repeat with the same key.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The type is unknown or the payload does not fit its schema.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A field of the metadata cannot be used.
    #[error("{field}: {reason}")]
    Metadata {
        /// The field, as the API names it.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The event is larger than the bus takes.
    #[error(
        "the event has {size} bytes as JSON and the bus takes at most {max}; send less, or raise the limit of the bus"
    )]
    TooLarge {
        /// Its size in bytes, envelope included where that matters.
        size: usize,
        /// The most that is taken.
        max: usize,
    },
    /// The key was used before with another body.
    #[error(
        "this key was used before with another body, for event {event_id}; use a new key or send the same body"
    )]
    Conflict {
        /// The event that has the key.
        event_id: Uuid,
    },
    /// Too many events caused each other.
    #[error("hop limit {limit} reached, the chain was cut: {}", path.join(" → "))]
    Loop {
        /// The limit.
        limit: u16,
        /// The events of the chain, oldest first, as `type by source (id)`.
        path: Vec<String>,
    },
    /// More is waiting than the log takes.
    #[error("too many events are waiting to be stored; try again in a moment")]
    Overloaded,
    /// The log is shutting down.
    #[error(
        "the event log is stopping and takes no more events; try again on another replica or later"
    )]
    Stopped,
    /// The store failed.
    #[error("the event could not be stored")]
    Store(#[source] std::sync::Arc<omni_store::Error>),
}

impl From<omni_store::Error> for AppendError {
    fn from(error: omni_store::Error) -> Self {
        Self::Store(std::sync::Arc::new(error))
    }
}
