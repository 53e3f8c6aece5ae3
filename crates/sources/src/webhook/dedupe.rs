//! Under which key a repeat of a request is recognised.

use http::{HeaderMap, HeaderName};
use omni_crypto::sha256;

use crate::{
    Provider,
    compiled::{Compiled, Key},
};

/// Longest key that is kept as it is; a longer one is kept as its hash.
const KEY_LEN_MAX: usize = 200;

/// GitHub's id of a delivery, the same when it is sent again.
pub(crate) const GITHUB_DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");
/// What senders use that follow no provider's own rule.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request: the first of the source's own headers that is there, else the provider's, else
/// `Idempotency-Key`.
///
/// The body is a key only where the source says so: two honest events may be equal byte for byte.
pub(crate) fn key(source: &Compiled, headers: &HeaderMap, body_hash: &[u8; 32]) -> Option<String> {
    let own = source.keys.iter().find_map(|key| match key {
        Key::Header(header) => from_header(headers, header),
        Key::Body => Some(hashed(body_hash)),
    });
    let delivery = || match source.provider {
        Some(Provider::Github) => from_header(headers, &GITHUB_DELIVERY),
        Some(Provider::Generic) | None => None,
    };
    own.or_else(delivery).or_else(|| from_header(headers, &IDEMPOTENCY_KEY))
}

/// A header as a key: as it is if it is short and printable, otherwise its hash, so that no key is cut to another.
pub(crate) fn from_header(headers: &HeaderMap, header: &HeaderName) -> Option<String> {
    let value = headers.get(header)?.as_bytes().trim_ascii();
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
    use omni_events::Org;
    use serde_json::{Value, json};

    use super::*;
    use crate::Definition;

    fn key_of(source: Value, headers: &[(&'static str, &str)]) -> Option<String> {
        let definition: Definition = serde_json::from_value(source).unwrap();
        let source =
            Compiled::new(&Org::default(), &definition, definition.secret.clone()).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        key(&source, &headers.collect(), &[7; 32])
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
        assert_eq!(key_of(own, &both).unwrap(), format!("sha256:{}", "07".repeat(32)));
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
