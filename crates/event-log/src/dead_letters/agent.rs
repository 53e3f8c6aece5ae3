//! The loop that looks after letters: tells each once, begins the retries that are due, sends what was begun, and ends what
//! has an outcome. Every replica runs it; see the module above for why that is safe.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{StreamExt as _, stream};
use omni_events::{Event, EventType, HOPS_MAX, Org, Payload, payload};
use omni_store::{
    Error,
    dead_letters::{self as letters, DeadLetterRow, Finished, Outcome, Settle},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DeadLetterError, DeadLetters, bulk::Job, is_temporary};
use crate::{AppendError, Draft};

/// How often it looks; looking at nothing costs a few look-ups in indexes that are empty.
const TICK: Duration = Duration::from_secs(1);
/// How often the open letters are counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// Letters taken at once.
pub(super) const BATCH: i64 = 256;
/// Events on their way to the commit at once, so that they share it.
const AT_ONCE: usize = 64;
/// Retries on their way at once, of all organisations. It bounds what a bulk retry puts before the engine.
pub(super) const RETRYING_MAX: i64 = 2048;
/// The type of the event that tells of a letter.
const TYPE: &str = "system.dead_letter";
/// Who says so.
const SOURCE: &str = "system:dead-letters";
/// Who begins retries that are due.
const AUTOMATIC: &str = "automatic";

/// Looks after dead letters.
#[derive(Debug)]
pub struct DeadLetterAgent {
    pub(super) letters: DeadLetters,
    /// The bulk retry that this replica works on.
    pub(super) job: Option<Job>,
}

impl DeadLetterAgent {
    pub(super) fn new(letters: DeadLetters) -> Self {
        Self { letters, job: None }
    }

    /// Runs until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let clock = self.letters.log.parts.clock.clone();
        let mut count_at = Duration::ZERO;
        log(self.letters.release_left_jobs().await, "taken up again");
        loop {
            let turn = Box::pin(self.turn());
            if stop.run_until_cancelled(turn).await.is_none() {
                break;
            }
            if clock.elapsed() >= count_at {
                log(self.count().await, "counted");
                count_at = clock.elapsed() + COUNT_EVERY;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = clock.sleep(TICK) => {}
            }
        }
        self.lay_down().await;
    }

    /// One look at everything. What fails stays for the next look, and keeps nothing else back.
    pub(super) async fn turn(&mut self) {
        log(self.tell().await, "told");
        log(self.settle_finished().await, "settled");
        log(self.begin_due().await, "begun");
        log(self.go_on().await, "retried in bulk");
        log(self.send_unsent().await, "sent");
    }

    async fn count(&self) -> Result<(), Error> {
        let open = letters::open(&mut *self.letters.log.parts.store.read().await?).await?;
        self.letters.open.store(open, Ordering::Relaxed);
        Ok(())
    }

    /// Tells each letter by one event. Whoever tells one a second time, because somebody died before writing down that it
    /// is told, uses the same key.
    async fn tell(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.letters.log.parts.store.read().await?;
            let untold = letters::untold(&mut conn, BATCH).await?;
            drop(conn);
            let telling: Vec<_> = untold.iter().map(|letter| self.tell_one(letter)).collect();
            let told: Vec<_> = stream::iter(telling).buffer_unordered(AT_ONCE).collect().await;
            let told: Vec<Uuid> = told.into_iter().flatten().collect();
            if !told.is_empty() {
                let mut conn = self.letters.log.parts.store.write().await?;
                letters::set_told(&mut conn, &told).await?;
            }
            if told.is_empty() || (untold.len() as i64) < BATCH {
                return Ok(());
            }
        }
    }

    /// Answers the letter unless it has to be told later.
    async fn tell_one(&self, letter: &DeadLetterRow) -> Option<Uuid> {
        let id = letter.head.id;
        // One that tells of a dead letter must not be told by another one, and so on.
        if letter.head.event_type == TYPE {
            let consumer = &letter.head.consumer;
            tracing::error!(consumer, "an event about a dead letter could not be handled");
            return Some(id);
        }
        let event = match self.event_of(letter).await {
            Ok(event) => event,
            Err(error) if is_temporary(&error) => return None,
            Err(_) => None,
        };
        let Some(draft) = telling(letter, event.as_ref()) else {
            tracing::error!(letter = %id, "no event can tell of a dead letter");
            return Some(id);
        };
        match self.letters.log.append(draft).await {
            Ok(told) => {
                if let Some(event) = event.filter(|_| !told.repeat) {
                    self.letters.log.capture_letter(letter, &event);
                }
                Some(id)
            }
            Err(AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_)) => None,
            Err(error) => {
                tracing::error!(%error, letter = %id, "no event tells of a dead letter");
                Some(id)
            }
        }
    }

    async fn event_of(&self, letter: &DeadLetterRow) -> Result<Option<Event>, Error> {
        let mut conn = self.letters.log.parts.store.read().await?;
        let head = &letter.head;
        let stored = omni_store::events::get(&mut conn, &head.org, head.event_id).await?;
        Ok(stored.map(|stored| stored.event))
    }

    /// Ends the retries that have an outcome.
    async fn settle_finished(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.letters.log.parts.store.read().await?;
            let finished = letters::finished(&mut conn, BATCH).await?;
            drop(conn);
            if finished.is_empty() {
                return Ok(());
            }
            let ends: Vec<Settle> = finished.iter().filter_map(|one| self.end(one)).collect();
            self.letters.settle(&ends).await?;
            if (finished.len() as i64) < BATCH {
                return Ok(());
            }
        }
    }

    fn end(&self, finished: &Finished) -> Option<Settle> {
        let Finished { letter, status, error } = finished;
        let retry_event_id = letter.head.retry_event_id?;
        if status != "completed" {
            let reason = error.as_deref().unwrap_or("it failed, and no reason was given");
            return Some(self.letters.failure(letter, retry_event_id, reason, true));
        }
        let at = self.letters.log.parts.clock.now().max(letter.head.changed_at);
        Some(Settle { id: letter.head.id, retry_event_id, outcome: Outcome::Succeeded, at })
    }

    /// Begins the retries that are due.
    async fn begin_due(&self) -> Result<(), Error> {
        let parts = &self.letters.log.parts;
        let mut conn = parts.store.read().await?;
        let due = letters::due(&mut conn, parts.clock.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        let room = RETRYING_MAX - letters::retrying(&mut conn).await?;
        drop(conn);
        for letter in due.iter().take(usize::try_from(room).unwrap_or(0)) {
            let start = self.letters.start(&letter.head, AUTOMATIC);
            letters::start_retry(&mut *parts.store.write().await?, &start).await?;
        }
        Ok(())
    }

    /// Sends what was begun by this process or by one that died.
    async fn send_unsent(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.letters.log.parts.store.read().await?;
            let unsent = letters::unsent(&mut conn, BATCH).await?;
            drop(conn);
            let sending: Vec<_> = unsent.iter().map(|letter| self.send_one(letter)).collect();
            let sent: Vec<bool> = stream::iter(sending).buffer_unordered(AT_ONCE).collect().await;
            if (sent.len() as i64) < BATCH || sent.contains(&false) {
                return Ok(());
            }
        }
    }

    /// `false` when it has to be sent later.
    async fn send_one(&self, letter: &DeadLetterRow) -> bool {
        let id = letter.head.id;
        match self.letters.send(letter).await {
            Ok(is_sent) => is_sent,
            Err(DeadLetterError::Store(error)) => {
                tracing::warn!(%error, letter = %id, "a dead letter waits for its retry");
                false
            }
            Err(error) => {
                tracing::warn!(%error, letter = %id, "a dead letter cannot be retried");
                true
            }
        }
    }
}

/// The event that tells of a letter. Its chain is never too long: whoever reacts to it is cut instead.
fn telling(letter: &DeadLetterRow, event: Option<&Event>) -> Option<Draft> {
    let head = &letter.head;
    let about = payload::DeadLetter {
        event_id: head.event_id.to_string(),
        event_type: head.event_type.clone(),
        consumer: head.consumer.clone(),
        attempts: u32::try_from(head.attempts).unwrap_or_default(),
        error: letter.reasons().pop().unwrap_or_default(),
        dead_letter_id: Some(head.id.to_string()),
        automation_id: head.automation_id.map(|id| id.to_string()),
    };
    let payload = Payload::parse(serde_json::to_vec(&about).ok()?.into()).ok()?;
    let org = Org::parse(&head.org).ok()?;
    let mut draft = Draft::new(org.clone(), EventType::parse(TYPE).ok()?, SOURCE, payload);
    if let Some(event) = event {
        draft = draft.caused_by(event);
        draft.metadata.hops = draft.metadata.hops.min(HOPS_MAX);
    }
    // A letter that was closed and is given up once more is told once more.
    let key = format!("{}:{}", head.id, head.dead_at.timestamp_micros());
    Some(draft.deduplicated(TYPE, key, [0; 32]))
}

fn log(result: Result<(), Error>, what: &str) {
    if let Err(error) = result {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "dead letters could not be {what}; they wait for the next look");
    }
}
