//! What can go wrong on the bus.

use std::{path::PathBuf, sync::Arc};

use crate::Stream;

/// Why the bus did not do what was asked.
///
/// It can be cloned, because one failed commit is the answer to every publisher that was in it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first token of a subject or filter names no stream.
    #[error("`{subject}` belongs to no stream: it must begin with one of {}", Stream::tokens())]
    UnknownDomain {
        /// The subject or filter as given.
        subject: String,
    },
    /// A message is larger than a stream takes.
    #[error("a message on `{subject}` has {size} bytes, more than the {max} a stream takes")]
    TooLarge {
        /// Where it was to go.
        subject: String,
        /// Its size in bytes.
        size: usize,
        /// The most that is taken.
        max: usize,
    },
    /// An event could not be written as JSON.
    #[error("event {id} cannot be written as JSON")]
    Encode {
        /// The event.
        id: uuid::Uuid,
        /// What the writer said.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A message is not an event.
    #[error("message {sequence} of {stream} is not an event")]
    Decode {
        /// The stream it was read from.
        stream: Stream,
        /// Its sequence there.
        sequence: u64,
        /// What the reader said.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The settings of a consumer do not make sense, or differ from those its other members use.
    #[error("consumer `{name}` cannot be opened: {reason}")]
    Consumer {
        /// The name of the consumer.
        name: String,
        /// What to change.
        reason: String,
    },
    /// The settings of a replay do not make sense.
    #[error("the replay cannot be opened: {reason}")]
    Replay {
        /// What to change.
        reason: String,
    },
    /// No consumer of that name is open.
    #[error("there is no consumer `{name}`")]
    NoConsumer {
        /// The name asked for.
        name: String,
    },
    /// Another process has the same bus open.
    #[error(
        "{} is locked: another process has this bus open; stop it, or give each its own directory",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The files were written by a newer version of this program.
    #[error("{} has format {found}, this program knows up to {known}: use a newer one", path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The newest format known here.
        known: i32,
    },
    /// The server could not be reached when the bus was opened, or did not let us in.
    #[error("could not connect to NATS at {url}: {reason}")]
    Connect {
        /// Where, without credentials.
        url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The server cannot do what is needed.
    #[error("{url} cannot be used for this: {reason}")]
    Unsupported {
        /// Where, without credentials.
        url: String,
        /// What is missing, and what to do.
        reason: String,
    },
    /// The connection is lost; it is being made again. Publishing once more later is harmless.
    #[error("the bus cannot be reached: {reason}")]
    Unavailable {
        /// What is known.
        reason: String,
    },
    /// The bus has been drained.
    #[error("the bus is closed")]
    Closed,
    /// The storage or network below the bus failed.
    #[error("the bus could not {doing}")]
    Backend {
        /// What it was about, after "could not".
        doing: &'static str,
        /// What the layer below said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Wraps an error of the layer below, for `map_err`.
    pub fn backend<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Backend { doing, source: Arc::new(source) }
    }
}
