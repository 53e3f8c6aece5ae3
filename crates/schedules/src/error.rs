//! Why a schedule could not be saved or read.

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

/// Why a schedule could not be saved or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The definition cannot be used; nothing was saved.
    #[error("the definition of the schedule cannot be used: {}", list(.0))]
    Invalid(Vec<Problem>),
    /// There is a schedule of this name.
    #[error("there is a schedule `{0}` already; choose another name, or update that one")]
    Exists(String),
    /// Somebody else changed it since it was read.
    #[error(
        "the schedule was changed meanwhile and has version {current}; read it again and repeat the change"
    )]
    Stale {
        /// The version it has now.
        current: i32,
    },
    /// It has ended, so that it cannot do what was asked.
    #[error("the schedule `{0}` has ended; give it a later `end` or more `maxFires` first")]
    Ended(String),
    /// What is stored was written by a newer version.
    #[error(
        "the stored definition of schedule `{name}` cannot be read by this version; save it again"
    )]
    Unreadable {
        /// The schedule.
        name: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The store did not answer.
    #[error("schedules could not be read from or written to the store")]
    Store(#[from] omni_store::Error),
}

fn list(problems: &[Problem]) -> String {
    let one = |problem: &Problem| format!("{}: {}", problem.pointer, problem.message);
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}
