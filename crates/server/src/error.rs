//! Why the server did not start or did not end well.

use std::{net::SocketAddr, path::PathBuf};

/// Why the server did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("{origin}: {reason}")]
    Config {
        /// Where the setting stands: a file, a variable, a flag.
        origin: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Another process works on the data directory.
    #[error(
        "{path} is in use by another omni process{owner}; stop it, or choose another --data-dir"
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process, where it is known.
        owner: String,
    },
    /// A file or directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] omni_store::Error),
    /// The event log must not go on.
    #[error(
        "the event log stopped acknowledging; what was acknowledged before is stored, start again"
    )]
    Log(#[source] std::sync::Arc<omni_store::Error>),
    /// The bus failed.
    #[error("the event bus failed")]
    Bus(#[from] omni_event_bus::Error),
    /// The registry could not be loaded.
    #[error("the event types could not be loaded")]
    Registry(#[from] omni_registry::Error),
    /// No key could be made.
    #[error("the system gives no random numbers for a key")]
    Crypto(#[from] omni_crypto::Error),
    /// The sources could not be loaded.
    #[error("the sources could not be loaded")]
    Sources(#[from] omni_sources::Error),
    /// The automations could not be loaded.
    #[error("the automations could not be loaded")]
    Automations(#[from] omni_automations::Error),
    /// A part of the server ended that must not end.
    #[error("{0} ended unexpectedly; what was acknowledged is stored, start again")]
    Ended(&'static str),
    /// Work was still running when the time to end was over.
    #[error(
        "not everything ended within {seconds} s; what was not finished will be taken up at the next start"
    )]
    Deadline {
        /// How long was waited.
        seconds: u64,
    },
}
