//! The policies of all organisations in memory, and what waits to be written.
//!
//! It must stay true that deciding reads memory only, and that a policy which cannot be read keeps nothing rather than
//! too much.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::Clock;
use omni_events::{EventType, Org, TypePattern};
use omni_store::{
    Store,
    capture_policies::{self, PolicyRow},
    events::NewPayload,
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use super::{Capture, CaptureAgent, CapturePolicy, PolicyFault, Stage, known::Known};
use crate::log::kib;

/// Policies of one organisation at most.
const POLICIES_MAX: usize = 500;
/// Captures that may wait to be written.
const WAITING_MAX: usize = 1024;
/// KiB of bodies that may wait to be written.
const WAITING_KIB_MAX: u32 = 16 << 10;

/// Policies, and the way to the store for what is captured; a clone shares everything.
#[derive(Clone, Debug)]
pub struct Captures(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    /// How long is kept what no policy speaks of; `None` for ever.
    retention: Option<TimeDelta>,
    known: ArcSwap<HashMap<Org, Known>>,
    /// The revision of the table that `known` was read at, or later.
    revision: AtomicI64,
    /// Held while rereading, so that an older reading never replaces a newer one.
    reloading: Mutex<()>,
    queue: mpsc::Sender<Waiting>,
    pub(super) waiting: Mutex<mpsc::Receiver<Waiting>>,
    room: Arc<Semaphore>,
    pub(super) stored: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// Something that waits to be written.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) event_id: Uuid,
    pub(super) org: Org,
    pub(super) capture: Capture,
    pub(super) kept: Kept,
    pub(super) at: DateTime<Utc>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// How much of something is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    most: usize,
    retention: Option<TimeDelta>,
}

/// A policy with the types it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The type of event, or the pattern.
    pub event_type: String,
    /// What is captured.
    pub policy: CapturePolicy,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Why a policy was not taken or found.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Fields are wrong.
    #[error("the policy is not valid")]
    Invalid(Vec<PolicyFault>),
    /// There are too many.
    #[error(
        "an organisation has at most {POLICIES_MAX} capture policies; use patterns such as custom.webhook.>"
    )]
    TooMany,
    /// The policy in the store cannot be read.
    #[error("the capture policy of `{event_type}` cannot be read; set it again")]
    Unreadable {
        /// The type or pattern.
        event_type: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] omni_store::Error),
}

impl Captures {
    /// Reads all policies.
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        retention: Option<TimeDelta>,
    ) -> Result<Self, omni_store::Error> {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let captures = Self(Arc::new(Inner {
            store,
            clock,
            retention,
            known: ArcSwap::default(),
            revision: AtomicI64::new(0),
            reloading: Mutex::default(),
            queue,
            waiting: Mutex::new(waiting),
            room: Arc::new(Semaphore::new(WAITING_KIB_MAX as usize)),
            stored: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }));
        captures.reload().await?;
        Ok(captures)
    }

    /// The loop that writes what was captured and follows the changes of other replicas; run one per process.
    pub fn agent(&self) -> CaptureAgent {
        CaptureAgent(self.clone())
    }

    /// All policies of an organisation, by type.
    ///
    /// # Errors
    /// When the store fails, or holds a policy of a newer release.
    pub async fn policies(&self, org: &Org) -> Result<Vec<StoredPolicy>, PolicyError> {
        let mut conn = self.0.store.read().await?;
        let rows = capture_policies::list(&mut conn, org.as_str()).await?;
        rows.into_iter().map(stored).collect()
    }

    /// Sets the policy of a type or pattern of types, in the place of the one it had; in force when this returns, and
    /// within a second on other replicas.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with every fault.
    pub async fn set_policy(
        &self,
        org: &Org,
        types: &TypePattern,
        policy: CapturePolicy,
    ) -> Result<StoredPolicy, PolicyError> {
        let faults = policy.faults();
        if !faults.is_empty() {
            return Err(PolicyError::Invalid(faults));
        }
        let event_type = types.as_str().to_owned();
        let known = self.policies(org).await?;
        if known.len() >= POLICIES_MAX && !known.iter().any(|p| p.event_type == event_type) {
            return Err(PolicyError::TooMany);
        }
        let unreadable =
            |source| PolicyError::Unreadable { event_type: event_type.clone(), source };
        let row = PolicyRow {
            org: org.as_str().to_owned(),
            policy: serde_json::to_string(&policy).map_err(unreadable)?,
            event_type: event_type.clone(),
            updated_at: self.0.clock.now(),
        };
        let mut conn = self.0.store.write().await?;
        capture_policies::set(&mut conn, &row).await?;
        drop(conn);
        self.reload_after_write().await;
        Ok(StoredPolicy { event_type, policy, updated_at: row.updated_at })
    }

    /// Deletes the policy of a type or pattern; `false` when it had none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_policy(
        &self,
        org: &Org,
        types: &TypePattern,
    ) -> Result<bool, omni_store::Error> {
        let mut conn = self.0.store.write().await?;
        let gone = capture_policies::delete(&mut conn, org.as_str(), types.as_str()).await?;
        drop(conn);
        self.reload_after_write().await;
        Ok(gone)
    }

    /// Makes the row of what came with an event, if it is wanted.
    pub(crate) fn row(
        &self,
        (org, event_type): (&Org, &EventType),
        capture: Capture,
        now: DateTime<Utc>,
    ) -> Option<NewPayload> {
        let kept = self.decide(org, event_type, capture.stage)?;
        Some(new_payload(&capture, kept, now))
    }

    /// Queues what was captured later, if it is wanted and there is room.
    pub(super) fn push(&self, event_id: Uuid, org: &Org, event_type: &EventType, capture: Capture) {
        let Some(kept) = self.decide(org, event_type, capture.stage) else { return };
        let size = kib(capture.bytes(), WAITING_KIB_MAX);
        let queued = self.0.room.clone().try_acquire_many_owned(size).is_ok_and(|room| {
            let (org, at) = (org.clone(), self.0.clock.now());
            let waiting = Waiting { event_id, org, capture, kept, at, _room: room };
            self.0.queue.try_send(waiting).is_ok()
        });
        if !queued {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Captures written since the start, and those dropped.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.0.stored.load(Ordering::Relaxed), self.0.dropped.load(Ordering::Relaxed))
    }

    /// What the most specific policy says; `None` when nothing is kept.
    fn decide(&self, org: &Org, event_type: &EventType, stage: Stage) -> Option<Kept> {
        let known = self.0.known.load();
        let policy = known.get(org).and_then(|known| known.find(event_type));
        let Some(policy) = policy else {
            return Some(Kept { most: usize::MAX, retention: self.0.retention });
        };
        let kept = Kept { most: policy.most(), retention: policy.retention(self.0.retention) };
        policy.wants(stage).then_some(kept)
    }

    /// Reads the policies again if any changed.
    pub(super) async fn refresh(&self) -> Result<(), omni_store::Error> {
        let mut conn = self.0.store.read().await?;
        let revision = capture_policies::revision(&mut conn).await?;
        drop(conn);
        if revision == self.0.revision.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.reload().await
    }

    async fn reload(&self) -> Result<(), omni_store::Error> {
        let _one_at_a_time = self.0.reloading.lock().await;
        let mut conn = self.0.store.read().await?;
        // The revision comes first: a change between the two reads is then read once more, not missed.
        let revision = capture_policies::revision(&mut conn).await?;
        let rows = capture_policies::all(&mut conn).await?;
        drop(conn);
        let mut known: HashMap<Org, Known> = HashMap::new();
        for row in rows {
            let (Ok(org), Ok(types)) = (Org::parse(&row.org), TypePattern::parse(&row.event_type))
            else {
                continue;
            };
            known.entry(org).or_default().put(types, readable(row));
        }
        known.values_mut().for_each(Known::sort);
        self.0.known.store(Arc::new(known));
        self.0.revision.store(revision, Ordering::Relaxed);
        Ok(())
    }

    /// The write is done and cannot be taken back, so a failure here only delays what other replicas see late anyway.
    async fn reload_after_write(&self) {
        if let Err(error) = self.reload().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "capture policies not reread");
        }
    }
}

fn stored(row: PolicyRow) -> Result<StoredPolicy, PolicyError> {
    let PolicyRow { event_type, policy, updated_at, .. } = row;
    match serde_json::from_str(&policy) {
        Ok(policy) => Ok(StoredPolicy { event_type, policy, updated_at }),
        Err(source) => Err(PolicyError::Unreadable { event_type, source }),
    }
}

/// What cannot be read may forbid to keep something, so nothing is kept.
fn readable(row: PolicyRow) -> CapturePolicy {
    let org = row.org.clone();
    stored(row).map_or_else(
        |error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(org, error, "nothing is captured of these types");
            CapturePolicy { enabled: false, ..CapturePolicy::default() }
        },
        |stored| stored.policy,
    )
}

/// Compresses the body.
pub(super) fn new_payload(capture: &Capture, kept: Kept, now: DateTime<Utc>) -> NewPayload {
    let headers = serde_json::to_string(&capture.headers).unwrap_or_else(|_| "[]".to_owned());
    let head = capture.body.as_deref().map(|body| body.get(..kept.most).unwrap_or(body));
    let (stage, content_type) = (capture.stage.as_str(), capture.content_type.clone());
    let mut new = NewPayload::new(stage, content_type, headers, head).cut_from(capture.bytes());
    new.expires_at = kept.retention.and_then(|retention| now.checked_add_signed(retention));
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_and_its_whole_size_stays_known() {
        let body = bytes::Bytes::from_static(b"0123456789");
        let capture =
            Capture::new(Stage::AgentResponse, None, std::iter::empty(), None).with_body(body);
        let kept = Kept { most: 4, retention: Some(TimeDelta::days(1)) };
        let row = new_payload(&capture, kept, DateTime::UNIX_EPOCH);
        let mut wanted =
            NewPayload::new("agent_response", None, "[]".into(), Some(b"0123")).cut_from(10);
        wanted.expires_at = Some(DateTime::UNIX_EPOCH + TimeDelta::days(1));
        assert_eq!(row, wanted);
    }
}
