//! Proofs that show the secret itself: an API key, a token, HTTP Basic. Compared in constant time.

use std::borrow::Cow;

use base64::Engine;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use omni_crypto::{Secret, equal};

use super::{
    compile::Problems,
    fault::{Fault, Spot},
    key::BASE64,
    place::Place,
};
use crate::{
    definition::{ApiKey, Basic, Token},
    webhook::request::RequestView,
};

/// Where the secret itself stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// At a place, after a prefix.
    Value { place: Place, prefix: String },
    /// As the password of HTTP Basic.
    Basic { user: String },
}

impl Shared {
    pub(super) fn api_key(key: &ApiKey, problems: &mut Problems) -> Option<Self> {
        let prefix = problems.prefix("/apiKey/prefix", key.prefix.as_deref());
        let place = problems.header("/apiKey/header", &key.header).map(Place::Header)?;
        Some(Self::Value { place, prefix: prefix? })
    }

    pub(super) fn token(token: &Token, problems: &mut Problems) -> Option<Self> {
        let place = Place::new(&token.from, "/token/from", problems)?;
        Some(Self::Value { place, prefix: String::new() })
    }

    pub(super) fn basic(basic: &Basic, problems: &mut Problems) -> Option<Self> {
        if basic.user.contains(':') || basic.user.chars().any(char::is_control) {
            problems
                .add("/basic/user", "the name of a user holds no colon and no control characters");
            return None;
        }
        Some(Self::Basic { user: basic.user.clone() })
    }

    /// The header that holds the secret.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Value { place: Place::Header(name), .. } => Some(name),
            Self::Value { .. } => None,
            Self::Basic { .. } => Some(&AUTHORIZATION),
        }
    }

    /// What the request shows where the secret belongs: it is one if it is equal to one.
    pub(super) fn shown<'r>(&self, request: RequestView<'r>) -> Result<Cow<'r, [u8]>, Fault> {
        match self {
            Self::Value { place, prefix } => {
                let value = place.read(request)?;
                if prefix.is_empty() {
                    return Ok(value);
                }
                let rest = value.strip_prefix(prefix.as_bytes());
                rest.map(|rest| rest.to_vec().into()).ok_or_else(|| Fault::Malformed(place.spot()))
            }
            Self::Basic { user } => {
                let place = Place::Header(AUTHORIZATION);
                let value = place.read(request)?;
                let both = credentials(&value).ok_or_else(|| Fault::Malformed(place.spot()))?;
                let colon = both.iter().position(|byte| *byte == b':');
                let (name, rest) = both.split_at(colon.unwrap_or(both.len()));
                let password = rest.strip_prefix(b":");
                let password = password.ok_or_else(|| Fault::Malformed(place.spot()))?;
                if !equal(name, user.as_bytes()) {
                    return Err(Fault::WrongSecret(place.spot()));
                }
                Ok(password.to_vec().into())
            }
        }
    }

    pub(super) fn spot(&self) -> Spot {
        match self {
            Self::Value { place, .. } => place.spot(),
            Self::Basic { .. } => Spot::Header(AUTHORIZATION),
        }
    }

    /// The header with which a sender would show this secret.
    pub(super) fn sign(&self, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
        let value = match self {
            Self::Value { prefix, .. } => [prefix.as_bytes(), secret.expose()].concat(),
            Self::Basic { user } => {
                let both = [user.as_bytes(), b":", secret.expose()].concat();
                format!("Basic {}", BASE64.encode(both)).into_bytes()
            }
        };
        let mut value = HeaderValue::from_bytes(&value).ok()?;
        value.set_sensitive(true);
        Some((self.header()?.clone(), value))
    }
}

/// The user and the password of `Basic …`, joined by a colon.
fn credentials(value: &[u8]) -> Option<Vec<u8>> {
    let (kind, rest) = value.split_at_checked(6)?;
    kind.eq_ignore_ascii_case(b"Basic ").then(|| BASE64.decode(rest.trim_ascii()).ok()).flatten()
}
