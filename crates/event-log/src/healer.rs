//! The healer: when the bus has lost its streams, publishes again what nobody has handled.
//!
//! It must stay true that the identity in the store changes only after everything without an outcome was published to
//! the streams of that identity, and is on their disk. So a crash at any line begins it again, which is harmless.

use std::{sync::Arc, time::Duration};

use omni_event_bus::Error as BusError;
use omni_events::Event;
use omni_store::{Kind, bus};

use crate::{
    delivery::{PublishError, chain, deliver},
    log::{Counters, Parts},
};

/// How often it looks whether the streams are the same.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Events published at once; few, because each may be as large as a message may be.
const BATCH: i64 = 128;
/// Events looked at in one query.
const WINDOW: i64 = 4096;
/// Events looked at in one step of the search for the first that has no outcome.
const SETTLED_SCAN: i64 = 16_384;
/// For how long new events wait for what was lost, so that all are in order; then both go side by side.
const KEEP_BACK_MAX: Duration = Duration::from_secs(5);
/// The pause before it begins again, when streams were lost while it worked.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How much of each tick goes to what was lost afterwards.
const SHARE: Duration = Duration::from_millis(250);

/// How far it has come.
#[derive(Debug)]
enum State {
    /// All is well, as far as was seen. The next look is due then.
    Watching { due: Duration },
    /// Everything without an outcome after one sequence and up to another is being published.
    Publishing { lost: Lost, after: i64, through: i64 },
    /// Everything is published since then, but may not be on the disk of the bus; they may be lost again, too.
    Settling { lost: Lost, since: Duration, due: Duration },
}

/// What is known about one loss.
#[derive(Clone, Debug)]
struct Lost {
    /// Names the streams that were lost, and those that are there instead.
    old: String,
    new: String,
    began: Duration,
    events: usize,
}

#[derive(Debug)]
pub(crate) struct Healer {
    parts: Arc<Parts>,
    writer: i64,
    counters: Arc<Counters>,
    state: State,
}

impl Healer {
    pub(crate) fn new(parts: Arc<Parts>, writer: i64, counters: Arc<Counters>) -> Self {
        Self { parts, writer, counters, state: State::Watching { due: Duration::ZERO } }
    }

    /// Looks at the next opportunity: something has happened to the bus, and what was published just before may be gone.
    pub(crate) fn look_soon(&mut self) {
        self.state = State::Watching { due: Duration::ZERO };
    }

    /// Takes the next step, if one is due.
    pub(crate) async fn run(&mut self) -> Result<(), PublishError> {
        loop {
            let now = self.parts.clock.elapsed();
            self.state = match &self.state {
                State::Watching { due } if now < *due => return Ok(()),
                State::Watching { .. } => self.look(now).await?,
                State::Publishing { lost, .. } => {
                    let until = (lost.began + KEEP_BACK_MAX).max(now + SHARE);
                    if !self.publish(until).await? {
                        return Ok(());
                    }
                    continue;
                }
                State::Settling { due, .. } if now < *due => return Ok(()),
                State::Settling { lost, since, .. } => self.settle(lost, *since, now).await?,
            };
        }
    }

    /// Compares the streams with those that the store knows.
    async fn look(&self, now: Duration) -> Result<State, PublishError> {
        let later = State::Watching { due: now + LOOK_EVERY };
        let Some(new) = self.identity().await? else { return Ok(later) };
        let mut conn = self.parts.store.read().await?;
        let known = bus::get(&mut conn).await?;
        if known.identity == new {
            let settled = bus::settled_from(&mut conn, known.settled_through, SETTLED_SCAN).await?;
            drop(conn);
            if settled > known.settled_through {
                bus::set_settled(&mut *self.parts.store.write().await?, settled).await?;
            }
            return Ok(later);
        }
        drop(conn);
        // An embedded store has one process at a time, so whoever had begun it has died.
        let alone = self.parts.store.kind() == Kind::Sqlite;
        let mut conn = self.parts.store.write().await?;
        if !bus::claim(&mut conn, self.writer, &known.identity, alone).await? {
            return Ok(later);
        }
        // Whatever commits later is published later, and to the new streams.
        let through = bus::last_sequence(&mut conn).await?;
        drop(conn);
        let lost = Lost { old: known.identity, new, began: now, events: 0 };
        Ok(State::Publishing { lost, after: known.settled_through, through })
    }

    /// Publishes until all is published (`true`) or the time is over.
    async fn publish(&mut self, until: Duration) -> Result<bool, PublishError> {
        let State::Publishing { lost, after, through } = &mut self.state else { return Ok(true) };
        let parts = &self.parts;
        while *after < *through {
            let end = after.saturating_add(WINDOW).min(*through);
            let mut conn = parts.store.read().await?;
            let found = bus::pending(&mut conn, *after, end, BATCH).await?;
            drop(conn);
            let next = match found.last() {
                Some((sequence, _)) if found.len() as i64 == BATCH => *sequence,
                _ => end,
            };
            let events: Vec<Event> = found.into_iter().filter_map(readable).collect();
            if !events.is_empty() {
                if lost.events == 0 && !lost.old.is_empty() {
                    tracing::warn!(
                        "the bus has lost its streams; what nobody has handled is published again"
                    );
                }
                self.counters.may_repeat.note(parts.clock.now());
                deliver(parts, &events).await?;
            }
            lost.events += events.len();
            *after = next;
            if parts.clock.elapsed() >= until && *after < *through {
                return Ok(false);
            }
        }
        let since = parts.clock.elapsed();
        self.state = State::Settling { lost: lost.clone(), since, due: since };
        Ok(true)
    }

    /// Writes down that the new streams have everything once that is safe, unless they were lost as well.
    async fn settle(
        &self,
        lost: &Lost,
        since: Duration,
        now: Duration,
    ) -> Result<State, PublishError> {
        if self.identity().await?.is_none_or(|identity| identity != lost.new) {
            // Again from the first, but not in a circle without a pause.
            return Ok(State::Watching { due: now + RETRY_AFTER });
        }
        let safe = since + self.parts.config.safe_after;
        // What was not published cannot be lost.
        if now < safe && lost.events > 0 {
            let due = safe.min(now + LOOK_EVERY);
            return Ok(State::Settling { lost: lost.clone(), since, due });
        }
        let mut conn = self.parts.store.write().await?;
        if bus::healed(&mut conn, self.writer, &lost.new).await? && lost.events > 0 {
            tracing::info!(
                events = lost.events,
                "everything that nobody had handled is on the bus again"
            );
        }
        Ok(State::Watching { due: now + LOOK_EVERY })
    }

    /// Names the streams that are there. `None` when the bus answers, but cannot say.
    async fn identity(&self) -> Result<Option<String>, PublishError> {
        match self.parts.bus.identity().await {
            Ok(identity) => Ok(Some(identity)),
            Err(error @ (BusError::Unavailable { .. } | BusError::Closed)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "it cannot be seen whether the bus has lost anything");
                Ok(None)
            }
        }
    }
}

/// A row that cannot be read is said, and keeps back nothing else.
fn readable((sequence, event): (i64, Result<Event, omni_store::Error>)) -> Option<Event> {
    event
        .inspect_err(|error| {
            tracing::error!(sequence, error = %chain(error), "an event cannot be read and is not published again");
        })
        .ok()
}
