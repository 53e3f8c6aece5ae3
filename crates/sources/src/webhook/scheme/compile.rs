//! From a definition to what verifies, or everything that is wrong with it.
//!
//! A description that could never fit, or would prove nothing, is refused when it is saved and not when requests come.

use http::HeaderName;
use omni_crypto::{Hash, SignatureAlgorithm};

use super::{
    key::{Fetch, Form},
    list::List,
    message::Part,
    place::Place,
    shared::Shared,
    signed::{How, Signed, Stamp, StampPlace},
};
use crate::{
    Problem,
    definition::{self, Algorithm, HmacSha256, Key, Signature, Timestamp},
};

/// Longest prefix, separator or text in bytes.
const TEXT_LEN_MAX: usize = 64;
/// Most parts of what is signed.
const PARTS_MAX: usize = 16;
/// Most patterns of hosts for a certificate.
const HOSTS_MAX: usize = 32;
/// Longest tolerance in seconds: a day.
const TOLERANCE_MAX: u32 = 86_400;

/// What is wrong with a verifier, under the pointer of its definition.
pub(super) struct Problems {
    pub(super) at: String,
    pub(super) list: Vec<Problem>,
}

impl Problems {
    pub(super) fn add(&mut self, pointer: impl AsRef<str>, message: impl Into<String>) {
        self.list.push(Problem::at(format!("{}{}", self.at, pointer.as_ref()), message));
    }

    pub(super) fn header(&mut self, pointer: &str, name: &str) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        if parsed.is_none() {
            self.add(pointer, "this is no HTTP header name");
        }
        parsed
    }

    /// What stands before a value; empty unless it is set.
    pub(super) fn prefix(&mut self, pointer: &str, prefix: Option<&str>) -> Option<String> {
        let Some(prefix) = prefix else { return Some(String::new()) };
        if prefix.is_empty() {
            self.add(pointer, "leave the prefix out if there is none");
            return None;
        }
        self.text(pointer, prefix)
    }

    fn text(&mut self, pointer: &str, text: &str) -> Option<String> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if text.is_empty() || text.len() > TEXT_LEN_MAX || !printable {
            self.add(pointer, "use 1 to 64 printable characters of ASCII");
            return None;
        }
        Some(text.to_owned())
    }
}

pub(super) fn hmac_sha256(hmac: &HmacSha256, problems: &mut Problems) -> Option<Signed> {
    let prefix = problems.prefix("/hmacSha256/prefix", hmac.prefix.as_deref());
    let header = problems.header("/hmacSha256/header", &hmac.header);
    Some(Signed {
        place: Place::Header(header?),
        list: List::One { prefix: prefix? },
        encoding: hmac.encoding,
        how: How::Hmac(Hash::Sha256, Form::Text),
        parts: vec![Part::Body],
        timestamp: None,
    })
}

pub(super) fn shared(verifier: &definition::Verifier, problems: &mut Problems) -> Option<Shared> {
    match verifier {
        definition::Verifier::ApiKey(key) => Shared::api_key(key, problems),
        definition::Verifier::Token(token) => Shared::token(token, problems),
        definition::Verifier::Basic(basic) => Shared::basic(basic, problems),
        _ => None,
    }
}

pub(super) fn signature(signature: &Signature, problems: &mut Problems) -> Option<Signed> {
    let place = Place::new(&signature.from, "/signature/from", problems);
    let list = problems.list_of(signature);
    let how = problems.how(signature);
    let parts = problems.parts(signature);
    let stamp = |timestamp| problems.timestamp(timestamp, signature.pairs.is_some());
    let timestamp = signature.timestamp.as_ref().map(stamp);
    let signed = Signed {
        place: place?,
        list: list?,
        encoding: signature.encoding,
        how: how?,
        parts: parts?,
        timestamp: match timestamp {
            Some(stamp) => Some(stamp?),
            None => None,
        },
    };
    problems.contradictions(&signed);
    Some(signed)
}

impl Problems {
    fn list_of(&mut self, signature: &Signature) -> Option<List> {
        let prefix = self.prefix("/signature/prefix", signature.prefix.as_deref());
        let separator = match &signature.separator {
            Some(separator) => Some(self.separator(separator)?),
            None => None,
        };
        let prefix = prefix?;
        let Some(pairs) = &signature.pairs else {
            return Some(match separator {
                None => List::One { prefix },
                Some(separator) if prefix.contains(&separator) => {
                    let text =
                        "it stands in the prefix too, so no signature could be told from another";
                    self.add("/signature/separator", text);
                    return None;
                }
                Some(separator) => List::Several { prefix, separator },
            });
        };
        if !prefix.is_empty() {
            self.add(
                "/signature/prefix",
                "`pairs` names the signature already; leave the prefix out",
            );
            return None;
        }
        let separator = separator.unwrap_or_else(|| ",".to_owned());
        let name = self.pair("/signature/pairs/signature", &pairs.signature, &separator)?;
        Some(List::Pairs { name, separator })
    }

    fn separator(&mut self, separator: &str) -> Option<String> {
        let separator = self.text("/signature/separator", separator)?;
        let written = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        if separator.contains(written) {
            let text = "letters, digits, `+`, `/` and `=` can be part of a signature and cannot part signatures";
            self.add("/signature/separator", text);
            return None;
        }
        Some(separator)
    }

    fn pair(&mut self, pointer: &str, name: &str, separator: &str) -> Option<String> {
        let name = self.text(pointer, name)?;
        if name.contains('=') || name.contains(separator) {
            self.add(pointer, "the name of a pair holds neither `=` nor the separator");
            return None;
        }
        Some(name)
    }

    fn how(&mut self, signature: &Signature) -> Option<How> {
        let public = match signature.algorithm {
            Algorithm::HmacSha1 => Err(Hash::Sha1),
            Algorithm::HmacSha256 => Err(Hash::Sha256),
            Algorithm::HmacSha512 => Err(Hash::Sha512),
            Algorithm::Ed25519 => Ok(SignatureAlgorithm::Ed25519),
            Algorithm::EcdsaP256Sha256 => Ok(SignatureAlgorithm::EcdsaP256Sha256),
            Algorithm::RsaSha1 => Ok(SignatureAlgorithm::RsaSha1),
            Algorithm::RsaSha256 => Ok(SignatureAlgorithm::RsaSha256),
        };
        let form = match &signature.key {
            Key::Text => Form::Text,
            Key::Hex => Form::Hex,
            Key::Base64 => Form::Base64 { prefix: String::new() },
            Key::PrefixedBase64(prefix) => {
                Form::Base64 { prefix: self.text("/signature/key/prefixedBase64", prefix)? }
            }
            Key::Pem => Form::Pem,
            Key::Certificate(certificate) => {
                let fetch = self.fetch(certificate);
                let Ok(algorithm) = public else {
                    self.add("/signature/key", "an HMAC has no certificate: its key is a secret");
                    return None;
                };
                return Some(How::Certificate(algorithm, fetch?));
            }
        };
        match (public, &form) {
            (Err(_), Form::Pem) => {
                self.add("/signature/key", "an HMAC has no public key: its key is a secret");
                None
            }
            (Err(hash), _) => Some(How::Hmac(hash, form)),
            (Ok(_), Form::Text) => {
                let text = "say how the public key is written: `hex`, `base64` or `pem`";
                self.add("/signature/key", text);
                None
            }
            (Ok(algorithm), _) => Some(How::Public(algorithm, form)),
        }
    }

    fn fetch(&mut self, certificate: &definition::Certificate) -> Option<Fetch> {
        let place = Place::new(&certificate.url, "/signature/key/certificate/url", self);
        if certificate.hosts.is_empty() || certificate.hosts.len() > HOSTS_MAX {
            let text =
                format!("name 1 to {HOSTS_MAX} hosts: a certificate of anybody proves nothing");
            self.add("/signature/key/certificate/hosts", text);
        }
        for (index, host) in certificate.hosts.iter().enumerate() {
            if !is_pattern(host) {
                let text = "use a host name in small letters; `*` stands for a part of one label, and not in the last two";
                self.add(format!("/signature/key/certificate/hosts/{index}"), text);
            }
        }
        Some(Fetch { place: place?, hosts: certificate.hosts.clone() })
    }

    fn parts(&mut self, signature: &Signature) -> Option<Vec<Part>> {
        let count = signature.signed.len();
        if count == 0 || count > PARTS_MAX {
            self.add("/signature/signed", format!("name 1 to {PARTS_MAX} parts of the request"));
        }
        let mut parts = Vec::new();
        for (index, part) in signature.signed.iter().take(PARTS_MAX).enumerate() {
            parts.extend(self.part(part, &format!("/signature/signed/{index}")));
        }
        (parts.len() == count).then_some(parts)
    }

    fn part(&mut self, part: &definition::Part, pointer: &str) -> Option<Part> {
        Some(match part {
            definition::Part::Body => Part::Body,
            definition::Part::Text(text) => {
                Part::Text(self.text(&format!("{pointer}/text"), text)?)
            }
            definition::Part::Timestamp => Part::Timestamp,
            definition::Part::Header(name) => {
                Part::Value(Place::Header(self.header(&format!("{pointer}/header"), name)?))
            }
            definition::Part::Field(path) => {
                Part::Value(Place::Field(self.path(&format!("{pointer}/field"), path)?))
            }
            definition::Part::Method => Part::Method,
            definition::Part::Url => Part::Url,
            definition::Part::SecondSecret => Part::SecondSecret,
            definition::Part::BodyCrc32 => Part::BodyCrc32,
            definition::Part::FormFields => Part::FormFields,
            definition::Part::SnsFields => Part::SnsFields,
        })
    }

    fn timestamp(&mut self, timestamp: &Timestamp, pairs: bool) -> Option<Stamp> {
        if timestamp.tolerance_seconds == 0 || timestamp.tolerance_seconds > TOLERANCE_MAX {
            let text = format!("use 1 to {TOLERANCE_MAX}");
            self.add("/signature/timestamp/toleranceSeconds", text);
        }
        let from = match &timestamp.from {
            definition::Place::Pair(name) if pairs => {
                let pointer = "/signature/timestamp/from/pair";
                StampPlace::Pair(self.pair(pointer, name, "=")?)
            }
            place => StampPlace::At(Place::new(place, "/signature/timestamp/from", self)?),
        };
        let tolerance_seconds = timestamp.tolerance_seconds;
        Some(Stamp { from, unit: timestamp.unit, tolerance_seconds })
    }
}

/// Whether a pattern names hosts of one owner: no `*` in the last two labels, one at most in each of the others.
fn is_pattern(pattern: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| letter(byte) || byte == b'*')
            && label.matches('*').count() <= 1
    };
    let labels: Vec<&str> = pattern.split('.').collect();
    let fixed = labels.iter().rev().take(2).all(|label| !label.contains('*'));
    pattern.len() <= 253 && labels.len() >= 2 && fixed && labels.iter().all(|text| label(text))
}
