//! Refused requests, kept so that the owner of a source can see why, mend it and release them.
//!
//! It must stay cheap under attack: a bound per source and time, a bound per source, and a failure to keep one changes no
//! answer.

use std::{sync::PoisonError, time::Duration};

use omni_store::quarantine::{self, Bounds, QuarantineRow, REFUSED};

use super::{Incoming, headers, kept};
use crate::{Error, Sources, compiled::Compiled};

/// What is kept per source; the oldest go first.
const BOUNDS: Bounds = Bounds { rows: 100, bytes: 16 << 20 };
/// Requests that are kept per source and window in this process: as many as are kept at all, so that a sender whose secret
/// is wrong loses none that would still be there. Each is a write, so whoever sends more rubbish pays without us: ten a
/// second are nothing for a store that takes thousands.
const WINDOW_REQUESTS_MAX: u32 = 100;
/// And their bytes, for the same reason.
const WINDOW_BYTES_MAX: usize = 16 << 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts what was kept of one source in the present window.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    started: Duration,
    requests: u32,
    bytes: usize,
}

impl Sampler {
    /// Whether one more could be kept, before it is known how large it is.
    pub(super) fn has_room(&self, now: Duration) -> bool {
        now.saturating_sub(self.started) >= WINDOW
            || (self.requests < WINDOW_REQUESTS_MAX && self.bytes < WINDOW_BYTES_MAX)
    }

    /// Whether one more may be kept at this moment.
    fn admit(&mut self, now: Duration, bytes: usize) -> bool {
        if now.saturating_sub(self.started) >= WINDOW {
            *self = Self { started: now, ..Self::default() };
        }
        let bytes = self.bytes.saturating_add(bytes);
        let is_room = self.requests < WINDOW_REQUESTS_MAX
            && (self.requests == 0 || bytes <= WINDOW_BYTES_MAX);
        if is_room {
            self.requests += 1;
            self.bytes = bytes;
        }
        is_room
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// One word, for programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) text: String,
}

impl From<(&'static str, String)> for Reason {
    fn from((code, text): (&'static str, String)) -> Self {
        Self { code, text }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { code: "refused", text }
    }
}

/// Keeps a refused request and reports it, if there is room: a flood must not fill the log either.
pub(crate) async fn keep(
    sources: &Sources,
    source: &Compiled,
    incoming: &Incoming,
    reason: impl Into<Reason>,
) {
    let reason = reason.into();
    let (org, name) = (source.org.as_str(), &source.name);
    let now = sources.clock().elapsed();
    let bytes = incoming.body.len().min(source.body_max);
    if !source.sampler.lock().unwrap_or_else(PoisonError::into_inner).admit(now, bytes) {
        return;
    }
    let Reason { code, text } = &reason;
    tracing::info!(org, source = name, code, reason = text, remote = ?incoming.remote, "webhook refused");
    if let Err(error) = insert(sources, source, incoming, reason).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(org, source = name, error, "refused webhook not kept");
    }
}

async fn insert(
    sources: &Sources,
    source: &Compiled,
    incoming: &Incoming,
    reason: Reason,
) -> Result<(), Error> {
    let now = sources.clock().now();
    let id = sources.random().uuid_v7(now);
    let sealed = kept::seal(incoming, sources.sealer(), id, source.body_max)
        .map_err(|error| Error::Crypto { name: source.name.clone(), source: error })?;
    let shown = headers::kept(&incoming.headers, source.scheme.secret_header());
    let size = sealed.head.len() + sealed.body.as_ref().map_or(0, Vec::len);
    let row = QuarantineRow {
        id,
        org: source.org.as_str().to_owned(),
        source: source.name.clone(),
        code: reason.code.to_owned(),
        reason: reason.text,
        method: Some(incoming.method.as_str().to_owned()),
        path: Some(kept::shown_path(&incoming.uri)),
        content_type: headers::content_type(&incoming.headers),
        headers: serde_json::to_string(&shown).unwrap_or_else(|_| "[]".to_owned()),
        body: Vec::new(),
        sealed_head: Some(sealed.head),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        remote: incoming.remote.map(|remote| remote.to_string()),
        received_at: now,
        status: REFUSED.to_owned(),
        event_ids: None,
        forced: false,
        note: None,
        released_at: None,
    };
    let mut conn = sources.store().write().await?;
    Ok(quarantine::insert(&mut conn, &row, sealed.body.as_deref(), BOUNDS).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_as_many_as_are_kept() {
        let mut sampler = Sampler::default();
        let at = Duration::from_secs;
        assert_eq!((0..500).filter(|_| sampler.admit(at(3), 1)).count(), 100);
        assert!(!sampler.admit(at(9), 1));
        assert!(sampler.admit(at(10), 1));
    }

    #[test]
    fn a_window_admits_as_many_bytes_as_are_kept() {
        let mut sampler = Sampler::default();
        let at = Duration::from_secs;
        assert_eq!((0..500).filter(|_| sampler.admit(at(0), 1 << 20)).count(), 16);
        assert!(sampler.admit(at(10), 20 << 20), "one is always kept");
        assert!(!sampler.admit(at(10), 1));
    }
}
