//! The lanes of an ordered consumer, as its members in this process share them.
//!
//! It must stay true that one task pulls, so that messages come into their lanes in the order of the stream; that it
//! pulls only what somebody waits for; and that what is kept back is kept alive, whether anybody waits or not.

mod demand;
pub(crate) mod tasks;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use self::demand::{Demand, Want};
use crate::{
    ConsumerConfig, OrderingKey, Pulled, Settlement, consumer::NoMore, lanes::Lanes, ordering::Keys,
};

/// A claim is renewed after this part of the ack wait.
pub(crate) const HEARTBEATS: u32 = 3;

/// The lanes of one consumer, behind a lock.
#[derive(Debug)]
pub(crate) struct Ordered {
    keys: Keys,
    heartbeat: Duration,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    demand: watch::Sender<Demand>,
}

#[derive(Debug)]
struct State {
    lanes: Lanes,
    /// The backend's number for what was handed out, see [`crate::Backend::epoch`].
    epoch: u64,
    /// How often what was handed out was forgotten because this process moved the consumer.
    moves: u64,
    /// Why nothing more comes.
    no_more: Option<NoMore>,
    /// When what is kept back is to be kept alive next.
    beat_at: Duration,
}

/// What a member finds.
#[derive(Debug)]
pub(crate) struct Look {
    /// Hand these out.
    pub(crate) pulled: Vec<Pulled>,
    /// How many more may be out.
    pub(crate) room: usize,
    /// When there is room again though nothing is settled, if there is none.
    pub(crate) lapse: Option<Duration>,
}

impl Ordered {
    pub(crate) fn new(
        config: &ConsumerConfig,
        key: &OrderingKey,
        epoch: u64,
    ) -> Result<Self, String> {
        let lanes = Lanes::new(config.ack_wait, config.max_in_flight);
        let state = State { lanes, epoch, moves: 0, no_more: None, beat_at: Duration::ZERO };
        Ok(Self {
            keys: Keys::new(key)?,
            heartbeat: config.ack_wait / HEARTBEATS,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            demand: watch::Sender::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees when there may be something to take.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Takes what can be handed out, up to `max`.
    pub(crate) fn take(&self, epoch: u64, now: Duration, max: usize) -> Result<Look, NoMore> {
        let mut state = self.state();
        state.follow(epoch);
        if let Some(no_more) = state.no_more {
            return Err(no_more);
        }
        let pulled = state.lanes.take(now, max);
        let room = state.lanes.room(now);
        let lapse = state.lanes.lapse().filter(|_| room == 0);
        Ok(Look { pulled, room, lapse })
    }

    /// Asks for so many to be pulled, until the guard is gone or some have come.
    pub(crate) fn want(&self, count: usize) -> Want<'_> {
        Want::new(&self.demand, count)
    }

    /// Nothing more comes: tells the members.
    fn end(&self, no_more: NoMore) {
        self.state().no_more = Some(no_more);
        self.wake();
    }

    /// Takes in what was pulled, unless the consumer was moved since, and wakes the members.
    fn offer(&self, moves: u64, epoch: u64, pulled: Vec<Pulled>) {
        let keyed: Vec<_> =
            pulled.into_iter().map(|pulled| (self.keys.of(&pulled.message), pulled)).collect();
        let mut state = self.state();
        state.follow(epoch);
        if moves == state.moves {
            for (key, pulled) in keyed {
                state.lanes.offer(pulled, key);
            }
        }
        drop(state);
        self.wake();
    }

    /// Takes note of what became of messages.
    pub(crate) fn settle(&self, settlements: &[Settlement], now: Duration) {
        let mut state = self.state();
        let mut wake = false;
        for settlement in settlements {
            wake |= state.lanes.settle(settlement, now);
        }
        drop(state);
        if wake {
            self.wake();
        }
    }

    /// Begins to move the consumer: what is here is forgotten, and what is being pulled too, until the guard is gone.
    pub(crate) fn moving(&self) -> Moving<'_> {
        self.demand.send_modify(|demand| demand.moving += 1);
        self.forget();
        Moving(self)
    }

    fn forget(&self) {
        let mut state = self.state();
        state.moves += 1;
        state.lanes.clear();
        let moves = state.moves;
        self.demand.send_modify(|demand| demand.moves = moves);
        drop(state);
        self.wake();
    }

    /// What is to be said to the backend so that it does not hand out again what is kept back, if it is time to.
    pub(crate) fn beat(&self, epoch: u64, now: Duration) -> Vec<Settlement> {
        let mut state = self.state();
        state.follow(epoch);
        if now < state.beat_at {
            return Vec::new();
        }
        state.beat_at = now + self.heartbeat;
        state.lanes.alive()
    }

    /// When that is due again.
    fn beat_at(&self) -> Duration {
        self.state().beat_at
    }

    /// Looks for messages that should have come again, if somebody pulls.
    fn miss(&self, name: &str, now: Duration) {
        if self.demand.borrow().wanted == 0 {
            return;
        }
        let missing = self.state().lanes.miss(now);
        for (stream, sequence) in &missing {
            tracing::warn!(
                consumer = name, %stream, sequence,
                "a message that was to come again has not come; those of its key go on without it"
            );
        }
        if !missing.is_empty() {
            self.wake();
        }
    }
}

impl State {
    /// Forgets what is here when the backend did.
    fn follow(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.lanes.clear();
        }
    }
}

/// The consumer is being moved.
#[derive(Debug)]
pub(crate) struct Moving<'a>(&'a Ordered);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.forget();
        self.0.demand.send_modify(|demand| demand.moving -= 1);
    }
}

#[cfg(test)]
mod tests;
