//! Under which key a repeat of a request is recognised.

use http::{HeaderMap, HeaderName};
use omni_crypto::sha256;
use serde_json::Value;

use super::{Incoming, body::Document, drafts::body_hash, translate::at};
use crate::compiled::{Compiled, Key};

/// Longest key that is kept as it is; a longer one is kept as its hash.
const KEY_LEN_MAX: usize = 200;

/// What senders use that follow no provider's own rule.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The keys of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Under which a repeat is recognised, with the hash of the body.
    pub(crate) key: Option<(String, [u8; 32])>,
    /// What the provider calls this delivery or event.
    pub(crate) provider: Option<String>,
}

/// The key of a request is the first of the source's own places that holds one, else of its provider's, else
/// `Idempotency-Key`.
///
/// The body is a key only where the source says so: two honest events may be equal byte for byte.
pub(crate) fn keys(source: &Compiled, incoming: &Incoming, document: &Document) -> Keys {
    let find = |keys: &[Key]| {
        keys.iter().find_map(|key| match key {
            Key::Header(header) => from_header(&incoming.headers, header),
            Key::Field(path) => from_field(document, path),
            Key::Body => Some(hashed(&body_hash(incoming))),
        })
    };
    let own = find(&source.keys);
    let provider = find(&source.provider_keys);
    if own.is_none()
        && let Some(id) = provider.clone()
        && source.provider_keys.iter().all(|key| matches!(key, Key::Field(_)))
    {
        // Providers that write the id into the body write other things there, too, that change with every attempt, such
        // as its number: refusing that for a conflict would have them try for ever.
        let hash = sha256(&[id.as_bytes()]);
        return Keys { key: Some((id, hash)), provider };
    }
    let key = own.or_else(|| provider.clone());
    let key = key.or_else(|| from_header(&incoming.headers, &IDEMPOTENCY_KEY));
    Keys { key: key.map(|key| (key, body_hash(incoming))), provider }
}

/// A text or number in the body as a key.
fn from_field(document: &Document, path: &[String]) -> Option<String> {
    match at(document.tree(), path)? {
        Value::String(text) => kept(text.as_bytes()),
        Value::Number(number) => kept(number.to_string().as_bytes()),
        _ => None,
    }
}

/// A header as a key: as it is if it is short and printable, otherwise its hash, so that no key is cut to another.
pub(crate) fn from_header(headers: &HeaderMap, header: &HeaderName) -> Option<String> {
    kept(headers.get(header)?.as_bytes())
}

fn kept(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    match str::from_utf8(value) {
        _ if value.is_empty() => None,
        Ok(text)
            if text.len() <= KEY_LEN_MAX && text.bytes().all(|b| (b' '..=b'~').contains(&b)) =>
        {
            Some(text.to_owned())
        }
        _ => Some(hashed(&sha256(&[value]))),
    }
}

fn hashed(hash: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(hash))
}

#[cfg(test)]
mod tests {
    use omni_events::{Org, Payload};
    use serde_json::json;

    use super::*;
    use crate::{Definition, secrets::Secrets};

    fn keys_of(source: Value, headers: &[(&'static str, &str)]) -> Keys {
        keys_with(source, headers, &json!({ "id": 7, "data": { "id": "d" } }))
    }

    fn keys_with(source: Value, headers: &[(&'static str, &str)], body: &Value) -> Keys {
        let definition: Definition = serde_json::from_value(source).unwrap();
        let secrets = Secrets::one(definition.secret.clone());
        let source = Compiled::new(&Org::default(), &definition, secrets).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let incoming = Incoming {
            method: http::Method::POST,
            uri: http::Uri::from_static("/webhooks/a"),
            headers: headers.collect(),
            body: body.to_string().into(),
            remote: None,
        };
        let document = Document::new(Payload::parse(incoming.body.clone()).unwrap());
        keys(&source, &incoming, &document)
    }

    fn key_of(source: Value, headers: &[(&'static str, &str)]) -> Option<String> {
        keys_of(source, headers).key.map(|(key, _)| key)
    }

    #[test]
    fn only_the_provider_names_its_event() {
        let github = json!({ "name": "gh", "provider": "github", "secret": "s", "idempotencyKeys": ["body"] });
        let keys = keys_of(github.clone(), &[("x-github-delivery", "d-1")]);
        assert!(keys.key.unwrap().0.starts_with("sha256:"));
        assert_eq!(keys.provider.as_deref(), Some("d-1"));
        assert_eq!(keys_of(github, &[("idempotency-key", "k")]).provider, None);
    }

    #[test]
    fn the_first_rule_that_finds_something_counts() {
        let github = json!({ "name": "gh", "provider": "github", "secret": "s" });
        let both = [("x-github-delivery", "d-1"), ("idempotency-key", "k-1")];
        assert_eq!(key_of(github.clone(), &both).as_deref(), Some("d-1"));
        assert_eq!(key_of(github.clone(), &both[1..]).as_deref(), Some("k-1"));
        assert_eq!(key_of(github, &[]), None);

        let plain = json!({ "name": "a" });
        assert_eq!(key_of(plain.clone(), &both).as_deref(), Some("k-1"));
        assert_eq!(key_of(plain, &[("idempotency-key", "  ")]), None);

        let own = json!({ "name": "a", "idempotencyKeys": ["X-One", "X-Two", "body"] });
        assert_eq!(key_of(own.clone(), &[("x-two", "2"), both[1]]).as_deref(), Some("2"));
        let hash = hex::encode(sha256(&[br#"{"data":{"id":"d"},"id":7}"#]));
        assert_eq!(key_of(own, &both).unwrap(), format!("sha256:{hash}"));

        let field = json!({ "name": "a", "idempotencyKeys": ["field:none", "field:data.id"] });
        assert_eq!(key_of(field, &both).as_deref(), Some("d"));
        let number = json!({ "name": "a", "idempotencyKeys": ["field:id"] });
        assert_eq!(key_of(number, &both).as_deref(), Some("7"));
    }

    #[test]
    fn the_next_attempt_of_a_provider_may_differ_but_for_its_id() {
        let attempt = |source: &Value, attempt: u8| {
            let body = json!({ "id": "evt_1", "pending_webhooks": attempt });
            keys_with(source.clone(), &[("x-github-delivery", "d-1")], &body).key.unwrap()
        };
        let stripe = json!({ "name": "a", "provider": "stripe", "secret": "whsec_1" });
        assert_eq!(attempt(&stripe, 1), attempt(&stripe, 2));
        for strict in [
            json!({ "name": "a", "idempotencyKeys": ["field:id"] }),
            json!({ "name": "a", "provider": "stripe", "secret": "s", "idempotencyKeys": ["field:id"] }),
            json!({ "name": "a", "provider": "github", "secret": "s" }),
        ] {
            let (one, other) = (attempt(&strict, 1), attempt(&strict, 2));
            assert!(one.0 == other.0 && one.1 != other.1, "{strict}");
        }
    }

    #[test]
    fn long_and_odd_keys_are_hashed_and_stay_different() {
        let plain = || json!({ "name": "a" });
        let (a, b) = ("x".repeat(201) + "a", "x".repeat(201) + "b");
        let key = |value: &str| key_of(plain(), &[("idempotency-key", value)]).unwrap();
        assert!(key(&a).starts_with("sha256:") && key(&a) != key(&b));
        assert!(key("ключ").starts_with("sha256:"));
        assert_eq!(key(&"x".repeat(200)), "x".repeat(200));
    }
}
