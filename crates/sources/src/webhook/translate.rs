//! What a webhook is called: `custom.webhook.{source}` and, where the sender names its event, that name.
//!
//! Whatever the sender writes, the type stays under `custom.webhook.{source}`: nobody outside can make a core event.

use http::{HeaderMap, HeaderName};
use omni_events::EventType;
use serde_json::Value;

use super::body::Document;
use crate::{
    cloudevent,
    compiled::{Compiled, TypeFrom},
};

/// Longest name taken from a sender, in bytes: with the longest source it fits an event type of 200.
const SUFFIX_LEN_MAX: usize = 100;
/// Most dotted parts taken from a sender: three stand before them, and a type has at most fourteen.
const SUFFIX_PARTS_MAX: usize = 8;

/// The event type of a request.
pub(crate) fn event_type(source: &Compiled, headers: &HeaderMap, document: &Document) -> EventType {
    let name = match &source.type_from {
        Some(TypeFrom::Header(header)) => from_header(headers, header),
        Some(TypeFrom::Path(path)) => from_body(document, path),
        None => None,
    };
    let base = source.base_type.as_str();
    name.and_then(|name| suffix(&name))
        .and_then(|suffix| EventType::parse(&format!("{base}.{suffix}")).ok())
        .unwrap_or_else(|| source.base_type.clone())
}

/// The event type of a CloudEvent. It is not cut: two types that differ at their end must not become one.
pub(crate) fn under(source: &Compiled, name: &str) -> Result<EventType, String> {
    let base = source.base_type.as_str();
    let event_type = cloudevent::event_type(name)?;
    let name = event_type.as_str();
    let inside = |name: &str| name.strip_prefix(base).is_some_and(|rest| rest.starts_with('.'));
    if inside(name) {
        return Ok(event_type);
    }
    let bare = name.strip_prefix("custom.").unwrap_or(name);
    EventType::parse(&format!("{base}.{bare}"))
        .map_err(|error| format!("the attribute `type`: {error}"))
}

fn from_header(headers: &HeaderMap, header: &HeaderName) -> Option<String> {
    headers.get(header)?.to_str().ok().map(str::to_owned)
}

fn from_body(document: &Document, path: &[String]) -> Option<String> {
    match at(document.tree(), path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The value at a path. Borrowed all the way: a copy at every step would cost a deep body many times its size.
pub(crate) fn at<'v>(tree: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(tree, |value, key| step(value, key))
}

fn step<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    }
}

/// Makes parts of an event type out of any text: small letters, dots kept, everything else a `-`.
fn suffix(name: &str) -> Option<String> {
    let letter = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '.') => c,
        _ => '-',
    };
    // Mapped to ASCII first, so that cutting by bytes cannot split a character.
    let mut text: String = name.chars().take(SUFFIX_LEN_MAX).map(letter).collect();
    text.truncate(SUFFIX_LEN_MAX);
    let parts = text.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.take(SUFFIX_PARTS_MAX).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

#[cfg(test)]
mod tests {
    use omni_events::Payload;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{Definition, secrets::Secrets};

    /// One case of `testdata/event_types.json`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        source: Value,
        #[serde(default)]
        headers: std::collections::BTreeMap<String, String>,
        #[serde(default)]
        body: Value,
        expect: String,
    }

    #[test]
    fn golden_cases() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../testdata/event_types.json")).unwrap();
        for case in cases {
            let definition: Definition = serde_json::from_value(case.source).unwrap();
            let org = omni_events::Org::default();
            let source =
                Compiled::new(&org, &definition, Secrets::one(definition.secret.clone())).unwrap();
            let headers = case
                .headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
            let document = Document::new(Payload::from_value(&case.body));
            let event_type = event_type(&source, &headers.collect(), &document);
            assert_eq!(event_type.as_str(), case.expect, "{:?} {}", case.headers, case.body);
        }
    }

    proptest! {
        /// Whatever a sender writes becomes a valid type under the longest source name, or nothing.
        #[test]
        fn any_text_gives_a_valid_type(name in "\\PC{0,150}|[A-Za-z.é/ -]{0,150}") {
            if let Some(suffix) = suffix(&name) {
                let name = format!("custom.webhook.{}.{suffix}", "s".repeat(64));
                prop_assert!(EventType::parse(&name).is_ok(), "{}", name);
            }
        }
    }
}
