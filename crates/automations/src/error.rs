//! What can go wrong with a definition.

use schemars::JsonSchema;
use serde::Serialize;

/// One fault in a definition, with the place it stands at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DefinitionProblem")]
pub struct Problem {
    /// JSON Pointer into the definition (RFC 6901).
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why a definition was not saved, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The definition has faults; nothing was saved.
    #[error("the automation has {} fault(s), first at {}: {}", .0.len(),
        .0.first().map_or("/", |p| p.pointer.as_str()), .0.first().map_or("", |p| p.message.as_str()))]
    Invalid(Vec<Problem>),
    /// Another automation of the organisation has the name.
    #[error("an automation named `{0}` exists already; change that one or choose another name")]
    Exists(String),
    /// The automation was changed by somebody else in between.
    #[error("the automation is at version {current} by now; read it again and repeat the change")]
    Stale {
        /// The version it has.
        current: i32,
    },
    /// Comparing automations broke off: a fault of ours.
    #[error("comparing automations broke off")]
    Broken(#[from] tokio::task::JoinError),
    /// The store failed.
    #[error("automations could not be read or saved")]
    Store(#[from] omni_store::Error),
}
