//! The agent that follows the dead letters of the bus: each is told by one `system.dead_letter` event, and an event that
//! the engine gave up gets its outcome.
//!
//! It must stay true that a dead letter is told at least once, whoever dies meanwhile: the position in the store moves
//! after the telling, and what is told twice has the same key.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::Clock;
use omni_event_bus::{DeadLetter, EventBus};
use omni_event_log::{AppendError, Draft, EventLog};
use omni_events::{Event, payload};
use omni_store::{
    Store, bus,
    executions::{Done, NewOutcome, commit_batch},
};
use tokio_util::sync::CancellationToken;

use crate::system;

/// The type of the event.
const TYPE: &str = "system.dead_letter";
/// Whose keys make a dead letter one event.
const SCOPE: &str = "system.dead_letter";
/// How often the count of this process is compared; that costs nothing.
const TICK: Duration = Duration::from_secs(1);
/// How often the bus is asked all the same, for the dead letters of a process that died.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How far back a look goes behind the position: the times of two machines differ. Far less than keys are remembered.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// Dead letters read at first; each carries its message, so few.
const LIMIT: usize = 64;
/// Dead letters read at once at most.
const LIMIT_MAX: usize = 16_384;
/// Longest error text that is told, in bytes. The dead letter has all of it.
const ERROR_MAX: usize = 2048;

/// Why a look ended early; the rest is told at the next one.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the bus cannot be asked")]
    Bus(#[from] omni_event_bus::Error),
    #[error("the store failed")]
    Store(#[from] omni_store::Error),
    #[error("the event was not stored")]
    Append(#[from] AppendError),
}

/// Follows the dead letters of a bus.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    bus: EventBus,
    log: EventLog,
    store: Store,
    clock: Arc<dyn Clock>,
    /// What was told within the overlap.
    told: HashSet<String>,
}

impl DeadLetters {
    pub(crate) fn new(bus: EventBus, log: EventLog, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { bus, log, store, clock, told: HashSet::new() }
    }

    /// Runs until stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut seen = None;
        let mut due = Duration::ZERO;
        loop {
            let (count, now) = (self.bus.stats().dead_lettered, self.clock.elapsed());
            if seen != Some(count) || now >= due {
                match stop.run_until_cancelled(Box::pin(self.look())).await {
                    None => return,
                    Some(Ok(())) => (seen, due) = (Some(count), now + LOOK_EVERY),
                    Some(Err(Failure::Bus(error))) => {
                        // The dead letters stay where they are.
                        tracing::debug!(%error, "dead letters cannot be read now");
                        (seen, due) = (Some(count), now + TICK * 5);
                    }
                    Some(Err(failure)) => {
                        tracing::warn!(
                            error = &failure as &dyn std::error::Error,
                            "a dead letter waits to be told"
                        );
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(TICK) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let known = bus::get(&mut *self.store.read().await?).await?;
        let horizon = known.letters_through - OVERLAP;
        let letters = self.since(horizon).await?;
        let keys: HashSet<String> = letters.iter().map(key).collect();
        self.told.retain(|key| keys.contains(key));
        let mut through = known.letters_through;
        for letter in &letters {
            let key = key(letter);
            if !self.told.contains(&key) {
                self.tell(letter, &key).await?;
                self.told.insert(key);
            }
            through = through.max(letter.dead_at);
        }
        if through > known.letters_through {
            bus::set_letters(&mut *self.store.write().await?, through).await?;
        }
        Ok(())
    }

    /// Dead letters given up after a time, oldest first.
    async fn since(&self, horizon: DateTime<Utc>) -> Result<Vec<DeadLetter>, Failure> {
        let mut limit = LIMIT;
        loop {
            let mut letters = self.bus.dead_letters(limit).await?;
            let all =
                letters.len() < limit || letters.last().is_some_and(|last| last.dead_at <= horizon);
            if all || limit >= LIMIT_MAX {
                letters.retain(|letter| letter.dead_at > horizon);
                letters.reverse();
                return Ok(letters);
            }
            drop(letters);
            limit *= 4;
        }
    }

    async fn tell(&self, letter: &DeadLetter, key: &str) -> Result<(), Failure> {
        let event = letter.event().ok();
        if let Some(event) = &event
            && letter.consumer == omni_automations::CONSUMER
        {
            self.give_outcome(letter, event).await?;
        }
        // One that tells of a dead letter must not be told by another one, and so on.
        if event.as_ref().is_some_and(|event| event.event_type.as_str() == TYPE) {
            tracing::error!(
                consumer = letter.consumer,
                "an event about a dead letter could not be handled"
            );
            return Ok(());
        }
        let Some(draft) = draft(letter, event.as_ref()) else { return Ok(()) };
        match self.log.append(draft.deduplicated(SCOPE, key, [0; 32])).await {
            Ok(_) => Ok(()),
            Err(
                error @ (AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_)),
            ) => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, consumer = letter.consumer, "no event tells of a dead letter");
                Ok(())
            }
        }
    }

    /// Nobody will handle the event any more, so it is not pending.
    async fn give_outcome(&self, letter: &DeadLetter, event: &Event) -> Result<(), Failure> {
        let outcome = NewOutcome {
            event_id: event.id,
            org: event.metadata.org.as_str().to_owned(),
            status: "failed".to_owned(),
            retry_count: i32::try_from(letter.attempts.saturating_sub(1)).unwrap_or(i32::MAX),
            processed_at: letter.dead_at,
            executions: 0,
            error: Some(last_reason(letter)),
            received_at: event.received_at,
        };
        let mut conn = self.store.write().await?;
        Ok(commit_batch(&mut conn, &[Done { outcome, executions: Vec::new(), dead: Vec::new() }]).await?)
    }
}

fn draft(letter: &DeadLetter, event: Option<&Event>) -> Option<Draft> {
    let payload = payload::DeadLetter {
        event_id: letter.message.id.to_string(),
        event_type: event
            .map_or_else(|| letter.message.subject.to_string(), |e| e.event_type.to_string()),
        consumer: letter.consumer.clone(),
        attempts: letter.attempts,
        error: last_reason(letter),
    };
    let mut draft = system::draft(TYPE, &payload)?;
    if let Some(event) = event {
        draft = draft.caused_by(event);
        draft.metadata.org = event.metadata.org.clone();
    }
    Some(draft)
}

/// Names a dead letter; the event too, because new streams count their sequences from 1 again.
fn key(letter: &DeadLetter) -> String {
    format!("{}:{}:{}:{}", letter.consumer, letter.stream, letter.sequence, letter.message.id)
}

fn last_reason(letter: &DeadLetter) -> String {
    let mut text = letter.reasons.last().cloned().unwrap_or_default();
    text.truncate(text.floor_char_boundary(ERROR_MAX));
    text
}

#[cfg(test)]
mod tests;
