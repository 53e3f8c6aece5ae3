//! One of our consumers, open in this process: its state behind a lock, and the ways to wake its members.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio_util::sync::CancellationToken;

use super::{
    super::{session::Session, streams::LEASE},
    lease::Lease,
    reader::Reader,
    selection::{Place, Selection},
    server::{self, Target},
    state::{Standing, State},
};
use crate::{ConsumerConfig, Start};

/// One of the server's consumers behind one of ours, as we want it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) target: Target,
    pub(super) selection: Selection,
    /// Its settings, wherever it begins.
    pub(super) settings: Map<String, Value>,
}

impl Source {
    pub(super) fn new(session: &Session, config: &ConsumerConfig, place: Place) -> Self {
        let target = Target::new(session, place, &config.name);
        let several = session.server.several_filters;
        let selection = Selection::new(&session.names, place, &config.filters, several);
        let settings = server::settings(&target, config, &selection);
        Self { place, target, selection, settings }
    }
}

/// A consumer that was opened in this process.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) config: ConsumerConfig,
    state: Mutex<State>,
    sources: RwLock<Vec<Arc<Source>>>,
    /// Held by the member that listens to the server.
    pub(super) reader: AsyncMutex<Reader>,
    /// Tells waiting members that something changed which no message tells them of.
    changed: watch::Sender<()>,
    /// Set when it was removed, here or elsewhere.
    pub(super) forgotten: CancellationToken,
    moving: AtomicUsize,
    epoch: AtomicU64,
    /// Who is active, if only one process at a time may be.
    pub(super) lease: Option<Lease>,
    /// How many members pull now.
    pulling: AtomicUsize,
    /// When a member pulled last.
    pulled_at: Mutex<Duration>,
}

impl Durable {
    pub(super) fn new(session: &Session, config: ConsumerConfig) -> Self {
        Self {
            state: Mutex::new(State::new(&config)),
            sources: RwLock::default(),
            reader: AsyncMutex::new(Reader::new(session)),
            changed: watch::Sender::new(()),
            forgotten: CancellationToken::new(),
            moving: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            lease: config.ordering.as_ref().map(|_| Lease::new(session, &config.name)),
            pulling: AtomicUsize::new(0),
            pulled_at: Mutex::default(),
            config,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sources(&self) -> Vec<Arc<Source>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks in one more place from now on.
    pub(super) fn add(&self, source: Source, standing: Standing) {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        self.state().sources.push(standing);
        sources.push(Arc::new(source));
        drop(sources);
        self.wake();
    }

    /// Whether another member may use these settings; where it would begin does not matter, for this one exists.
    pub(super) fn accepts(&self, config: &ConsumerConfig) -> bool {
        let start = Start::New;
        ConsumerConfig { start, ..config.clone() }
            == ConsumerConfig { start, ..self.config.clone() }
    }

    /// Sees when there may be something to do.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn wake(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Says that all that was handed out here is forgotten.
    pub(super) fn begin_epoch(&self) {
        self.epoch.fetch_add(1, SeqCst);
        self.wake();
    }

    /// Lets nobody pull until the guard is gone.
    pub(super) fn moving(&self) -> Moving<'_> {
        self.moving.fetch_add(1, SeqCst);
        self.wake();
        Moving(self)
    }

    pub(super) fn is_moving(&self) -> bool {
        self.moving.load(SeqCst) > 0
    }

    /// Says that a member pulls, until the guard is gone.
    pub(super) fn pulling(&self, now: Duration) -> Pulling<'_> {
        self.pulling.fetch_add(1, SeqCst);
        *self.pulled_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Pulling(self)
    }

    /// Whether anybody here works with it.
    pub(super) fn is_used(&self, now: Duration) -> bool {
        let pulled_at = *self.pulled_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.pulling.load(SeqCst) > 0 || pulled_at + LEASE > now || self.state().is_busy(now)
    }
}

/// The consumer is being moved.
#[derive(Debug)]
pub(super) struct Moving<'a>(&'a Durable);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.moving.fetch_sub(1, SeqCst);
        self.0.wake();
    }
}

/// A member pulls.
#[derive(Debug)]
pub(super) struct Pulling<'a>(&'a Durable);

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        self.0.pulling.fetch_sub(1, SeqCst);
    }
}
