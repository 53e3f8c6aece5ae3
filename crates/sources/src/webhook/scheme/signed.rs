//! A signature over parts of a request: decides whether it fits, and makes one.
//!
//! Every secret that counts makes one tag, which is compared with each signature that was sent: a long body costs no more
//! because a sender writes many signatures.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use omni_crypto::{Certificate, Hash, Secret, SignatureAlgorithm, hmac};

use super::{
    Proof, SECRETS_MAX,
    fault::{Fault, Spot},
    key::{Decoded, Fetch, Form},
    list::{Candidates, List},
    message::{self, Material, Part},
    place::Place,
    stamp,
};
use crate::{
    definition::{Encoding, TimeUnit},
    secrets::Secrets,
    webhook::request::RequestView,
};

/// A signature, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(super) place: Place,
    pub(super) list: List,
    pub(super) encoding: Encoding,
    pub(super) how: How,
    pub(super) parts: Vec<Part>,
    pub(super) timestamp: Option<Stamp>,
}

/// With what it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    Hmac(Hash, Form),
    Public(SignatureAlgorithm, Form),
    Certificate(SignatureAlgorithm, Fetch),
}

/// The time that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) from: StampPlace,
    pub(super) unit: TimeUnit,
    pub(super) tolerance_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StampPlace {
    At(Place),
    Pair(String),
}

/// What is to be decided, and with what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) request: RequestView<'r>,
    pub(super) secrets: &'r Secrets,
    pub(super) now: DateTime<Utc>,
    /// The certificate that the request names, as it was fetched.
    pub(super) certificate: Option<&'r [u8]>,
}

impl Signed {
    pub(super) fn verify(&self, asked: Asked<'_>) -> Result<Proof, Fault> {
        let request = asked.request;
        let value = self.place.read(request)?;
        let candidates = self.list.candidates(&value, &|| self.place.spot())?;
        let timestamp = self.timestamp(request, &value, asked.now)?;
        // The body alone is what most senders sign, and needs no list of its own.
        if self.parts == [Part::Body] {
            return self.decide(&[request.body], &candidates, asked);
        }
        let second = asked.secrets.second.as_ref();
        let material = Material { request, timestamp: &timestamp, second };
        let parts = message::parts(&self.parts, material)?;
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        self.decide(&parts, &candidates, asked)
    }

    /// The timestamp as it was sent, if it is near enough; empty where none is signed.
    fn timestamp<'v>(
        &self,
        request: RequestView<'v>,
        value: &'v [u8],
        now: DateTime<Utc>,
    ) -> Result<Cow<'v, [u8]>, Fault> {
        let Some(stamp) = &self.timestamp else { return Ok(Cow::Borrowed(&[])) };
        let text = match &stamp.from {
            StampPlace::At(place) => place.read(request)?,
            StampPlace::Pair(name) => self.list.pair(value, name)?.into(),
        };
        stamp::check(&text, stamp.unit, stamp.tolerance_seconds, now, &|| stamp.spot())?;
        Ok(text)
    }

    fn decide(
        &self,
        parts: &[&[u8]],
        candidates: &Candidates<'_>,
        asked: Asked<'_>,
    ) -> Result<Proof, Fault> {
        let mut active = asked.secrets.active(asked.now).take(SECRETS_MAX).peekable();
        if !matches!(self.how, How::Certificate(..)) && active.peek().is_none() {
            return Err(Fault::NoSecret);
        }
        let mut readable = false;
        let mut any = |is: &dyn Fn(&[u8]) -> bool| {
            candidates.iter().any(|text| {
                Decoded::new(self.encoding, text).is_some_and(|signature| {
                    readable = true;
                    is(signature.bytes())
                })
            })
        };
        match &self.how {
            How::Hmac(hash, form) => {
                for held in active {
                    let key =
                        form.key(&held.secret).map_err(|why| Fault::BadSecret(why.to_owned()))?;
                    let tag = hmac(*hash, key.bytes(), parts);
                    if any(&|signature| tag.is(signature)) {
                        return Ok(Proof { secret: Some(held.id.clone()) });
                    }
                }
            }
            How::Public(algorithm, form) => {
                for held in active {
                    let key =
                        form.public_key(*algorithm, &held.secret).map_err(Fault::BadSecret)?;
                    if any(&|signature| key.verify(parts, signature)) {
                        return Ok(Proof { secret: Some(held.id.clone()) });
                    }
                }
            }
            How::Certificate(algorithm, _) => {
                let algorithm = self.certified(*algorithm, asked.request)?;
                let certificate = valid(algorithm, asked.certificate, asked.now)?;
                if any(&|signature| certificate.key.verify(parts, signature)) {
                    return Ok(Proof { secret: None });
                }
            }
        }
        let spot = self.place.spot();
        Err(if readable { Fault::Mismatch(spot) } else { Fault::Malformed(spot) })
    }

    /// The algorithm, which Amazon SNS names in each message; SHA-1 counts only where the source takes it.
    fn certified(
        &self,
        algorithm: SignatureAlgorithm,
        request: RequestView<'_>,
    ) -> Result<SignatureAlgorithm, Fault> {
        if !self.parts.contains(&Part::SnsFields) {
            return Ok(algorithm);
        }
        match (message::sns_is_sha1(request)?, algorithm) {
            (true, SignatureAlgorithm::RsaSha1) => Ok(algorithm),
            (true, _) => Err(Fault::Malformed(Spot::Field("SignatureVersion".to_owned()))),
            (false, _) => Ok(SignatureAlgorithm::RsaSha256),
        }
    }

    /// What is wrong with a secret, if it cannot be a key here.
    pub(super) fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        match &self.how {
            How::Hmac(_, form) => form.key(secret).map(|_| ()).map_err(str::to_owned),
            How::Public(algorithm, form) => form.public_key(*algorithm, secret).map(|_| ()),
            How::Certificate(..) => Ok(()),
        }
    }
}

impl Stamp {
    fn spot(&self) -> Spot {
        match &self.from {
            StampPlace::At(place) => place.spot(),
            StampPlace::Pair(name) => Spot::Pair(name.clone()),
        }
    }
}

fn valid(
    algorithm: SignatureAlgorithm,
    certificate: Option<&[u8]>,
    now: DateTime<Utc>,
) -> Result<Certificate, Fault> {
    let refused = |why: &str| Fault::Certificate(why.to_owned());
    let bytes = certificate.ok_or_else(|| refused("it was not fetched"))?;
    let certificate =
        Certificate::read(algorithm, bytes).map_err(|error| refused(&error.to_string()))?;
    let now = now.timestamp();
    if now < certificate.not_before {
        return Err(refused("it is not valid yet"));
    }
    if now > certificate.not_after {
        return Err(refused("it is no longer valid"));
    }
    Ok(certificate)
}
