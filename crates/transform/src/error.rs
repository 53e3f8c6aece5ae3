//! What is wrong with a configuration, and what went wrong while rendering it. Both say where.

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the string in the configuration; empty for the configuration itself.
    pub pointer: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}

/// Why a template could not be rendered with this scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct RenderError {
    /// JSON Pointer (RFC 6901) to the string in the configuration.
    pub pointer: String,
    /// The path as it was written, or empty when no single path is at fault.
    pub path: String,
    /// What is missing and what there was instead; names of fields, never values.
    pub message: String,
}

/// Appends one token to a JSON Pointer.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// The longest beginning of a text that has at most `max` bytes.
pub(crate) fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
