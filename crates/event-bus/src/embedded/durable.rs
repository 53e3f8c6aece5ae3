//! An open consumer: its state behind a lock, and the ways to wake its members.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use omni_clock::Clock;
use tokio::sync::{Mutex as AsyncMutex, watch};

use super::{
    log::Log,
    state::{State, Taken},
};
use crate::{ConsumerConfig, Settlement, Start};

/// A consumer that was opened in this process.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) config: ConsumerConfig,
    state: Mutex<State>,
    /// Tells waiting members that something can be taken which no commit tells them of.
    changed: watch::Sender<()>,
    /// Whether it is in the list of those with something to store.
    pub(super) dirty: AtomicBool,
    /// Whether it was removed, and must not be stored again.
    pub(super) forgotten: AtomicBool,
    /// Held while a page is read, so that members do not all read the same one.
    pub(super) reading: AsyncMutex<()>,
}

impl Durable {
    pub(super) fn new(config: ConsumerConfig, state: State) -> Self {
        Self {
            config,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            dirty: AtomicBool::new(false),
            forgotten: AtomicBool::new(false),
            reading: AsyncMutex::new(()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another member may use these settings; where it would begin does not matter, for this one exists.
    pub(super) fn accepts(&self, config: &ConsumerConfig) -> bool {
        let start = Start::New;
        ConsumerConfig { start, ..config.clone() }
            == ConsumerConfig { start, ..self.config.clone() }
    }

    pub(super) fn take(&self, log: &Log, clock: &dyn Clock, max: usize) -> Taken {
        self.state().take(log, &self.config, clock.elapsed(), max)
    }

    pub(super) fn settle(&self, settlements: Vec<Settlement>, clock: &dyn Clock) {
        let now = (clock.elapsed(), clock.now());
        let mut wake = false;
        let mut state = self.state();
        for settlement in settlements {
            wake |= state.settle(settlement, &self.config, now);
        }
        drop(state);
        if wake {
            self.wake();
        }
    }

    /// Makes waiting members look again.
    pub(super) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Sees every later [`Durable::wake`].
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Marks it as having something to store. Returns whether it was not marked yet.
    pub(super) fn mark(&self) -> bool {
        !self.dirty.swap(true, Ordering::AcqRel)
    }
}
