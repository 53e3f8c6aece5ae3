//! The verifier against arbitrary requests: what is signed is taken, what is altered is refused, and nothing panics.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::CONTENT_TYPE};
use omni_crypto::Secret;
use proptest::{prelude::*, sample::select};

use super::super::{RequestView, Scheme};
use crate::{
    definition::{Algorithm, Encoding, Key, Part, Place, Signature, TimeUnit, Timestamp, Verifier},
    provider,
    secrets::Secrets,
};

const URL: &str = "https://hooks.example.com/webhooks/x?a=1";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn view<'r>(uri: &'r Uri, headers: &'r HeaderMap, body: &'r [u8]) -> RequestView<'r> {
    RequestView { method: &Method::POST, uri, url: URL, headers, body }
}

fn taken(scheme: &Scheme, headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> bool {
    let uri: Uri = URL.parse().unwrap();
    scheme.verify_with(view(&uri, headers, body), secrets, now(), None).is_ok()
}

/// The headers with which the scheme itself makes a request genuine, if it can.
fn made(scheme: &Scheme, body: &[u8], secrets: &Secrets) -> Option<HeaderMap> {
    let uri: Uri = URL.parse().unwrap();
    let mut headers = HeaderMap::new();
    let secret = &secrets.held.first()?.secret;
    let more = scheme.sign(view(&uri, &headers, body), secret, secrets.second.as_ref(), now())?;
    headers.extend(more);
    Some(headers)
}

/// Secrets in a form that any key of an HMAC can have: an even number of letters gives whole groups of Base64.
fn secrets(text: &str) -> Secrets {
    let mut secrets = Secrets::one(Some(Secret::from(hex::encode(text))));
    secrets.second = Some(Secret::from("second".to_owned()));
    secrets
}

fn part() -> impl Strategy<Value = Part> {
    let some = [
        Part::Text(":".into()),
        Part::Timestamp,
        Part::Header("X-Id".into()),
        Part::Method,
        Part::Url,
        Part::SecondSecret,
        Part::BodyCrc32,
    ];
    select(some.to_vec())
}

prop_compose! {
    /// A signature of any form that covers the whole body and a time.
    fn signature()(
        algorithm in select(vec![Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::HmacSha512]),
        encoding in select(vec![Encoding::Hex, Encoding::Base64]),
        key in select(vec![Key::Text, Key::Hex, Key::PrefixedBase64("whsec_".into())]),
        unit in select(vec![TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Rfc3339]),
        prefix in proptest::option::of(select(vec!["sha256=".to_owned(), "v0=".to_owned()])),
        separator in proptest::option::of(select(vec![",".to_owned(), " ".to_owned()])),
        mut signed in proptest::collection::vec(part(), 0..5),
        body_at in 0..5_usize,
    ) -> Verifier {
        signed.insert(body_at.min(signed.len()), Part::Body);
        signed.push(Part::Timestamp);
        let from = Place::Header("X-Time".into());
        let timestamp = Some(Timestamp { from, unit, tolerance_seconds: 300 });
        Verifier::Signature(Box::new(Signature {
            algorithm, from: Place::Header("X-Sig".into()), prefix, separator, pairs: None, encoding, key, signed, timestamp,
        }))
    }
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (bit % 8);
    bytes
}

proptest! {
    #[test]
    fn what_a_scheme_signs_it_takes_and_no_altered_byte_of_it(
        verifier in signature(), body in proptest::collection::vec(any::<u8>(), 1..200),
        secret in "([a-z]{2}){4,15}", at: usize, bit: u8,
    ) {
        let scheme = Scheme::new(&verifier, "").unwrap();
        let (held, other) = (secrets(&secret), secrets(&format!("{secret}xy")));
        let headers = made(&scheme, &body, &held).unwrap();
        prop_assert!(taken(&scheme, &headers, &body, &held));
        prop_assert!(!taken(&scheme, &headers, &flipped(&body, at, bit), &held));
        prop_assert!(!taken(&scheme, &headers, &[&body[..], b" "].concat(), &held));
        prop_assert!(!taken(&scheme, &headers, &body, &other));
        for name in ["x-sig", "x-time", "x-id"] {
            let Some(value) = headers.get(name) else { continue };
            // Large hexadecimal digits are the same signature, and the bit for that must stay.
            let value = flipped(value.as_bytes(), at, if name == "x-sig" { bit % 4 } else { bit });
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            let mut altered = headers.clone();
            altered.insert(HeaderName::from_static(name), value);
            prop_assert!(!taken(&scheme, &altered, &body, &held), "{}", name);
        }
    }

    #[test]
    fn the_signature_of_every_provider_is_taken_by_itself(secret in "([a-z]{2}){4,15}", text in "[a-z]{0,40}") {
        let mut count = 0;
        for template in provider::all() {
            let scheme = Scheme::new(&template.verifier, "").unwrap();
            let body = format!(r#"{{"text": "{text}", "webhookTimestamp": {}}}"#, now().timestamp_millis());
            let held = secrets(&secret);
            let url_and_form = template.name == "twilio";
            let body = if url_and_form { "" } else { &body };
            let Some(headers) = made(&scheme, body.as_bytes(), &held) else { continue };
            prop_assert!(taken(&scheme, &headers, body.as_bytes(), &held), "{}", template.name);
            count += 1;
        }
        prop_assert!(count >= 35, "{}", count);
    }

    #[test]
    fn no_request_makes_any_scheme_panic(
        headers in proptest::collection::vec((0..8_usize, "[ -~]{0,80}"), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..300), form: bool, secret in "\\PC{0,40}",
        query in "[!-~&&[^#<>\"`{}|\\\\^]]{0,60}",
    ) {
        let uri: Uri = format!("/x?{query}").parse().unwrap_or_default();
        let held = Secrets::one(Some(Secret::from(secret)));
        for template in provider::all() {
            let scheme = Scheme::new(&template.verifier, "").unwrap();
            let names = names(&template.verifier);
            let mut map = HeaderMap::new();
            for (index, value) in &headers {
                if let Some(name) = names.get(index % names.len().max(1)) {
                    map.append(name, value.parse().unwrap());
                }
            }
            if form {
                map.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            }
            let request = view(&uri, &map, &body);
            let _ = scheme.certificate_url(request);
            let verified = scheme.verify_with(request, &held, now(), Some(&body));
            prop_assert!(verified.is_err() || template.verifier == Verifier::None, "{}", template.name);
        }
    }

    #[test]
    fn arbitrary_json_gives_a_field_or_a_fault(body in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,120}", path in "[a-z0-9]{1,3}(\\.[a-z0-9]{1,3}){0,4}") {
        let verifier = Verifier::Token(crate::definition::Token { from: Place::Field(path) });
        let scheme = Scheme::new(&verifier, "").unwrap();
        prop_assert!(!taken(&scheme, &HeaderMap::new(), body.as_bytes(), &secrets("a secret that is not there")));
    }
}

/// The headers that a verifier reads.
fn names(verifier: &Verifier) -> Vec<HeaderName> {
    let document = serde_json::to_string(verifier).unwrap();
    let names = document.split("\"header\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| name.parse().unwrap()).collect()
}
