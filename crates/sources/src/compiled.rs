//! A source as the receiver uses it: every header name parsed, the secret opened, the event type made.
//!
//! Compiling is also the check of a definition: what compiles can be received, and nothing else is saved.

use std::sync::Mutex;

use http::{HeaderName, HeaderValue};
use omni_crypto::Secret;
use omni_events::{EventType, Org};

use crate::{
    Definition, Encoding, EventTypeFrom, Problem, Provider, Verifier,
    webhook::{Sampler, Scheme},
};

/// Longest name: it is a part of an event type of 200 bytes.
const NAME_LEN_MAX: usize = 64;
/// Longest secret in bytes; longer ones are hashed by HMAC anyway.
const SECRET_LEN_MAX: usize = 1024;
/// Longest description in bytes.
const DESCRIPTION_LEN_MAX: usize = 1024;
/// Most headers that a source may expect or look for keys in; each is looked up for every request.
const HEADERS_MAX: usize = 16;
/// Longest prefix of a signature in bytes.
const PREFIX_LEN_MAX: usize = 64;
/// Longest path to the event type in bytes.
const PATH_LEN_MAX: usize = 256;
/// Largest body that can be allowed: a payload is held in memory on its whole way.
const BODY_MAX_MAX: u64 = 15 << 20;
/// Stands for a hash of the body in the list of idempotency keys.
const BODY_KEY: &str = "body";

/// A source that can receive.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) org: Org,
    pub(crate) name: String,
    /// `webhook:{name}`: the source of its events, and the scope of its keys.
    pub(crate) label: String,
    pub(crate) enabled: bool,
    pub(crate) provider: Option<Provider>,
    pub(crate) scheme: Scheme,
    pub(crate) expected: Vec<(HeaderName, HeaderValue)>,
    pub(crate) keys: Vec<Key>,
    /// `custom.webhook.{name}`.
    pub(crate) base_type: EventType,
    pub(crate) type_from: Option<TypeFrom>,
    pub(crate) body_max: usize,
    /// How much of what is refused was kept lately.
    pub(crate) sampler: Mutex<Sampler>,
}

/// Where the key of a repeat may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Header(HeaderName),
    Body,
}

/// Where the last part of the event type comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TypeFrom {
    Header(HeaderName),
    Path(Vec<String>),
}

impl Compiled {
    /// Checks a definition and prepares it; `secret` is the new or the stored one.
    pub(crate) fn new(
        org: &Org,
        definition: &Definition,
        secret: Option<Secret>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems(Vec::new());
        let base_type = problems.name(&definition.name);
        problems.secret(definition, secret.as_ref());
        problems.bounds(definition);
        let scheme = problems.scheme(definition, secret);
        let expected = problems.expected(definition);
        let keys = problems.keys(definition);
        let type_from = problems.type_from(definition);
        match (base_type, scheme, problems.0.is_empty()) {
            (Some(base_type), Some(scheme), true) => Ok(Self {
                org: org.clone(),
                name: definition.name.clone(),
                label: format!("webhook:{}", definition.name),
                enabled: definition.enabled,
                provider: definition.provider,
                scheme,
                expected,
                keys,
                base_type,
                type_from,
                body_max: usize::try_from(definition.limits.body_max_bytes).unwrap_or(usize::MAX),
                sampler: Mutex::default(),
            }),
            _ => Err(problems.0),
        }
    }
}

/// Everything that is wrong with one definition; all of it is told at once.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::at(pointer, message));
    }

    fn name(&mut self, name: &str) -> Option<EventType> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(good) {
            self.add("/name", "use 1 to 64 of a-z, 0-9, `-` and `_`");
            return None;
        }
        EventType::parse(&format!("custom.webhook.{name}"))
            .map_err(|error| self.add("/name", error.to_string()))
            .ok()
    }

    fn secret(&mut self, definition: &Definition, secret: Option<&Secret>) {
        let unverified = definition.verifier() == Verifier::None;
        match secret.map(|secret| secret.expose().len()) {
            None if !unverified => self.add(
                "/secret",
                "the verifier needs a secret; set one, or `\"verifier\": \"none\"` to take unsigned requests",
            ),
            Some(0) => self.add("/secret", "an empty secret proves nothing; leave it out or set one"),
            Some(len) if len > SECRET_LEN_MAX => {
                self.add("/secret", format!("use at most {SECRET_LEN_MAX} bytes"));
            }
            Some(_) if unverified && definition.verifier.is_none() => self.add(
                "/verifier",
                "a secret is set but nothing uses it; say how requests prove it with `hmacSha256` or `apiKey`",
            ),
            _ => {}
        }
    }

    fn bounds(&mut self, definition: &Definition) {
        let body_max = definition.limits.body_max_bytes;
        if body_max == 0 || body_max > BODY_MAX_MAX {
            self.add("/limits/bodyMaxBytes", format!("use 1 to {BODY_MAX_MAX}"));
        }
        if definition.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_LEN_MAX) {
            self.add("/description", format!("use at most {DESCRIPTION_LEN_MAX} bytes"));
        }
        for (pointer, count) in [
            ("/expectedHeaders", definition.expected_headers.len()),
            ("/idempotencyKeys", definition.idempotency_keys.len()),
        ] {
            if count > HEADERS_MAX {
                self.add(pointer, format!("use at most {HEADERS_MAX} headers"));
            }
        }
    }

    fn scheme(&mut self, definition: &Definition, secret: Option<Secret>) -> Option<Scheme> {
        // A missing secret is told elsewhere; the rest of the verifier is checked all the same.
        let key = secret.unwrap_or_else(|| Secret::from(Vec::new()));
        match definition.verifier() {
            Verifier::None => Some(Scheme::Open),
            Verifier::Github => Some(Scheme::github(key)),
            Verifier::HmacSha256(hmac) => {
                let prefix = self.prefix("/verifier/hmacSha256/prefix", hmac.prefix);
                let header = self.header("/verifier/hmacSha256/header", &hmac.header)?;
                let encoding: Encoding = hmac.encoding;
                Some(Scheme::Hmac { header, prefix, encoding, key })
            }
            Verifier::ApiKey(api_key) => {
                let prefix = self.prefix("/verifier/apiKey/prefix", api_key.prefix);
                let header = self.header("/verifier/apiKey/header", &api_key.header)?;
                Some(Scheme::ApiKey { header, prefix, key })
            }
        }
    }

    fn prefix(&mut self, pointer: &str, prefix: Option<String>) -> String {
        let prefix = prefix.unwrap_or_default();
        let printable = |b: u8| b == b' ' || b.is_ascii_graphic();
        if prefix.len() > PREFIX_LEN_MAX || !prefix.bytes().all(printable) {
            self.add(pointer, format!("use at most {PREFIX_LEN_MAX} printable ASCII characters"));
        }
        prefix
    }

    fn header(&mut self, pointer: &str, name: &str) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        if parsed.is_none() {
            self.add(pointer, "this is no HTTP header name");
        }
        parsed
    }

    fn expected(&mut self, definition: &Definition) -> Vec<(HeaderName, HeaderValue)> {
        let mut expected = Vec::new();
        for (name, value) in &definition.expected_headers {
            let pointer =
                format!("/expectedHeaders/{}", name.replace('~', "~0").replace('/', "~1"));
            let value = HeaderValue::from_str(value).ok();
            if value.is_none() {
                self.add(pointer.clone(), "this is no HTTP header value");
            }
            expected.extend(self.header(&pointer, name).zip(value));
        }
        expected
    }

    fn keys(&mut self, definition: &Definition) -> Vec<Key> {
        let mut keys = Vec::new();
        for (index, name) in definition.idempotency_keys.iter().enumerate() {
            if name == BODY_KEY {
                keys.push(Key::Body);
            } else {
                keys.extend(
                    self.header(&format!("/idempotencyKeys/{index}"), name).map(Key::Header),
                );
            }
        }
        keys
    }

    fn type_from(&mut self, definition: &Definition) -> Option<TypeFrom> {
        match definition.event_type_from.as_ref()? {
            EventTypeFrom::Header(name) => {
                self.header("/eventTypeFrom/header", name).map(TypeFrom::Header)
            }
            EventTypeFrom::Path(path) => {
                if path.len() > PATH_LEN_MAX || path.split('.').any(str::is_empty) {
                    self.add(
                        "/eventTypeFrom/path",
                        "use a dotted path into the body, as in data.type",
                    );
                }
                Some(TypeFrom::Path(path.split('.').map(str::to_owned).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pointers(document: Value) -> Vec<String> {
        let definition: Definition = serde_json::from_value(document).unwrap();
        match Compiled::new(&Org::default(), &definition, definition.secret.clone()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.pointer).collect(),
        }
    }

    #[test]
    fn good_definitions_compile() {
        for good in [
            json!({ "name": "plain" }),
            json!({ "name": "gh", "provider": "github", "secret": "s" }),
            json!({ "name": "gh", "provider": "github", "verifier": "none" }),
            json!({ "name": "a_b-9", "secret": "s", "expectedHeaders": { "X-Env": "prod" },
                    "verifier": { "apiKey": { "header": "X-Key", "prefix": "Bearer " } } }),
        ] {
            assert!(pointers(good.clone()).is_empty(), "{good} was refused");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_pointer() {
        for (bad, expected) in [
            (json!({ "name": "A.b" }), vec!["/name"]),
            (json!({ "name": "" }), vec!["/name"]),
            (json!({ "name": "a".repeat(65) }), vec!["/name"]),
            (json!({ "name": "gh", "provider": "github" }), vec!["/secret"]),
            (json!({ "name": "gh", "provider": "github", "secret": "" }), vec!["/secret"]),
            (json!({ "name": "a", "secret": "s" }), vec!["/verifier"]),
            (json!({ "name": "a", "limits": { "bodyMaxBytes": 0 } }), vec!["/limits/bodyMaxBytes"]),
            (
                json!({ "name": "a", "limits": { "bodyMaxBytes": (15 << 20) + 1 } }),
                vec!["/limits/bodyMaxBytes"],
            ),
            (
                json!({ "name": "a", "secret": "s", "verifier": { "hmacSha256":
                    { "header": "no header", "prefix": "\n", "encoding": "hex" } } }),
                vec!["/verifier/hmacSha256/prefix", "/verifier/hmacSha256/header"],
            ),
            (
                json!({ "name": "a", "expectedHeaders": { "X-A/B": "1" } }),
                vec!["/expectedHeaders/X-A~1B"],
            ),
            (
                json!({ "name": "!", "expectedHeaders": { "x": "a\nb" }, "idempotencyKeys": ["ok", "not ok"] }),
                vec!["/name", "/expectedHeaders/x", "/idempotencyKeys/1"],
            ),
            (
                json!({ "name": "a", "eventTypeFrom": { "path": "a..b" } }),
                vec!["/eventTypeFrom/path"],
            ),
        ] {
            assert_eq!(pointers(bad.clone()), expected, "{bad}");
        }
    }
}
