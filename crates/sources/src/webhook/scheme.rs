//! Whether a request is genuine, decided over the raw bytes of its body.
//!
//! Comparisons are constant in time and look at the whole tag; a tag of another length never passes. There is one
//! verifier: what differs between senders is data.

mod compile;
mod contradictions;
mod fault;
mod field;
mod key;
mod list;
mod message;
mod place;
mod shared;
mod sign;
mod signed;
mod stamp;

use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue};
use omni_crypto::{Secret, equal};
use url::Url;

pub(crate) use self::fault::{Fault, Spot};
use self::{
    compile::Problems,
    shared::Shared,
    signed::{Asked, How, Signed},
};
use super::request::RequestView;
use crate::{Problem, definition::Verifier, secrets::Secrets};

/// Most secrets that are tried for one request; each costs a pass over its body.
const SECRETS_MAX: usize = 5;

/// How a source proves its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Not at all.
    Open,
    /// By a signature.
    Signed(Box<Signed>),
    /// By showing the secret itself.
    Shared(Shared),
}

/// What proved a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The id of the secret that fits, if one was needed.
    pub(crate) secret: Option<String>,
}

impl Scheme {
    /// Checks a verifier and prepares it; `at` is the pointer of the definition that it comes from.
    pub(crate) fn new(verifier: &Verifier, at: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems { at: at.to_owned(), list: Vec::new() };
        let scheme = match verifier {
            Verifier::None => Some(Self::Open),
            Verifier::Signature(signature) => compile::signature(signature, &mut problems)
                .map(|signed| Self::Signed(Box::new(signed))),
            Verifier::HmacSha256(hmac) => compile::hmac_sha256(hmac, &mut problems)
                .map(|signed| Self::Signed(Box::new(signed))),
            Verifier::ApiKey(_) | Verifier::Token(_) | Verifier::Basic(_) => {
                compile::shared(verifier, &mut problems).map(Self::Shared)
            }
        };
        match scheme {
            Some(scheme) if problems.list.is_empty() => Ok(scheme),
            _ => Err(problems.list),
        }
    }

    /// Says what is wrong with a secret that could never prove anything here.
    pub(crate) fn check_secret(&self, secret: &Secret) -> Result<(), Problem> {
        let why = match self {
            Self::Signed(signed) => signed.check_secret(secret),
            Self::Shared(_) if secret.expose().is_empty() => {
                Err("an empty secret proves nothing".to_owned())
            }
            Self::Open | Self::Shared(_) => Ok(()),
        };
        why.map_err(|why| Problem::at("/secret", why))
    }

    /// The header that holds the secret itself, which must be kept nowhere.
    pub(crate) fn secret_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Shared(shared) => shared.header(),
            Self::Open | Self::Signed(_) => None,
        }
    }

    /// Decides whether a request is genuine, with the certificate (DER or PEM) that [`Scheme::certificate_url`] names if it
    /// names one.
    pub(crate) fn verify_with(
        &self,
        request: RequestView<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
        certificate: Option<&[u8]>,
    ) -> Result<Proof, Fault> {
        match self {
            Self::Open => Ok(Proof::default()),
            Self::Signed(signed) => signed.verify(Asked { request, secrets, now, certificate }),
            Self::Shared(shared) => {
                let shown = shared.shown(request)?;
                let mut active = secrets.active(now).take(SECRETS_MAX).peekable();
                if active.peek().is_none() {
                    return Err(Fault::NoSecret);
                }
                active
                    .find(|held| equal(held.secret.expose(), &shown))
                    .map(|held| Proof { secret: Some(held.id.clone()) })
                    .ok_or_else(|| Fault::WrongSecret(shared.spot()))
            }
        }
    }

    /// Where the certificate is that a request is verified with, if that is how it is done: always `https`, and a host
    /// that the definition names.
    pub(crate) fn certificate_url(&self, request: RequestView<'_>) -> Option<Result<Url, Fault>> {
        match self {
            Self::Signed(signed) => match &signed.how {
                How::Certificate(_, fetch) => Some(fetch.url(request)),
                _ => None,
            },
            Self::Open | Self::Shared(_) => None,
        }
    }

    /// The headers that make a request genuine under this secret; `None` where only its provider can do that, or where
    /// the proof stands in the body or the query.
    pub(crate) fn sign(
        &self,
        request: RequestView<'_>,
        secret: &Secret,
        second: Option<&Secret>,
        now: DateTime<Utc>,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        match self {
            Self::Open => Some(Vec::new()),
            Self::Signed(signed) => signed.sign(request, secret, second, now),
            Self::Shared(shared) => shared.sign(secret).map(|header| vec![header]),
        }
    }
}

#[cfg(test)]
mod tests;
