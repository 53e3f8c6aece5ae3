//! The signature: encoded otherwise, made with another algorithm, behind another prefix.

use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::{
    Diagnosis,
    trial::{Change, Trial},
};
use crate::definition::{Algorithm, Encoding, Part, Place, Signature, Verifier};

/// What stands before signatures of senders that are known.
const PREFIXES: &[Option<&str>] = &[
    None,
    Some("sha256="),
    Some("sha1="),
    Some("sha512="),
    Some("v0="),
    Some("v1="),
    Some("v1,"),
    Some("hmac-sha256 "),
];

/// A verifier in its long form, if it has one.
pub(super) fn long(verifier: &Verifier) -> Verifier {
    match verifier {
        Verifier::HmacSha256(short) => Verifier::Signature(Box::new(Signature {
            algorithm: Algorithm::HmacSha256,
            from: Place::Header(short.header.clone()),
            prefix: short.prefix.clone(),
            separator: None,
            pairs: None,
            encoding: short.encoding,
            key: crate::definition::Key::Text,
            signed: vec![Part::Body],
            timestamp: None,
        })),
        other => other.clone(),
    }
}

/// Tries the other ways to write a signature.
pub(super) fn diagnose(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let verifier = trial.case.definition.verifier();
    match long(&verifier) {
        Verifier::Signature(signature) => {
            url_safe(trial, &signature, found);
            if found.is_empty() {
                written(trial, &signature, found);
            }
        }
        Verifier::ApiKey(key) => {
            for prefix in [None, Some("Bearer "), Some("Basic "), Some("Token "), Some("ApiKey ")] {
                let mut altered = key.clone();
                altered.prefix = prefix.map(str::to_owned);
                if altered != key && trial.fits_as(&Verifier::ApiKey(altered), None) {
                    let word = prefix.map_or_else(|| "nothing".to_owned(), |p| format!("`{p}`"));
                    let detail = format!("{word} stands before the secret in {}", key.header);
                    let fix = format!("set `verifier.apiKey.prefix` to {word}");
                    found.push(Diagnosis::certain("signature-prefix", detail, fix));
                    return;
                }
            }
        }
        _ => {}
    }
}

/// Base64 with the letters for URLs.
fn url_safe(trial: &mut Trial<'_>, signature: &Signature, found: &mut Vec<Diagnosis>) {
    let Place::Header(name) = &signature.from else { return };
    let headers: &HeaderMap = &trial.incoming().headers;
    let Some(value) = headers.get(name.as_str()).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let prefix = signature.prefix.as_deref().unwrap_or_default();
    let Some(text) = value.strip_prefix(prefix) else { return };
    if !text.contains(['-', '_']) || signature.pairs.is_some() {
        return;
    }
    let plain = format!("{prefix}{}", text.replace('-', "+").replace('_', "/"));
    let Ok(plain) = HeaderValue::from_str(&plain) else { return };
    let mut headers = headers.clone();
    let Ok(name) = name.parse::<http::HeaderName>() else { return };
    headers.insert(name, plain);
    let mut altered = signature.clone();
    altered.encoding = Encoding::Base64;
    let Ok(scheme) = crate::webhook::Scheme::new(&Verifier::Signature(Box::new(altered)), "")
    else {
        return;
    };
    if trial.fits(Change { scheme: Some(&scheme), headers: Some(&headers), ..Change::default() }) {
        found.push(Diagnosis::certain(
            "signature-encoding",
            "the signature is right and written as Base64 for URLs (with - and _)",
            "have the sender write plain Base64 (with + and /), or hexadecimal",
        ));
    }
}

/// Other algorithms, encodings and prefixes.
fn written(trial: &mut Trial<'_>, signature: &Signature, found: &mut Vec<Diagnosis>) {
    let algorithms: &[Algorithm] = match signature.algorithm {
        Algorithm::HmacSha1 | Algorithm::HmacSha256 | Algorithm::HmacSha512 => {
            &[Algorithm::HmacSha256, Algorithm::HmacSha1, Algorithm::HmacSha512]
        }
        Algorithm::RsaSha1 | Algorithm::RsaSha256 => &[Algorithm::RsaSha256, Algorithm::RsaSha1],
        ref other => std::slice::from_ref(other),
    };
    let own = signature.prefix.as_deref();
    let prefixes: Vec<Option<&str>> = match signature.pairs {
        Some(_) => vec![own],
        None => std::iter::once(own)
            .chain(PREFIXES.iter().copied().filter(|prefix| *prefix != own))
            .collect(),
    };
    for prefix in prefixes {
        for algorithm in algorithms {
            for encoding in [Encoding::Hex, Encoding::Base64] {
                let mut altered = signature.clone();
                altered.prefix = prefix.map(str::to_owned);
                altered.algorithm = *algorithm;
                altered.encoding = encoding;
                if altered == *signature {
                    continue;
                }
                if trial.fits_as(&Verifier::Signature(Box::new(altered.clone())), None) {
                    tell(signature, &altered, found);
                    return;
                }
            }
        }
    }
}

fn tell(was: &Signature, fits: &Signature, found: &mut Vec<Diagnosis>) {
    let set = |field: &str, value: serde_json::Result<Value>| {
        let value = value.unwrap_or_default().to_string();
        format!("set `verifier.signature.{field}` to `{}`", value.trim_matches('"'))
    };
    let tell = |cause, what: &str, fix| {
        Diagnosis::certain(cause, format!("the signature is right, but {what}"), fix)
    };
    if was.algorithm != fits.algorithm {
        let fix = set("algorithm", serde_json::to_value(fits.algorithm));
        found.push(tell("signature-algorithm", "made with another algorithm", fix));
    }
    if was.encoding != fits.encoding {
        let fix = set("encoding", serde_json::to_value(fits.encoding));
        found.push(tell("signature-encoding", "encoded in another way", fix));
    }
    if was.prefix != fits.prefix {
        let fix = set("prefix", serde_json::to_value(&fits.prefix));
        found.push(tell("signature-prefix", "something else stands before it", fix));
    }
}
