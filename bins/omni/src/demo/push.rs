//! The push as GitHub would send it: body, delivery id, signature.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use omni_clock::{Clock, Random};
use omni_crypto::hmac_sha256;
use omni_egress::Request;

use crate::client::Client;
use crate::error::Error;

/// The payload, written for this demo in the shape that GitHub documents.
pub(super) const BODY: &str = include_str!("../../demo/github-push.json");

/// One delivery. Every run of the demo has its own secret and delivery id, so that it works again
/// on the same data directory.
pub(super) struct Push {
    secret: String,
    pub(super) delivery: String,
    pub(super) signature: String,
}

impl Push {
    pub(super) fn new(random: &Random, clock: &dyn Clock) -> Result<Self, Error> {
        let key = omni_crypto::random_key()
            .map_err(|error| Error::Demo(format!("no secret can be made: {error}")))?;
        let secret = hex::encode(key.expose());
        let tag = hmac_sha256(secret.as_bytes(), &[BODY.as_bytes()]);
        let delivery = random.uuid_v7(clock.now()).to_string();
        Ok(Self { secret, delivery, signature: format!("sha256={}", hex::encode(tag)) })
    }

    /// What the source is created with.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// The request to the source `github`.
    pub(super) fn request(&self, client: &Client) -> Request {
        let mut request = Request::new(Method::POST, client.url(&["webhooks", "github"], &[]));
        request.body = Bytes::from_static(BODY.as_bytes());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::USER_AGENT, "GitHub-Hookshot/omni-demo"),
            (HeaderName::from_static("x-github-event"), "push"),
            (HeaderName::from_static("x-github-delivery"), &self.delivery),
            (HeaderName::from_static("x-hub-signature-256"), &self.signature),
        ] {
            // Hexadecimal digits, dashes and the texts above: always a header value.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        request.headers = headers;
        request
    }
}

#[cfg(test)]
mod tests {
    use omni_clock::SystemClock;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_payload_has_the_members_that_github_documents() {
        let push: Value = serde_json::from_str(BODY).unwrap();
        for pointer in [
            "/ref",
            "/before",
            "/after",
            "/base_ref",
            "/created",
            "/deleted",
            "/forced",
            "/compare",
            "/repository/id",
            "/repository/node_id",
            "/repository/full_name",
            "/repository/owner/login",
            "/pusher/name",
            "/sender/login",
            "/commits/0/modified/0",
            "/commits/1/author/username",
            "/head_commit/id",
        ] {
            assert!(push.pointer(pointer).is_some(), "{pointer}");
        }
        assert_eq!(push["head_commit"], push["commits"][1]);
        assert_eq!(push["after"], push["head_commit"]["id"]);
        assert_eq!(push["before"].as_str().unwrap().len(), 40);
    }

    #[test]
    fn every_push_has_its_own_secret_and_delivery() {
        let random = Random::seeded(1);
        let push = || Push::new(&random, &SystemClock::new()).unwrap();
        let (one, two) = (push(), push());
        assert_ne!(one.secret, two.secret);
        assert_ne!(one.delivery, two.delivery);
        let client = Client::new("http://127.0.0.1:1", "default").unwrap();
        let request = one.request(&client);
        assert_eq!(request.headers.len(), 5);
        let tag = hex::decode(one.signature.strip_prefix("sha256=").unwrap()).unwrap();
        assert!(omni_crypto::verify_hmac_sha256(one.secret.as_bytes(), &[&request.body], &tag));
    }
}
