//! Why a dead letter was not retried, resolved or abandoned.

use chrono::{DateTime, Utc};
use omni_store::dead_letters::DeadLetterHead;
use uuid::Uuid;

use crate::AppendError;

/// Why a dead letter is not what the caller wants it to be.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is none.
    #[error("there is no dead letter {id}")]
    Unknown {
        /// What was asked for.
        id: Uuid,
    },
    /// Somebody was done with it before.
    #[error("dead letter {id} was {status} by {by} at {at}; it stays so")]
    Closed {
        /// The letter.
        id: Uuid,
        /// `resolved` or `abandoned`.
        status: String,
        /// Who did that.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// There is nothing left to retry.
    #[error(
        "the payload of event {event_id} was expunged, so it cannot be retried; resolve or abandon the dead letter"
    )]
    Expunged {
        /// The event.
        event_id: Uuid,
    },
    /// What was given up was no event.
    #[error(
        "message {event_id} is no event that can be read, so it cannot be retried; resolve or abandon the dead letter"
    )]
    NoEvent {
        /// The message.
        event_id: Uuid,
    },
    /// The event would not be accepted any more.
    #[error("the event is not accepted again: {0}")]
    Append(#[from] AppendError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] omni_store::Error),
}

impl DeadLetterError {
    pub(super) fn closed(letter: DeadLetterHead) -> Self {
        let by = letter.changed_by.unwrap_or_else(|| "somebody".to_owned());
        Self::Closed { id: letter.id, status: letter.status, by, at: letter.changed_at }
    }
}
