//! What a webhook is called: `custom.webhook.{source}` and, where the sender names its event, that name.
//!
//! Whatever the sender writes, the type stays under `custom.webhook.{source}`: nobody outside can make a core event.

use http::{HeaderMap, HeaderName};
use omni_events::{EventType, Payload};
use serde_json::Value;

use crate::{
    Provider,
    compiled::{Compiled, TypeFrom},
};

/// Longest name taken from a sender, in bytes: with the longest source it fits an event type of 200.
const SUFFIX_LEN_MAX: usize = 100;
/// Most dotted parts taken from a sender: three stand before them, and a type has at most fourteen.
const SUFFIX_PARTS_MAX: usize = 8;

/// The event type of a request.
pub(crate) fn event_type(source: &Compiled, headers: &HeaderMap, payload: &Payload) -> EventType {
    let name = match (&source.type_from, source.provider) {
        (Some(TypeFrom::Header(header)), _) => from_header(headers, header),
        (Some(TypeFrom::Path(path)), _) => from_body(payload, path),
        (None, Some(Provider::Github)) => {
            from_header(headers, &HeaderName::from_static("x-github-event"))
        }
        (None, _) => None,
    };
    let base = source.base_type.as_str();
    name.and_then(|name| suffix(&name))
        .and_then(|suffix| EventType::parse(&format!("{base}.{suffix}")).ok())
        .unwrap_or_else(|| source.base_type.clone())
}

fn from_header(headers: &HeaderMap, header: &HeaderName) -> Option<String> {
    headers.get(header)?.to_str().ok().map(str::to_owned)
}

fn from_body(payload: &Payload, path: &[String]) -> Option<String> {
    let document = payload.to_value();
    // Borrowed all the way: a copy at every step would cost a deep body many times its size.
    match path.iter().try_fold(&document, |value, key| step(value, key))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
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
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::Definition;

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
            let source = Compiled::new(&org, &definition, definition.secret.clone()).unwrap();
            let headers = case
                .headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
            let payload = Payload::from_value(&case.body);
            let event_type = event_type(&source, &headers.collect(), &payload);
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
