//! Raw payloads: what came in or went out on the way of an event, kept beside it for a while.
//!
//! It must stay true that every header passes [`kept_headers`] before it is kept, that nothing is kept which the policy
//! of its type does not want, and that capturing never slows whoever does the work.

mod agent;
mod failure;
mod headers;
mod known;
mod policies;
mod policy;
mod stage;

use bytes::Bytes;
use omni_events::{EventType, Org};
use uuid::Uuid;

pub use self::{
    agent::CaptureAgent,
    failure::Failure,
    headers::kept_headers,
    policies::{Captures, PolicyError, StoredPolicy},
    policy::{CapturePolicy, PolicyFault},
    stage::{Stage, UnknownStage},
};
use crate::EventLog;

/// Something to keep beside an event; its headers are without secrets from the start.
#[derive(Clone, Debug)]
pub struct Capture {
    pub(crate) stage: Stage,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Bytes>,
}

impl Capture {
    /// What happened at a stage, with the headers as they were on the wire; see [`kept_headers`] for what stays of them.
    ///
    /// Without a body it is the payload of the event byte for byte, which is kept only once.
    pub fn new<'h>(
        stage: Stage,
        content_type: Option<&str>,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        secret: Option<&str>,
    ) -> Self {
        Self {
            stage,
            content_type: content_type.map(|text| headers::text(text.as_bytes())),
            headers: kept_headers(headers, secret),
            body: None,
        }
    }

    /// With these bytes as they were on the wire.
    #[must_use]
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// The headers that will be kept.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The bytes, unless they are the payload of the event.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Bytes of memory that its body holds.
    pub(crate) fn bytes(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }
}

impl EventLog {
    /// Keeps something beside an event that was accepted before, as the next part of its stage, if the policy of its type
    /// wants it.
    ///
    /// It answers at once and writes later. When more waits than is taken, what comes is dropped and counted in
    /// [`crate::Stats::captures_dropped`]: the work it belongs to goes on.
    pub fn capture(&self, event_id: Uuid, org: &Org, event_type: &EventType, capture: Capture) {
        self.captures().push(event_id, org, event_type, capture);
    }
}
