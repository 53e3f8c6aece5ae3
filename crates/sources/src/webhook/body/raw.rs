//! Bodies of any other type: kept whole, as text where their type is one of text, otherwise as Base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use omni_events::Payload;
use serde_json::{Value, json};

/// Media types of text that do not begin with `text/`.
const TEXTS: &[&str] = &[
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/javascript",
    "application/graphql",
    "application/sql",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
];

/// Wraps a body. Which form it gets depends on its type alone, unless it is no text at all.
pub(super) fn read(kind: &str, said: &str, body: &[u8]) -> Payload {
    let content_type = if said.is_empty() { Value::Null } else { said.into() };
    let wrapped = match str::from_utf8(body) {
        Ok(text) if is_text(kind) => json!({ "contentType": content_type, "text": text }),
        _ => json!({ "contentType": content_type, "base64": STANDARD.encode(body) }),
    };
    Payload::from_value(&wrapped)
}

fn is_text(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.is_empty()
        || kind.starts_with("text/")
        || kind.ends_with("+xml")
        || TEXTS.contains(&kind.as_str())
}
