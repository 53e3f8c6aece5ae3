//! What is wrong with a rule, and where its author finds it.

use schemars::JsonSchema;
use serde::Serialize;

/// One thing that is wrong with a pattern or a list of conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, JsonSchema)]
#[error("{pointer}: {message}")]
pub struct Problem {
    /// JSON Pointer (RFC 6901) into what was compiled, such as `/0/value`.
    pub pointer: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}
