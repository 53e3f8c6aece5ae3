//! The agent that follows the dead letters of the bus: each becomes a row among the dead letters of the log, which are told
//! and retried from there, and an event that the engine gave up gets its outcome.
//!
//! It must stay true that a dead letter of the bus becomes a row, whoever dies meanwhile: the position in the store moves
//! after the rows are there, and what is recorded twice has the same id.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::Clock;
use omni_event_bus::{DeadLetter, EventBus};
use omni_event_log::DeadLetters;
use omni_events::{Event, Org};
use omni_store::{
    Store, bus,
    dead_letters::{self as letters, NewDeadLetter, PENDING, id_of, next_retry, packed},
    executions::{Done, NewOutcome, commit_batch},
};
use tokio_util::sync::CancellationToken;

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
/// Longest reason that is kept, in bytes. The dead letter of the bus has all of it.
const REASON_LEN_MAX: usize = 2048;
/// Reasons that are kept, the newest.
const REASONS_MAX: usize = 20;

/// Why a look ended early; the rest is recorded at the next one.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the bus cannot be asked")]
    Bus(#[from] omni_event_bus::Error),
    #[error("the store failed")]
    Store(#[from] omni_store::Error),
}

/// Follows the dead letters of a bus.
#[derive(Debug)]
pub(crate) struct BusLetters {
    bus: EventBus,
    letters: DeadLetters,
    store: Store,
    clock: Arc<dyn Clock>,
    /// What was recorded within the overlap.
    recorded: HashSet<String>,
}

impl BusLetters {
    pub(crate) fn new(
        bus: EventBus,
        letters: DeadLetters,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { bus, letters, store, clock, recorded: HashSet::new() }
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
                            "a dead letter waits to be recorded"
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
        self.recorded.retain(|key| keys.contains(key));
        let mut through = known.letters_through;
        for letter in &letters {
            let key = key(letter);
            if !self.recorded.contains(&key) {
                self.record(letter).await?;
                self.recorded.insert(key);
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

    async fn record(&self, letter: &DeadLetter) -> Result<(), Failure> {
        let event = letter.event().ok();
        let is_engines = letter.consumer == omni_automations::CONSUMER;
        if let Some(event) = &event {
            if is_engines {
                self.give_outcome(letter, event).await?;
            }
            if self.is_retry_that_failed(letter, event, is_engines).await? {
                return Ok(());
            }
        }
        let row = self.row(letter, event.as_ref()).await?;
        letters::add(&mut *self.store.write().await?, &[row]).await?;
        Ok(())
    }

    /// The failure of a retry belongs to the letter that it retries. The engine's are seen by their outcome.
    async fn is_retry_that_failed(
        &self,
        letter: &DeadLetter,
        event: &Event,
        is_engines: bool,
    ) -> Result<bool, Failure> {
        let Some(replay) = event.metadata.replay.as_deref().filter(|r| r.dead_letter) else {
            return Ok(false);
        };
        if is_engines {
            return Ok(true);
        }
        let org = event.metadata.org.as_str();
        let found = letters::get(&mut *self.store.read().await?, org, replay.id).await?;
        let Some(retried) = found.filter(|row| row.head.consumer == letter.consumer) else {
            return Ok(false);
        };
        self.letters.failed_again(&retried, event.id, &last_reason(letter)).await?;
        Ok(true)
    }

    async fn row(
        &self,
        letter: &DeadLetter,
        event: Option<&Event>,
    ) -> Result<NewDeadLetter, Failure> {
        let org = event.map_or_else(Org::default, |event| event.metadata.org.clone());
        let event_id = event.map_or(letter.message.id, |event| event.id);
        let mut conn = self.store.read().await?;
        let is_stored = letters::has_event(&mut conn, org.as_str(), event_id).await?;
        let message = (!is_stored).then(|| packed(&letter.message.data));
        let newest = &letter.reasons[letter.reasons.len().saturating_sub(REASONS_MAX)..];
        let reasons: Vec<&str> = newest.iter().map(|reason| short(reason)).collect();
        Ok(NewDeadLetter {
            id: id_of(&letter.consumer, event_id),
            org: org.into(),
            event_id,
            event_type: event
                .map_or_else(|| letter.message.subject.to_string(), |e| e.event_type.to_string()),
            consumer: letter.consumer.clone(),
            automation_id: None,
            version: None,
            attempts: i32::try_from(letter.attempts).unwrap_or(i32::MAX),
            errors: serde_json::to_string(&reasons).unwrap_or_else(|_| "[]".to_owned()),
            message,
            status: PENDING.to_owned(),
            retries: 0,
            next_retry_at: next_retry(letter.dead_at, letter.dead_at),
            dead_at: letter.dead_at,
            changed_at: letter.dead_at,
            told: false,
        })
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
        Ok(commit_batch(&mut conn, &[Done { outcome, executions: Vec::new(), dead: Vec::new() }])
            .await?)
    }
}

/// Names a dead letter; the event too, because new streams count their sequences from 1 again.
fn key(letter: &DeadLetter) -> String {
    format!("{}:{}:{}:{}", letter.consumer, letter.stream, letter.sequence, letter.message.id)
}

fn last_reason(letter: &DeadLetter) -> String {
    letter.reasons.last().map(|reason| short(reason)).unwrap_or_default().to_owned()
}

fn short(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_LEN_MAX)]
}

#[cfg(test)]
mod tests;
