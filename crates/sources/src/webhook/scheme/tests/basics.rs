//! The verifier against `testdata/signatures.json`: forms of headers, prefixes and encodings.

use std::collections::BTreeMap;

use chrono::DateTime;
use http::{HeaderMap, HeaderName, Method, Uri};
use omni_crypto::Secret;
use serde::Deserialize;

use super::super::{Fault, Proof, RequestView};
use crate::{Definition, compiled::Compiled, secrets::Secrets};

/// One case of `testdata/signatures.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    source: serde_json::Value,
    body: String,
    headers: BTreeMap<String, String>,
    /// `ok`, or the code of the fault.
    expect: String,
}

fn verify(source: &Compiled, headers: &HeaderMap, body: &[u8]) -> Result<Proof, Fault> {
    let uri = Uri::from_static("/webhooks/x");
    let request = RequestView {
        method: &Method::POST,
        uri: &uri,
        url: "https://omni.example/webhooks/x",
        headers,
        body,
    };
    source.scheme.verify_with(request, &source.secrets, DateTime::UNIX_EPOCH, None)
}

fn github(secret: &str) -> Compiled {
    let source = serde_json::json!({ "name": "gh", "provider": "github" });
    let definition: Definition = serde_json::from_value(source).unwrap();
    let secrets = Secrets::one(Some(Secret::from(secret.to_owned())));
    Compiled::new(&omni_events::Org::default(), &definition, secrets).unwrap()
}

#[test]
fn golden_vectors() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../../testdata/signatures.json")).unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let definition: Definition = serde_json::from_value(case.source).unwrap();
        let org = omni_events::Org::default();
        let secrets = Secrets::one(definition.secret.clone());
        let source = Compiled::new(&org, &definition, secrets).unwrap();
        let headers = case
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        let verified = verify(&source, &headers.collect(), case.body.as_bytes());
        let found = verified.as_ref().map_or_else(Fault::code, |_| "ok");
        assert_eq!(found, case.expect, "{}: {verified:?}", case.name);
    }
}

#[test]
fn every_shorter_or_longer_tag_is_refused() {
    let source = github("key");
    let tag = hex::encode(omni_crypto::hmac_sha256(b"key", &[b"body"]));
    let taken = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", format!("sha256={text}").parse().unwrap());
        verify(&source, &headers, b"body").is_ok()
    };
    assert!(taken(&tag));
    for end in 0..tag.len() {
        assert!(!taken(&tag[..end]), "{end} digits were taken");
    }
    assert!(!taken(&format!("{tag}00")));
}

#[test]
fn two_signatures_are_refused() {
    let source = github("key");
    let tag = format!("sha256={}", hex::encode(omni_crypto::hmac_sha256(b"key", &[b""])));
    let mut headers = HeaderMap::new();
    headers.append("x-hub-signature-256", tag.parse().unwrap());
    headers.append("x-hub-signature-256", tag.parse().unwrap());
    assert!(matches!(verify(&source, &headers, b""), Err(Fault::Repeated(_))));
}
