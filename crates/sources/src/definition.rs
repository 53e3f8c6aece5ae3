//! The document that defines a source, as users write it.
//!
//! It may hold a secret on its way in and never on its way out: `secret` is not serialised and its `Debug` is redacted.

use std::collections::BTreeMap;

use omni_crypto::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Largest body of a source that sets no limit: what GitHub sends fits, and few others send more.
const BODY_MAX_DEFAULT: u64 = 1 << 20;

/// A way in: who may send, how it is proved, and what the events are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SourceDefinition")]
pub struct Definition {
    /// 1 to 64 of `a-z 0-9 - _`; a part of the address, of the event type and of `source`.
    pub name: String,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How events come in.
    #[serde(default)]
    pub kind: Kind,
    /// Whose webhooks these are; decides what is not set below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// What the verifier proves knowledge of. Write only: an update without it keeps the stored one.
    #[serde(
        default,
        deserialize_with = "write_only",
        skip_serializing,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<Secret>,
    /// How a request proves that it is genuine; by default what the provider does, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
    /// Headers that every request must carry with exactly these values. They are shown to whoever may read the source:
    /// for a secret value use the verifier `apiKey`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected_headers: BTreeMap<String, String>,
    /// Headers that may hold the key of a repeat; the first one present counts. `body` stands for a hash of the body,
    /// which makes two equal requests one event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotency_keys: Vec<String>,
    /// Where the last part of the event type comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type_from: Option<EventTypeFrom>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Whether requests are taken; otherwise they are answered as if there were no such source.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// How events come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// As HTTP requests.
    #[default]
    Webhook,
}

/// Whose webhooks these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// GitHub: `X-Hub-Signature-256`, `X-GitHub-Delivery`, `X-GitHub-Event`.
    Github,
    /// Anybody.
    Generic,
}

/// How a request proves that it is genuine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verifier {
    /// Not at all: anybody who knows the address may send.
    None,
    /// As GitHub signs: HMAC-SHA256 of the body in `X-Hub-Signature-256`, `sha256=` and hexadecimal.
    Github,
    /// HMAC-SHA256 of the body in a header.
    HmacSha256(HmacSha256),
    /// The secret itself in a header.
    ApiKey(ApiKey),
}

/// An HMAC-SHA256 of the raw body, keyed with the bytes of the secret text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HmacSha256 {
    /// The header with the tag.
    pub header: String,
    /// What stands before the tag, such as `sha256=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How the tag is written.
    pub encoding: Encoding,
}

/// How 32 bytes are written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Hexadecimal digits, large or small.
    Hex,
    /// Base64 of RFC 4648 section 4, with or without padding.
    Base64,
}

/// The secret as the value of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// The header.
    pub header: String,
    /// What stands before the secret, such as `Bearer ` with its blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// Where the last part of the event type comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EventTypeFrom {
    /// From a header.
    Header(String),
    /// From a text or number in the body, as a dotted path: `type`, `data.items.0.kind`.
    Path(String),
}

/// Bounds of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Largest body in bytes, 1 MiB unless set, at most 15 MiB.
    #[serde(default = "body_max")]
    pub body_max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_max_bytes: BODY_MAX_DEFAULT }
    }
}

fn body_max() -> u64 {
    BODY_MAX_DEFAULT
}

fn enabled() -> bool {
    true
}

fn write_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
}

impl Definition {
    /// A source of the given name with every default: enabled, unverified.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            kind: Kind::Webhook,
            provider: None,
            secret: None,
            verifier: None,
            expected_headers: BTreeMap::new(),
            idempotency_keys: Vec::new(),
            event_type_from: None,
            limits: Limits::default(),
            enabled: true,
        }
    }

    /// How requests are verified: as it says, or as its provider does.
    pub fn verifier(&self) -> Verifier {
        match (&self.verifier, self.provider) {
            (Some(verifier), _) => verifier.clone(),
            (None, Some(Provider::Github)) => Verifier::Github,
            (None, _) => Verifier::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_comes_back_without_its_secret() {
        let document = json!({
            "name": "shop", "provider": "generic", "secret": "canary-7f3a",
            "verifier": { "hmacSha256": { "header": "X-Sig", "encoding": "base64" } },
            "eventTypeFrom": { "path": "type" }, "idempotencyKeys": ["X-Id", "body"],
        });
        let definition: Definition = serde_json::from_value(document).unwrap();
        assert!(definition.enabled);
        assert_eq!(definition.limits.body_max_bytes, 1 << 20);
        assert!(!format!("{definition:?}").contains("canary"), "{definition:?}");
        let stored = serde_json::to_string(&definition).unwrap();
        assert!(!stored.contains("canary"), "{stored}");
        let read: Definition = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, Definition { secret: None, ..definition });
    }

    #[test]
    fn its_schema_says_that_the_secret_is_only_written() {
        let schema = schemars::schema_for!(Definition);
        let secret = &schema.get("properties").unwrap()["secret"];
        assert_eq!(secret["writeOnly"], true, "{secret}");
        assert_eq!(schema.get("required").unwrap(), &json!(["name"]));
    }

    #[test]
    fn unknown_fields_and_words_are_refused() {
        for bad in [
            json!({ "name": "a", "sekret": "x" }),
            json!({ "name": "a", "verifier": "md5" }),
            json!({ "name": "a", "verifier": { "apiKey": { "header": "x", "more": 1 } } }),
            json!({ "name": "a", "limits": { "bodyMax": 1 } }),
            json!({ "kind": "webhook" }),
        ] {
            assert!(serde_json::from_value::<Definition>(bad.clone()).is_err(), "{bad} was taken");
        }
        let none: Definition =
            serde_json::from_value(json!({ "name": "a", "verifier": "none" })).unwrap();
        assert_eq!(none.verifier, Some(Verifier::None));
    }
}
