//! The handle: append an event, look events up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{SubsecRound, TimeDelta};
use omni_clock::{Clock, Random};
use omni_event_bus::EventBus;
use omni_events::{Event, HOPS_MAX, Org};
use omni_registry::Registry;
use omni_store::{
    Store,
    events::{Filter, NewEvent, NewKey, Page, StoredEvent, Stretch},
    outbox,
};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::{
    AppendError, Appender, Audited, Captures, Draft, Publisher, Repeats,
    check::{check, check_size},
    content,
};

/// Batches that wait for the bus in memory; what does not fit is read from the store again.
const BATCHES_WAITING: usize = 64;

/// How much the log holds, for how long it knows a repeat, and how far it trusts the bus.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Events that may wait for their commit; more are refused before they are accepted.
    pub waiting_max: usize,
    /// Bytes of payloads and captures that may wait for their commit. An event that is larger than that by itself
    /// takes all the room there is.
    pub waiting_bytes_max: usize,
    /// Events of one transaction at most.
    pub batch_max: usize,
    /// How long a key is remembered. Seven days is longer than any provider repeats a delivery.
    pub dedupe_window: TimeDelta,
    /// What the bus has had for so long is on its disk. What it has not had for so long is published again after an outage
    /// or a crash, as far as nobody has handled it.
    pub safe_after: Duration,
    /// Whether a drained bus has everything on its disk.
    pub safe_when_drained: bool,
    /// How long raw payloads are kept where no policy speaks of their type; `None` keeps them for ever.
    pub capture_retention: Option<TimeDelta>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            waiting_max: 8192,
            waiting_bytes_max: 64 << 20,
            batch_max: 512,
            dedupe_window: TimeDelta::days(7),
            // Longer than the embedded bus takes to sync, shorter than a tick of the publisher.
            safe_after: Duration::from_millis(750),
            safe_when_drained: true,
            capture_retention: Some(TimeDelta::days(14)),
        }
    }
}

/// What the log is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where events are kept.
    pub store: Store,
    /// Where they are published.
    pub bus: EventBus,
    /// What their types are.
    pub registry: Registry,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub random: Arc<Random>,
    /// The name of this process among the writers, for people.
    pub writer: String,
    /// Limits.
    pub config: Config,
}

/// Appends events and looks them up; a clone is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct EventLog {
    pub(crate) parts: Arc<Parts>,
    pub(crate) queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    room_kib: Arc<Semaphore>,
    pub(crate) counters: Arc<Counters>,
    captures: Captures,
}

/// An event on its way to the commit, with whoever waits for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) new: NewEvent,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
    /// Its part of what may wait; it is held by the event and not by the caller, who may go away.
    pub(crate) room: [OwnedSemaphorePermit; 2],
}

/// An event that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Appended {
    /// The event; for a repeat, the one that was stored first.
    pub event_id: Uuid,
    /// Its place in the log.
    pub sequence: i64,
    /// Whether it was there already.
    #[serde(skip)]
    pub repeat: bool,
}

/// What the log has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events that were stored.
    pub appended: u64,
    /// Requests that turned out to be repeats.
    pub repeats: u64,
    /// Transactions.
    pub commits: u64,
    /// Transactions that failed.
    pub commits_failed: u64,
    /// Events handed to the bus.
    pub published: u64,
    /// Times the bus refused a batch.
    pub publish_failed: u64,
    /// Events of this process that the bus does not have yet.
    pub behind: u64,
    /// Raw payloads that were kept after their event was accepted.
    pub captures_stored: u64,
    /// Raw payloads that were not kept, because too much was waiting or the store was away.
    pub captures_dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appended: AtomicU64,
    pub(crate) repeats: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commits_failed: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) publish_failed: AtomicU64,
    /// Highest place this process has committed.
    pub(crate) committed_through: AtomicI64,
    /// Highest place of this process that the bus has.
    pub(crate) published_through: AtomicI64,
    /// Highest place of this process that the bus has on disk; the appender writes it down with its next commit.
    pub(crate) safe_through: AtomicI64,
    /// Whether a commit failed in a way that leaves open what it stored.
    pub(crate) doubt: AtomicBool,
    /// What may reach the bus a second time.
    pub(crate) may_repeat: Repeats,
    /// Tells the timer that an event was scheduled here.
    pub(crate) scheduled: Notify,
    /// What the last audit found.
    pub(crate) audited: watch::Sender<Option<Audited>>,
    /// Tells the runner that a replay was asked for here.
    pub(crate) replays: Notify,
}

/// Opens the log: the handle, and the two loops that the caller has to run.
///
/// # Errors
/// When the store cannot register this process as a writer.
pub async fn open(parts: Parts) -> Result<(EventLog, Appender, Publisher), omni_store::Error> {
    let mut conn = parts.store.write().await?;
    let writer = outbox::claim_writer(&mut conn, &parts.writer, parts.clock.now()).await?;
    drop(conn);
    let (queue, waiting) = mpsc::channel(parts.config.waiting_max);
    let (committed, batches) = mpsc::channel(BATCHES_WAITING);
    let counters = Arc::new(Counters::default());
    let retention = parts.config.capture_retention;
    let captures = Captures::open(parts.store.clone(), parts.clock.clone(), retention).await?;
    let parts = Arc::new(parts);
    let room = Arc::new(Semaphore::new(parts.config.waiting_max));
    let room_kib = Arc::new(Semaphore::new(waiting_kib(&parts.config) as usize));
    let counted = counters.clone();
    let log = EventLog { parts: parts.clone(), queue, room, room_kib, counters: counted, captures };
    let appender = Appender::new(parts.clone(), writer, waiting, committed, counters.clone());
    let publisher = Publisher::new(parts, writer, batches, counters);
    Ok((log, appender, publisher))
}

impl EventLog {
    /// Records an event. When this returns `Ok`, the event is durable.
    ///
    /// A repeat (same scope and key, same body) answers with the first event.
    ///
    /// # Errors
    /// See [`AppendError`]; callers branch on every variant.
    pub async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        let schema_version = self.check_draft(&draft).await?;
        self.append_checked(draft, schema_version).await
    }

    /// Refuses a draft that cannot be accepted; answers the version of the schema that it fits.
    pub(crate) async fn check_draft(&self, draft: &Draft) -> Result<Option<i32>, AppendError> {
        check(draft)?;
        if draft.metadata.hops > HOPS_MAX {
            return Err(self.cut(draft).await);
        }
        let registry = &self.parts.registry;
        let checked = registry.check(&draft.metadata.org, &draft.event_type, &draft.payload)?;
        if let Some(first) = checked.warnings.first() {
            tracing::warn!(
                org = draft.metadata.org.as_str(),
                event_type = draft.event_type.as_str(),
                faults = checked.warnings.len(),
                pointer = first.pointer,
                fault = first.message,
                "the payload does not fit the schema of its type; the type only warns, so it is taken"
            );
        }
        Ok(checked.schema_version)
    }

    /// Records a draft that was checked, now or when it was promised.
    pub(crate) async fn append_checked(
        &self,
        draft: Draft,
        schema_version: Option<i32>,
    ) -> Result<Appended, AppendError> {
        let room = self.make_room(&draft)?;
        let new = self.accept(draft, schema_version);
        check_size(&new.event, self.parts.bus.message_size_max())?;
        let (answer, answered) = oneshot::channel();
        self.queue.send(Waiting { new, answer, room }).await.map_err(|_| AppendError::Stopped)?;
        answered.await.map_err(|_| AppendError::Stopped)?
    }

    /// Bounds what waits, including what the appender has taken but not committed, in events and in bytes.
    pub(crate) fn make_room(
        &self,
        draft: &Draft,
    ) -> Result<[OwnedSemaphorePermit; 2], AppendError> {
        let capture = draft.capture.as_ref().map_or(0, crate::Capture::bytes);
        let text = draft.metadata.content_text.as_ref().map_or(0, String::len);
        let extra = draft.metadata.extra.as_ref().map_or(0, |extra| extra.as_bytes().len());
        let bytes = draft.payload.as_bytes().len() + capture + text + extra;
        let size = kib(bytes, waiting_kib(&self.parts.config));
        let place = self.room.clone().try_acquire_owned();
        let bytes = self.room_kib.clone().try_acquire_many_owned(size);
        match (place, bytes) {
            (Ok(place), Ok(bytes)) => Ok([place, bytes]),
            _ => Err(AppendError::Overloaded),
        }
    }

    /// Gives the draft its id and times.
    pub(crate) fn accept(&self, draft: Draft, schema_version: Option<i32>) -> NewEvent {
        // Milliseconds are what users, the bus and the API carry; more would differ between them.
        let now = self.parts.clock.now().trunc_subsecs(3);
        let id = draft.id.unwrap_or_else(|| self.parts.random.uuid_v7(now));
        let mut metadata = draft.metadata;
        if metadata.correlation_id.is_empty() {
            metadata.correlation_id = id.to_string();
        }
        content::fill(&mut metadata, &draft.event_type, &draft.payload);
        let dedupe = draft.dedupe.map(|dedupe| NewKey {
            scope: dedupe.scope,
            key: dedupe.key,
            body_hash: dedupe.body_hash,
            expires_at: now + self.parts.config.dedupe_window,
        });
        let event = Event {
            id,
            event_type: draft.event_type,
            source: draft.source,
            time: draft.time.map_or(now, |time| time.trunc_subsecs(3)),
            received_at: now,
            payload: draft.payload,
            schema_version,
            metadata,
        };
        let of = (&event.metadata.org, &event.event_type);
        let capture = draft.capture.and_then(|capture| self.captures.row(of, capture, now));
        NewEvent::new(event, dedupe, capture)
    }

    /// Builds the refusal of a chain that is too long, with the chain as evidence.
    async fn cut(&self, draft: &Draft) -> AppendError {
        let mut path = Vec::new();
        if let (Some(cause), Ok(mut conn)) =
            (draft.metadata.causation_id, self.parts.store.read().await)
        {
            let org = draft.metadata.org.as_str();
            let found =
                omni_store::events::ancestry(&mut conn, org, cause, usize::from(HOPS_MAX) + 1)
                    .await;
            path.extend(
                found
                    .unwrap_or_default()
                    .into_iter()
                    .rev()
                    .map(|a| format!("{} by {} ({})", a.event_type, a.source, a.id)),
            );
        }
        path.push(format!("{} by {} (refused)", draft.event_type, draft.source));
        tracing::warn!(path = ?path, "a chain of events reached the hop limit and was cut");
        AppendError::Loop { limit: HOPS_MAX, path }
    }

    /// Looks one event up, with its outcome if it has one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, org: &Org, id: Uuid) -> Result<Option<StoredEvent>, omni_store::Error> {
        let mut conn = self.parts.store.read().await?;
        omni_store::events::get(&mut conn, org.as_str(), id).await
    }

    /// What an organisation has after a sequence, for whoever follows the log live.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn since(
        &self,
        org: &Org,
        after: i64,
        limit: i64,
    ) -> Result<Stretch, omni_store::Error> {
        let mut conn = self.parts.store.read().await?;
        omni_store::events::since(&mut conn, org.as_str(), after, limit).await
    }

    /// The sequence of the newest event of all organisations, 0 when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn last_sequence(&self) -> Result<i64, omni_store::Error> {
        let mut conn = self.parts.store.read().await?;
        omni_store::bus::last_sequence(&mut conn).await
    }

    /// Lists events in the order of their receipt, newest first unless the page says otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        org: &Org,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<StoredEvent>, omni_store::Error> {
        let mut conn = self.parts.store.read().await?;
        omni_store::events::list(&mut conn, org.as_str(), filter, page).await
    }

    /// The policies of capturing, and the loop that writes what was captured.
    pub fn captures(&self) -> &Captures {
        &self.captures
    }

    /// Which events may be on the bus twice; for consumers that rely on a first delivery.
    pub fn repeats(&self) -> Repeats {
        self.counters.may_repeat.clone()
    }

    /// What the log has done since it was opened.
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let c = &self.counters;
        let committed = c.committed_through.load(Ordering::Relaxed);
        let behind = committed - c.published_through.load(Ordering::Relaxed);
        let (captures_stored, captures_dropped) = self.captures.counts();
        Stats {
            appended: read(&c.appended),
            repeats: read(&c.repeats),
            commits: read(&c.commits),
            commits_failed: read(&c.commits_failed),
            published: read(&c.published),
            publish_failed: read(&c.publish_failed),
            behind: u64::try_from(behind).unwrap_or(0),
            captures_stored,
            captures_dropped,
        }
    }
}

/// Bytes as permits of a semaphore, at least one and at most all.
pub(crate) fn kib(bytes: usize, most: u32) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, most)
}

fn waiting_kib(config: &Config) -> u32 {
    kib(config.waiting_bytes_max, u32::MAX >> 3)
}
