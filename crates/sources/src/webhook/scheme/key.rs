//! From a secret as its owner wrote it to a key, and where a certificate may come from.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use omni_crypto::{PublicKey, Secret, SignatureAlgorithm};
use url::Url;

use super::{fault::Fault, place::Place};
use crate::{definition::Encoding, webhook::request::RequestView};

pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest signature in bytes: RSA of 8192 bits.
pub(super) const SIGNATURE_LEN_MAX: usize = 1024;
/// Room to decode into; Base64 asks for a little more than it writes.
const ROOM: usize = SIGNATURE_LEN_MAX + 8;

/// How a secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Hex,
    Base64 { prefix: String },
    Pem,
}

/// The bytes of a key: the secret itself or what it says.
pub(super) enum KeyBytes<'s> {
    Same(&'s [u8]),
    Decoded(Secret),
}

impl KeyBytes<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Same(bytes) => bytes,
            Self::Decoded(secret) => secret.expose(),
        }
    }
}

impl Form {
    /// The key that a secret stands for, or what is wrong with it.
    pub(super) fn key<'s>(&self, secret: &'s Secret) -> Result<KeyBytes<'s>, &'static str> {
        let text = secret.expose();
        let key = match self {
            Self::Text | Self::Pem => return Ok(KeyBytes::Same(text)),
            Self::Hex => hex::decode(text.trim_ascii()).map_err(
                |_| "the secret of this source is written in hexadecimal digits, two for each byte",
            )?,
            Self::Base64 { prefix } => {
                let text = text.trim_ascii();
                let text = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
                BASE64.decode(text).map_err(
                    |_| "the secret of this source is written in Base64; copy the whole of it",
                )?
            }
        };
        if key.is_empty() {
            Err("the secret holds no key")
        } else {
            Ok(KeyBytes::Decoded(Secret::from(key)))
        }
    }

    /// The public key that a secret stands for, or what is wrong with it.
    pub(super) fn public_key(
        &self,
        algorithm: SignatureAlgorithm,
        secret: &Secret,
    ) -> Result<PublicKey, String> {
        let key = match self {
            Self::Pem => PublicKey::from_pem(algorithm, secret.expose()),
            _ => PublicKey::from_bytes(algorithm, self.key(secret)?.bytes()),
        };
        key.map_err(|error| error.to_string())
    }
}

/// A signature in binary.
pub(super) struct Decoded {
    room: [u8; ROOM],
    length: usize,
}

impl Decoded {
    /// Decodes a signature; `None` if it is not written like that, or longer than any signature.
    pub(super) fn new(encoding: Encoding, text: &[u8]) -> Option<Self> {
        let mut room = [0; ROOM];
        let length = match encoding {
            Encoding::Hex => {
                let length = text.len() / 2;
                hex::decode_to_slice(text, room.get_mut(..length)?).ok()?;
                length
            }
            Encoding::Base64 => BASE64.decode_slice(text, &mut room).ok()?,
        };
        Some(Self { room, length })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }
}

/// Where a certificate may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) place: Place,
    pub(super) hosts: Vec<String>,
}

impl Fetch {
    /// The address of the certificate that a request names, if it is one that is believed.
    pub(super) fn url(&self, request: RequestView<'_>) -> Result<Url, Fault> {
        let text = self.place.read(request)?;
        let refused = |why: &str| Fault::Certificate(why.to_owned());
        let text = str::from_utf8(&text).map_err(|_| refused("its address is no URL"))?;
        let url = Url::parse(text).map_err(|_| refused("its address is no URL"))?;
        if url.scheme() != "https" {
            return Err(refused("its address does not begin with https"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return Err(refused("its address has a user or a port"));
        }
        let host = url.domain().ok_or_else(|| refused("its address names no host"))?;
        if !self.hosts.iter().any(|pattern| fits(pattern, host)) {
            return Err(refused("it is on a host that is not believed"));
        }
        Ok(url)
    }
}

/// Whether a host name fits a pattern: label by label, where `*` stands for any part of one label.
///
/// A `*` never crosses a dot: under a cloud's domain anybody can have a name such as `sns.mine.storage…`.
fn fits(pattern: &str, host: &str) -> bool {
    let (mut labels, mut patterns) = (host.split('.'), pattern.split('.'));
    loop {
        match (labels.next(), patterns.next()) {
            (None, None) => return true,
            (Some(label), Some(pattern)) if label_fits(pattern, label) => {}
            _ => return false,
        }
    }
}

fn label_fits(pattern: &str, label: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern.eq_ignore_ascii_case(label);
    };
    let label = label.to_ascii_lowercase();
    let middle = label.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    middle.is_some_and(|middle| !middle.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_in_its_label() {
        let sns = "sns.us-*.amazonaws.com";
        assert!(fits(sns, "sns.us-east-1.amazonaws.com"));
        assert!(fits("*.example.com", "a.example.com"));
        for other in [
            "sns.s3.amazonaws.com",
            "sns.s3-us-west-2.amazonaws.com",
            "sns.us-.amazonaws.com",
            "sns.us-east-1.evil.amazonaws.com",
            "sns.us-east-1.amazonaws.com.evil.example",
            "evil.sns.us-east-1.amazonaws.com",
            "sns.us-east-1.amazonaws.com.",
        ] {
            assert!(!fits(sns, other), "{other}");
        }
        assert!(!fits("*.example.com", "example.com"));
        assert!(!fits("*.example.com", "a.b.example.com"));
    }

    #[test]
    fn signatures_of_any_length_are_decoded_or_refused() {
        for length in 0..1100 {
            let bytes = vec![7; length];
            let text = hex::encode(&bytes);
            let decoded = Decoded::new(Encoding::Hex, text.as_bytes());
            assert_eq!(decoded.is_some(), length <= ROOM, "{length}");
            assert!(decoded.is_none_or(|decoded| decoded.bytes() == bytes));
            let text = BASE64.encode(&bytes);
            let decoded = Decoded::new(Encoding::Base64, text.as_bytes());
            assert!(decoded.is_some() || length > SIGNATURE_LEN_MAX, "{length}");
            assert!(decoded.is_none_or(|decoded| decoded.bytes() == bytes));
        }
    }
}
