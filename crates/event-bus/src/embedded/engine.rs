//! What the handles, the writing thread and the flusher have in common.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use omni_clock::Clock;
use tokio::sync::{
    Notify,
    mpsc::{WeakSender, error::TrySendError},
    watch,
};
use tokio_util::sync::CancellationToken;

use super::{commands::Command, durable::Durable, log::Log, readers::Readers, state::Journal};
use crate::{Error, Health, Limits, Position, Stream};

/// How long to wait after a failed commit before the disk is tried again.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The shared parts of an open bus.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) log: Log,
    pub(super) readers: Arc<Readers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) closing: CancellationToken,
    durables: RwLock<HashMap<String, Arc<Durable>>>,
    /// Consumers with something to store, each once.
    dirty: Mutex<Vec<Arc<Durable>>>,
    /// Tells the flusher that something is to be written or synced before long.
    linger: Notify,
    /// Tells the purger that a stream is larger than it may be.
    excess: Notify,
    /// The streams that messages of other domains may be in.
    routed: Mutex<Vec<Stream>>,
    /// Fed by the writer.
    pub(super) health: watch::Sender<Health>,
}

impl Engine {
    pub(super) fn new(log: Log, readers: Readers, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            log,
            readers: Arc::new(readers),
            clock,
            limits,
            closing: CancellationToken::new(),
            durables: RwLock::default(),
            dirty: Mutex::default(),
            linger: Notify::new(),
            excess: Notify::new(),
            routed: Mutex::default(),
            health: watch::Sender::new(Health::Up),
        }
    }

    fn lock_routed(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.routed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn routed(&self) -> Vec<Stream> {
        self.lock_routed().clone()
    }

    pub(super) fn set_routed(&self, streams: &[Stream]) {
        *self.lock_routed() = streams.to_vec();
    }

    /// All open consumers.
    pub(super) fn all(&self) -> Vec<Arc<Durable>> {
        self.durables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn find(&self, consumer: &str) -> Option<Arc<Durable>> {
        self.durables.read().unwrap_or_else(PoisonError::into_inner).get(consumer).cloned()
    }

    pub(super) fn durable(&self, consumer: &str) -> Result<Arc<Durable>, Error> {
        self.find(consumer).ok_or_else(|| Error::NoConsumer { name: consumer.to_owned() })
    }

    pub(super) fn insert(&self, durable: Arc<Durable>) {
        let mut durables = self.durables.write().unwrap_or_else(PoisonError::into_inner);
        durables.insert(durable.config.name.clone(), durable);
    }

    /// Takes a consumer out; its waiting members find it gone.
    pub(super) fn remove(&self, consumer: &str) {
        let removed =
            self.durables.write().unwrap_or_else(PoisonError::into_inner).remove(consumer);
        if let Some(durable) = removed {
            durable.forgotten.store(true, Ordering::Release);
            durable.wake();
        }
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        let durables = self.durables.read().unwrap_or_else(PoisonError::into_inner);
        let position = |durable: &Arc<Durable>| {
            let (in_flight, behind) = durable.state().counts(&self.log);
            Position { consumer: durable.config.name.clone(), in_flight, behind }
        };
        let mut positions: Vec<_> = durables.values().map(position).collect();
        positions.sort_by(|a, b| a.consumer.cmp(&b.consumer));
        positions
    }

    fn dirty(&self) -> MutexGuard<'_, Vec<Arc<Durable>>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the changes of a consumer are stored before long.
    pub(super) fn mark(&self, durable: &Arc<Durable>) {
        if durable.mark() {
            self.dirty().push(Arc::clone(durable));
            self.linger.notify_one();
        }
    }

    /// Sees to it that what was written is synced before long.
    pub(super) fn unsynced(&self) {
        self.linger.notify_one();
    }

    /// Sees to it that what is beyond the size of its stream is removed before long.
    pub(super) fn exceeded(&self) {
        self.excess.notify_one();
    }

    /// Waits for [`Engine::exceeded`].
    pub(super) async fn excess(&self) {
        self.excess.notified().await;
    }

    /// What all consumers have to store, taken once.
    pub(super) fn journals(&self) -> Vec<(Arc<Durable>, Journal)> {
        let dirty = std::mem::take(&mut *self.dirty());
        let mut journals = Vec::with_capacity(dirty.len());
        for durable in dirty {
            // Before its changes are taken, so that one that comes in between marks it again.
            durable.dirty.store(false, Ordering::Release);
            let mut journal = durable.state().journal();
            if durable.forgotten.load(Ordering::Acquire) {
                // Only its dead letters outlive it.
                journal = Journal { dead: journal.dead, ..Journal::default() };
            }
            journals.push((durable, journal));
        }
        journals
    }

    /// Gives back what could not be stored.
    pub(super) fn restore(&self, journals: Vec<(Arc<Durable>, Journal)>) {
        for (durable, journal) in journals {
            durable.state().restore(journal);
            self.mark(&durable);
        }
    }
}

/// Tells the writer, some time after something was settled or left unsynced, to write or sync it.
///
/// Settlements ride in the commits of publishers; this is for when nobody publishes.
pub(super) async fn flush_late(
    engine: Arc<Engine>,
    commands: WeakSender<Command>,
    linger: Duration,
) {
    let work = async {
        loop {
            engine.linger.notified().await;
            let up = *engine.health.borrow() == Health::Up;
            engine.clock.sleep(if up { linger } else { linger.max(PROBE_EVERY) }).await;
            // The sender is not kept over a wait: whoever drops the bus waits for the last sender to go. When there is
            // no room the writer is at work, and a commit is near anyway.
            match commands
                .upgrade()
                .map(|commands| commands.try_send(Command::Flush { reply: None }))
            {
                Some(Ok(()) | Err(TrySendError::Full(_))) => {}
                Some(Err(TrySendError::Closed(_))) | None => return,
            }
        }
    };
    tokio::select! {
        () = engine.closing.cancelled() => {}
        () = work => {}
    }
}
