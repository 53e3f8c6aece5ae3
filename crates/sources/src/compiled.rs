//! A source as the receiver uses it: every header name parsed, the secret opened, the event type made.
//!
//! Compiling is also the check of a definition: what compiles can be received, and nothing else is saved.

mod bounds;
mod problems;

use std::sync::{Arc, Mutex};

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use omni_events::{EventType, Org};
use url::Url;

use self::problems::Problems;
use crate::{
    Definition, Problem,
    definition::{Handshake, Part, Verifier},
    provider::Template,
    secrets::Secrets,
    webhook::{Rate, Reply, Sampler, Scheme},
};

/// A source that can receive.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) org: Org,
    pub(crate) name: String,
    /// `webhook:{name}`: the source of its events, and the scope of its keys.
    pub(crate) label: String,
    pub(crate) enabled: bool,
    pub(crate) template: Option<&'static Template>,
    pub(crate) scheme: Scheme,
    /// Whether the URL is a part of what is signed; otherwise nobody asks for it.
    pub(crate) needs_url: bool,
    pub(crate) secrets: Secrets,
    pub(crate) handshake: Option<Handshake>,
    /// What an accepted request is answered, if not the usual.
    pub(crate) response: Option<Reply>,
    pub(crate) public_url: Option<Url>,
    pub(crate) allowed_ips: Vec<IpNet>,
    pub(crate) expected: Vec<(HeaderName, HeaderValue)>,
    /// Where the owner of the source says that the key of a repeat is.
    pub(crate) keys: Vec<Key>,
    /// Where the provider writes the id of its event or delivery.
    pub(crate) provider_keys: Vec<Key>,
    /// `custom.webhook.{name}`.
    pub(crate) base_type: EventType,
    pub(crate) type_from: Option<TypeFrom>,
    pub(crate) body_max: usize,
    pub(crate) per_second: Option<u32>,
    pub(crate) rate: Option<Rate>,
    /// How much of what is refused was kept lately.
    pub(crate) sampler: Arc<Mutex<Sampler>>,
}

/// Where the key of a repeat may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Header(HeaderName),
    /// A path into the body.
    Field(Vec<String>),
    Body,
}

/// Where the last part of the event type comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TypeFrom {
    Header(HeaderName),
    Path(Vec<String>),
}

impl Compiled {
    /// Checks a definition and prepares it with the secrets it will have.
    pub(crate) fn new(
        org: &Org,
        definition: &Definition,
        secrets: Secrets,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems(Vec::new());
        let base_type = problems.name(&definition.name);
        let template = problems.template(definition);
        problems.bounds(definition);
        let scheme = problems.scheme(definition);
        problems.secrets(definition, &secrets, scheme.as_ref());
        let expected = problems.expected(definition);
        let (keys, provider_keys) = problems.keys(definition);
        let type_from = problems.type_from(definition);
        let response = problems.response(definition);
        let public_url = problems.public_url(definition);
        let allowed_ips = problems.allowed_ips(definition);
        let rate = problems.rate(definition);
        match (base_type, scheme, problems.0.is_empty()) {
            (Some(base_type), Some(scheme), true) => Ok(Self {
                org: org.clone(),
                name: definition.name.clone(),
                label: format!("webhook:{}", definition.name),
                enabled: definition.enabled,
                template,
                scheme,
                needs_url: signs_url(&definition.verifier()),
                secrets,
                handshake: definition.handshake(),
                response,
                public_url,
                allowed_ips,
                expected,
                keys,
                provider_keys,
                base_type,
                type_from,
                body_max: usize::try_from(definition.limits.body_max_bytes).unwrap_or(usize::MAX),
                per_second: definition.limits.requests_per_second,
                rate,
                sampler: Arc::default(),
            }),
            _ => Err(problems.0),
        }
    }

    /// Goes on counting where an earlier reading of the same source stands: a change of any source, which has all of them
    /// read again, must give no flood a new allowance.
    pub(crate) fn succeed(&mut self, before: &Self) {
        self.sampler = Arc::clone(&before.sampler);
        if let (Some(rate), Some(before)) = (&mut self.rate, &before.rate) {
            rate.succeed(before);
        }
    }
}

fn signs_url(verifier: &Verifier) -> bool {
    match verifier {
        Verifier::Signature(signature) => signature.signed.contains(&Part::Url),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
