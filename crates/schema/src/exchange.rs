//! Event types from OpenAPI 3.1 `webhooks` and AsyncAPI 3 documents, and back.
//!
//! It must stay true that what is read needs nothing from outside of its document, and that no document, however it was
//! made, takes more work than its size and the limits of a schema allow.

mod asyncapi;
mod bundle;
mod export;
mod openapi;
mod payload;
mod place;

use serde_json::Value;

pub use self::export::{export_asyncapi, export_openapi};
use self::place::refused;

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

/// What a document describes: the event types that can be read, and why others cannot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imports {
    /// The event types, in the order of the document.
    pub types: Vec<Imported>,
    /// What could not be read; one bad webhook or message does not hide the others.
    pub refused: Vec<NotImported>,
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

/// Why a document, or a part of it, cannot be read.
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
/// Each schema that comes out is complete in itself. Whether it may be used is for [`Schema::new`](crate::Schema::new) to say.
///
/// # Errors
/// When the document is neither, or describes no events, or more than a thousand. A webhook or a message that cannot be
/// read is told in [`Imports::refused`].
pub fn import(document: &Value) -> Result<Imports, NotImported> {
    let version = |key: &str| document.get(key).and_then(Value::as_str);
    match (version("openapi"), version("asyncapi")) {
        (Some(version), _) if is_version(version, &["3.1", "3.2"]) => openapi::read(document),
        (_, Some(version)) if is_version(version, &["3"]) => asyncapi::read(document),
        (Some(version), _) => Err(too_old(
            "OpenAPI",
            version,
            "3.1, where `webhooks` and JSON Schema 2020-12 came in",
        )),
        (_, Some(version)) => {
            Err(too_old("AsyncAPI", version, "3.0, which the AsyncAPI CLI does with `convert`"))
        }
        _ if document.get("swagger").is_some() => Err(refused(
            "/swagger",
            "is Swagger 2: convert the document to OpenAPI 3.1, where `webhooks` came in",
        )),
        _ => Err(refused("", "is neither OpenAPI 3.1 (`openapi`) nor AsyncAPI 3 (`asyncapi`)")),
    }
}

fn is_version(version: &str, read: &[&str]) -> bool {
    read.iter().any(|read| {
        version.strip_prefix(read).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn too_old(format: &str, version: &str, instead: &str) -> NotImported {
    let version: String = version.chars().take(20).collect();
    refused(
        &format!("/{}", format.to_lowercase()),
        format!("is {format} {version}: convert the document to {instead}"),
    )
}
