//! What can go wrong in a command: something of the system, or a finding of our own.

use std::io;

/// The reason why a command failed, as the person at the terminal reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    Io { what: String, source: io::Error },
    /// A check found something, or a program that we ran failed.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// Says in words what was being done: `.map_err(Error::io("read Cargo.toml"))`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Error {
        Error::Failed(message.into())
    }
}
