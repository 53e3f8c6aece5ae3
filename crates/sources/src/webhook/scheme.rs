//! Whether a request is genuine, decided over the raw bytes of its body.
//!
//! Comparisons are constant in time and look at the whole tag; a tag of another length never passes.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use omni_crypto::{Secret, equal, verify_hmac_sha256};

use crate::Encoding;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a source proves its requests.
#[derive(Debug)]
pub(crate) enum Scheme {
    /// Not at all.
    Open,
    /// HMAC-SHA256 of the body in a header.
    Hmac { header: HeaderName, prefix: String, encoding: Encoding, key: Secret },
    /// The secret in a header.
    ApiKey { header: HeaderName, prefix: String, key: Secret },
}

/// Why a request is not taken for genuine; for the owner of the source only, never for the sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the header {0} is missing")]
    Missing(HeaderName),
    #[error("the header {0} is there more than once")]
    Repeated(HeaderName),
    #[error("the header {0} does not have the form that the source expects")]
    Malformed(HeaderName),
    #[error("{0} does not fit this body and secret")]
    Mismatch(HeaderName),
}

impl Scheme {
    /// As GitHub documents it: `X-Hub-Signature-256: sha256=` and hexadecimal.
    pub(crate) fn github(key: Secret) -> Self {
        Self::Hmac {
            header: HeaderName::from_static("x-hub-signature-256"),
            prefix: "sha256=".to_owned(),
            encoding: Encoding::Hex,
            key,
        }
    }

    /// The header that holds the secret itself, which must be kept nowhere.
    pub(crate) fn secret_header(&self) -> Option<&HeaderName> {
        match self {
            Self::ApiKey { header, .. } => Some(header),
            Self::Open | Self::Hmac { .. } => None,
        }
    }

    /// Decides whether a request is genuine.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Fault> {
        let (header, genuine) = match self {
            Self::Open => return Ok(()),
            Self::Hmac { header, prefix, encoding, key } => {
                let text = value(headers, header, prefix)?;
                let tag =
                    decode(*encoding, text).ok_or_else(|| Fault::Malformed(header.clone()))?;
                (header, verify_hmac_sha256(key.expose(), &[body], &tag))
            }
            Self::ApiKey { header, prefix, key } => {
                (header, equal(key.expose(), value(headers, header, prefix)?))
            }
        };
        if genuine { Ok(()) } else { Err(Fault::Mismatch(header.clone())) }
    }
}

/// The value of a header after its prefix. One header only: of two, nobody knows which one was meant.
fn value<'h>(headers: &'h HeaderMap, header: &HeaderName, prefix: &str) -> Result<&'h [u8], Fault> {
    let mut values = headers.get_all(header).iter();
    let value = values.next().ok_or_else(|| Fault::Missing(header.clone()))?;
    if values.next().is_some() {
        return Err(Fault::Repeated(header.clone()));
    }
    value.as_bytes().strip_prefix(prefix.as_bytes()).ok_or_else(|| Fault::Malformed(header.clone()))
}

fn decode(encoding: Encoding, text: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64.decode(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{Definition, compiled::Compiled};

    /// One case of `testdata/signatures.json`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        source: serde_json::Value,
        body: String,
        headers: BTreeMap<String, String>,
        /// `ok`, or what the fault's text must hold.
        expect: String,
    }

    #[test]
    fn golden_vectors() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../testdata/signatures.json")).unwrap();
        assert!(cases.len() > 15);
        for case in cases {
            let definition: Definition = serde_json::from_value(case.source).unwrap();
            let org = omni_events::Org::default();
            let source = Compiled::new(&org, &definition, definition.secret.clone()).unwrap();
            let headers = case
                .headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
            let verified = source.scheme.verify(&headers.collect(), case.body.as_bytes());
            match (case.expect.as_str(), verified) {
                ("ok", verified) => assert_eq!(verified, Ok(()), "{}", case.name),
                (text, Err(fault)) => {
                    assert!(fault.to_string().contains(text), "{}: {fault}", case.name);
                }
                (_, Ok(())) => panic!("{}: taken", case.name),
            }
        }
    }

    #[test]
    fn every_shorter_or_longer_tag_is_refused() {
        let scheme = Scheme::github(Secret::from(b"key".to_vec()));
        let tag = hex::encode(omni_crypto::hmac_sha256(b"key", &[b"body"]));
        let verify = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-hub-signature-256", format!("sha256={text}").parse().unwrap());
            scheme.verify(&headers, b"body")
        };
        assert_eq!(verify(&tag), Ok(()));
        for end in 0..tag.len() {
            assert!(verify(&tag[..end]).is_err(), "{end} digits were taken");
        }
        assert!(verify(&format!("{tag}00")).is_err());
    }

    #[test]
    fn two_signatures_are_refused() {
        let scheme = Scheme::github(Secret::from(b"key".to_vec()));
        let tag = format!("sha256={}", hex::encode(omni_crypto::hmac_sha256(b"key", &[b""])));
        let mut headers = HeaderMap::new();
        headers.append("x-hub-signature-256", tag.parse().unwrap());
        headers.append("x-hub-signature-256", tag.parse().unwrap());
        assert!(matches!(scheme.verify(&headers, b""), Err(Fault::Repeated(_))));
    }
}
