//! The document that defines a source, as users write it.
//!
//! It may hold a secret on its way in and never on its way out: `secret` is not serialised and its `Debug` is redacted.

mod verifier;

use std::collections::BTreeMap;

use omni_crypto::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use self::verifier::{
    Algorithm, ApiKey, Basic, Certificate, Encoding, HmacSha256, Key, Pairs, Part, Place,
    Signature, TimeUnit, Timestamp, Token, Verifier,
};
use crate::provider::{self, Template};

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
    /// Whose webhooks these are: a name of `GET /api/sources/providers`. It decides what is not set below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What the verifier proves knowledge of. Write only: an update without it keeps the stored one.
    #[serde(
        default,
        deserialize_with = "write_only",
        skip_serializing,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<Secret>,
    /// A second value that some providers need: the token of Meta's verification, PayPal's webhook id. Write only.
    #[serde(
        default,
        deserialize_with = "write_only",
        skip_serializing,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub second_secret: Option<Secret>,
    /// How a request proves that it is genuine; by default what the provider does, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
    /// Headers that every request must carry with exactly these values. They are shown to whoever may read the source:
    /// for a secret value use the verifier `apiKey`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected_headers: BTreeMap<String, String>,
    /// Where the key of a repeat may be; the first that is there counts. A header, `field:` and a dotted path into the
    /// body, or `body` for a hash of the body, which makes two equal requests one event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotency_keys: Vec<String>,
    /// Where the last part of the event type comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type_from: Option<EventTypeFrom>,
    /// The greeting of the provider that is answered before events come; by default what the provider does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// What an accepted request is answered instead of `{"acknowledged": true, "eventId": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<CustomResponse>,
    /// The URL as the sender knows it, for signatures over the URL; otherwise it is read from the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Addresses and networks that may send, such as `192.0.2.0/24`; everybody when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<String>,
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
    /// Requests per second that are taken on average; no limit unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Requests that may come at once above that rate; as many as `requestsPerSecond` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// The greeting of a provider, answered before events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Handshake {
    /// `{"type": "url_verification", "challenge": …}` is answered with the challenge.
    Slack,
    /// `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`; the token is the second secret.
    Meta,
    /// `endpoint.url_validation`: the plain token and its HMAC.
    Zoom,
    /// `webhook_callback_verification`: the challenge as text.
    Twitch,
    /// `GET ?challenge=…` is echoed.
    Dropbox,
    /// `X-Hook-Secret` is echoed and becomes the secret of a source that has none.
    Asana,
    /// `GET ?crc_token=…` is answered with its HMAC.
    X,
    /// `?validationToken=…` is echoed as text.
    MicrosoftGraph,
    /// A subscription is confirmed by fetching its `SubscribeURL`.
    Sns,
    /// `OPTIONS` with `WebHook-Request-Origin`, as CloudEvents asks for.
    CloudEvents,
    /// A ping of type 1 is answered with a pong.
    Discord,
}

/// What an accepted request is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomResponse {
    /// 200 to 299; 200 unless set.
    #[serde(default = "ok")]
    pub status: u16,
    /// Its media type; `text/plain` for a text and `application/json` for everything else unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// A text as it is, anything else as JSON; nothing unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

fn ok() -> u16 {
    200
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_max_bytes: BODY_MAX_DEFAULT, requests_per_second: None, burst: None }
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
            second_secret: None,
            verifier: None,
            expected_headers: BTreeMap::new(),
            idempotency_keys: Vec::new(),
            event_type_from: None,
            handshake: None,
            response: None,
            public_url: None,
            allowed_ips: Vec::new(),
            limits: Limits::default(),
            enabled: true,
        }
    }

    /// The template of its provider; `None` without a provider, or with one that is not known.
    pub fn template(&self) -> Option<&'static Template> {
        provider::find(self.provider.as_deref()?)
    }

    /// How requests are verified: as it says, or as its provider does.
    pub fn verifier(&self) -> Verifier {
        let template = || self.template().map(|template| template.verifier.clone());
        self.verifier.clone().or_else(template).unwrap_or(Verifier::None)
    }

    /// The greeting that is answered: as it says, or as its provider does.
    pub fn handshake(&self) -> Option<Handshake> {
        self.handshake.or_else(|| self.template()?.handshake)
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
