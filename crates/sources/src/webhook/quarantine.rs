//! A bounded sample of what was refused, so that the owner of a source can see why.
//!
//! It must stay cheap under attack: few samples per source and time, few rows per source, and a failure to keep one
//! changes no answer.

use std::{sync::PoisonError, time::Duration};

use omni_store::quarantine::{self, QuarantineRow};

use super::{Incoming, headers};
use crate::{Sources, compiled::Compiled};

/// Samples that are kept per source; the oldest go first.
const KEPT_MAX: i64 = 100;
/// How much of a body is kept, in bytes.
const HEAD_MAX: usize = 4096;
/// Samples per source and window in this process: each one is a write, and whoever sends rubbish must not pay with ours.
const WINDOW_SAMPLES_MAX: u32 = 10;
/// The window.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts the samples of one source in the present window.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    started: Duration,
    kept: u32,
}

impl Sampler {
    /// Whether one more may be kept at this moment.
    fn admit(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.started) >= WINDOW {
            *self = Self { started: now, kept: 0 };
        }
        self.kept += 1;
        self.kept <= WINDOW_SAMPLES_MAX
    }
}

/// Keeps a sample of a refused request and reports it, if there is room: a flood must not fill the log either.
pub(crate) async fn keep(
    sources: &Sources,
    source: &Compiled,
    incoming: &Incoming,
    reason: String,
) {
    let (org, name) = (source.org.as_str(), &source.name);
    let now = sources.clock().elapsed();
    if !source.sampler.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
        return;
    }
    tracing::info!(org, source = name, reason, remote = ?incoming.remote, "webhook refused");
    if let Err(error) = insert(sources, source, incoming, reason).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(org, source = name, error, "sample of a refused webhook not kept");
    }
}

async fn insert(
    sources: &Sources,
    source: &Compiled,
    incoming: &Incoming,
    reason: String,
) -> Result<(), omni_store::Error> {
    let now = sources.clock().now();
    let kept = headers::kept(&incoming.headers, source.scheme.secret_header());
    let head = incoming.body.get(..HEAD_MAX).unwrap_or(&incoming.body);
    let row = QuarantineRow {
        id: sources.random().uuid_v7(now),
        org: source.org.as_str().to_owned(),
        source: source.name.clone(),
        reason,
        content_type: headers::content_type(&incoming.headers),
        headers: serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned()),
        body: head.to_vec(),
        remote: incoming.remote.map(|remote| remote.to_string()),
        received_at: now,
    };
    let mut conn = sources.store().write().await?;
    quarantine::insert(&mut conn, &row, KEPT_MAX).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_a_few() {
        let mut sampler = Sampler::default();
        let at = Duration::from_secs;
        assert_eq!((0..100).filter(|_| sampler.admit(at(3))).count(), 10);
        assert!(!sampler.admit(at(9)));
        assert!(sampler.admit(at(10)));
    }
}
