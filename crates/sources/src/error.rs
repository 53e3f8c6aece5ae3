//! Why a source could not be saved or read.

use schemars::JsonSchema;
use serde::Serialize;

/// A place in a definition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) into the definition.
    pub pointer: String,
    /// What is wrong there and what to write instead.
    pub message: String,
}

impl Problem {
    pub(crate) fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Why a source could not be saved or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The definition cannot be used; nothing was saved.
    #[error("the definition of the source cannot be used: {}", list(.0))]
    Invalid(Vec<Problem>),
    /// There is a source of this name.
    #[error("there is a source `{0}` already; choose another name, or update that one")]
    Exists(String),
    /// Somebody else changed it since it was read.
    #[error(
        "the source was changed meanwhile and has version {current}; read it again and repeat the change"
    )]
    Stale {
        /// The version it has now.
        current: i32,
    },
    /// What is stored was written by a newer version.
    #[error(
        "the stored definition of source `{name}` cannot be read by this version; save it again"
    )]
    Unreadable {
        /// The source.
        name: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The secret could not be sealed or opened.
    #[error("the secret of source `{name}` cannot be used; send a new one")]
    Crypto {
        /// The source.
        name: String,
        /// Why.
        source: omni_crypto::Error,
    },
    /// A request of the quarantine is refused again; nothing was taken in.
    #[error(
        "the request is refused still: {reason}; `test` says why, and `force` takes it in without proof ({code})"
    )]
    StillRefused {
        /// What is wrong, as one word.
        code: String,
        /// What is wrong, for people.
        reason: String,
    },
    /// Not all of a refused request was kept: an older release kept samples only, and of a body above the limit of the
    /// source nothing but the beginning is kept.
    #[error(
        "not all of the request was kept, so it cannot be taken in; have its sender send it again"
    )]
    NotWhole,
    /// Something that is needed does not answer, such as the event log or the host of a certificate.
    #[error("the request could not be taken in now: {0}; repeat it in a moment")]
    NotNow(String),
    /// The store did not answer.
    #[error("sources could not be read from or written to the store")]
    Store(#[from] omni_store::Error),
}

fn list(problems: &[Problem]) -> String {
    let one = |problem: &Problem| format!("{}: {}", problem.pointer, problem.message);
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}
