//! One request, tried again and again with one thing changed.
//!
//! What must stay true: the number of tries is bounded, and so is what they hash together, whatever was sent.

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::Case;
use crate::{
    definition::Verifier,
    secrets::Secrets,
    webhook::{Fault, Incoming, RequestView, Scheme},
};

/// Most tries for one request.
const TRIES_MAX: usize = 600;
/// Most bytes that they hash: well below a second of one core.
const BYTES_MAX: usize = 256 << 20;

/// A request and how it is verified.
#[derive(Debug)]
pub(super) struct Trial<'c> {
    pub(super) case: &'c Case,
    scheme: &'c Scheme,
    /// The time at which it is verified.
    pub(super) at: DateTime<Utc>,
    tries: usize,
    bytes: usize,
}

/// What is different in a try; what is not set stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change<'t> {
    pub(super) scheme: Option<&'t Scheme>,
    pub(super) secrets: Option<&'t Secrets>,
    pub(super) headers: Option<&'t HeaderMap>,
    pub(super) body: Option<&'t [u8]>,
    pub(super) url: Option<&'t str>,
}

impl<'c> Trial<'c> {
    pub(super) fn new(case: &'c Case, scheme: &'c Scheme) -> Self {
        Self { case, scheme, at: case.at, tries: 0, bytes: 0 }
    }

    /// Verifies the request as it came.
    pub(super) fn verify(&mut self) -> Result<(), Fault> {
        self.with(Change::default())
    }

    /// Whether the request is genuine with this change; never once the bounds are reached.
    pub(super) fn fits(&mut self, change: Change<'_>) -> bool {
        !self.is_exhausted() && self.with(change).is_ok()
    }

    /// Whether the request is genuine if it is verified so.
    pub(super) fn fits_as(&mut self, verifier: &Verifier, secrets: Option<&Secrets>) -> bool {
        // What cannot be compiled verifies nothing.
        let Ok(scheme) = Scheme::new(verifier, "") else { return false };
        self.fits(Change { scheme: Some(&scheme), secrets, ..Change::default() })
    }

    pub(super) fn incoming(&self) -> &'c Incoming {
        &self.case.incoming
    }

    pub(super) fn tries(&self) -> usize {
        self.tries
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.tries >= TRIES_MAX || self.bytes >= BYTES_MAX
    }

    fn with(&mut self, change: Change<'_>) -> Result<(), Fault> {
        let incoming = &self.case.incoming;
        let body = change.body.unwrap_or(&incoming.body);
        let secrets = change.secrets.unwrap_or(&self.case.secrets);
        self.tries += 1;
        self.bytes = self.bytes.saturating_add(body.len() * secrets.held.len().max(1));
        let request = RequestView {
            method: &incoming.method,
            uri: &incoming.uri,
            url: change.url.unwrap_or(&self.case.url),
            headers: change.headers.unwrap_or(&incoming.headers),
            body,
        };
        let scheme = change.scheme.unwrap_or(self.scheme);
        let certificate = self.case.certificate.as_deref();
        scheme.verify_with(request, secrets, self.at, certificate).map(drop)
    }
}
