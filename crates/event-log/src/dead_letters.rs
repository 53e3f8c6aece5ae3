//! Dead letters: looked up, retried, resolved, abandoned, and looked after by an agent of every replica.
//!
//! A retry is written down before it is sent: one change of the row makes it `retrying`, counts it, and fixes the id of the
//! event that will retry it. It must stay true that
//! - of all who begin a retry of one letter at one time, one does, because the change needs the state it goes out from;
//! - a retry that was begun is sent, whoever dies meanwhile, because every agent sends what it finds begun and not sent;
//! - it is sent once, however many send it, because its event has its id from the beginning;
//! - it ends once: by the outcome of exactly that event, unless somebody has resolved or abandoned the letter before.

mod agent;
mod bulk;
mod error;
mod replay;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use omni_events::Org;
use omni_store::{
    Error,
    dead_letters::{
        self as letters, DeadLetterHead, DeadLetterRow, Filter, Outcome, PENDING, Page, RETRYING,
        Settle, Start, next_retry,
    },
    events::StoredEvent,
};
use uuid::Uuid;

use crate::{AppendError, EventLog};

pub use agent::DeadLetterAgent;
pub use bulk::RetryFilter;
pub use error::DeadLetterError;

/// Reasons that are kept of one letter; the oldest of more go.
const REASONS_MAX: usize = 20;
/// Longest reason that is kept of a retry, in bytes.
const REASON_LEN_MAX: usize = 2048;

/// The dead letters of all organisations; a clone is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    log: EventLog,
    /// How many nobody is done with, as the agent last saw it.
    open: Arc<AtomicI64>,
}

/// A letter with what is known about its event.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The letter.
    pub letter: DeadLetterRow,
    /// The event, unless the store never had it.
    pub event: Option<StoredEvent>,
    /// The message as the bus had it, when the store has no such event.
    pub message: Option<Vec<u8>>,
}

impl DeadLetters {
    /// The dead letters of a log.
    pub fn new(log: EventLog) -> Self {
        Self { log, open: Arc::new(AtomicI64::new(0)) }
    }

    /// The loop that tells, retries and settles; every replica runs it.
    pub fn agent(&self) -> DeadLetterAgent {
        DeadLetterAgent::new(self.clone())
    }

    /// How many letters nobody is done with, some seconds ago.
    pub fn open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Lists letters without anything that came with their events.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        org: &Org,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<DeadLetterHead>, Error> {
        let mut conn = self.log.parts.store.read().await?;
        letters::list(&mut conn, org.as_str(), filter, page).await
    }

    /// Reads a letter with its event.
    ///
    /// # Errors
    /// [`DeadLetterError::Unknown`] when this organisation has no such letter, and when the store fails.
    pub async fn get(&self, org: &Org, id: Uuid) -> Result<Story, DeadLetterError> {
        let letter = self.letter(org.as_str(), id).await?;
        let event = self.log.get(org, letter.head.event_id).await?;
        let message = letter.message()?;
        Ok(Story { letter, event, message })
    }

    async fn letter(&self, org: &str, id: Uuid) -> Result<DeadLetterRow, DeadLetterError> {
        let mut conn = self.log.parts.store.read().await?;
        let found = letters::get(&mut conn, org, id).await?;
        found.ok_or(DeadLetterError::Unknown { id })
    }

    /// Tries a letter again. One that is being retried already is answered as it is, so asking twice retries once.
    ///
    /// # Errors
    /// See [`DeadLetterError`]; unless it is [`DeadLetterError::Append`], nothing has changed.
    pub async fn retry(
        &self,
        org: &Org,
        id: Uuid,
        by: &str,
    ) -> Result<DeadLetterRow, DeadLetterError> {
        loop {
            let letter = self.letter(org.as_str(), id).await?;
            match letter.head.status.as_str() {
                PENDING => {}
                RETRYING => return Ok(letter),
                _ => return Err(DeadLetterError::closed(letter.head)),
            }
            // What cannot be sent is refused before anything changes.
            let start = self.start(&letter.head, by);
            let draft = self.replay(&letter, start.retry_event_id, start.retries + 1).await?;
            self.log.check_draft(&draft).await?;
            let mut conn = self.log.parts.store.write().await?;
            let began = letters::start_retry(&mut conn, &start).await?;
            drop(conn);
            if began {
                let begun = self.letter(org.as_str(), id).await?;
                self.send(&begun).await?;
                return self.letter(org.as_str(), id).await;
            }
        }
    }

    /// The beginning of a retry: a new id for its event.
    fn start(&self, letter: &DeadLetterHead, by: &str) -> Start {
        let now = self.log.parts.clock.now();
        Start {
            id: letter.id,
            retries: letter.retries,
            retry_event_id: self.log.parts.random.uuid_v7(now),
            by: by.to_owned(),
            at: now,
        }
    }

    /// Sends a retry that was begun. What can never be sent ends the retry; what cannot be sent now is sent by an agent
    /// later, and answers `false`.
    async fn send(&self, letter: &DeadLetterRow) -> Result<bool, DeadLetterError> {
        let Some(event) = letter.head.retry_event_id else { return Ok(true) };
        let sent = async {
            let draft = self.replay(letter, event, letter.head.retries).await?;
            self.log.append(draft).await?;
            Ok(())
        };
        match sent.await {
            Err(DeadLetterError::Store(error)) if is_temporary(&error) => Ok(false),
            Err(DeadLetterError::Append(
                AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_),
            )) => Ok(false),
            Err(error) => {
                let reason = format!("it could not be retried: {error}");
                self.settle(&[self.failure(letter, event, &reason, false)]).await?;
                Err(error)
            }
            Ok(()) => Ok(true),
        }
    }

    /// Says that a consumer has given up the event of a retry as it gave up the first one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn failed_again(
        &self,
        letter: &DeadLetterRow,
        retry_event_id: Uuid,
        reason: &str,
    ) -> Result<(), Error> {
        self.settle(&[self.failure(letter, retry_event_id, reason, true)]).await.map(|_| ())
    }

    /// The end of a retry that failed; `again` when it is worth another one by itself.
    fn failure(&self, letter: &DeadLetterRow, event: Uuid, reason: &str, again: bool) -> Settle {
        let now = self.log.parts.clock.now();
        let next = next_retry(letter.head.dead_at, now).filter(|_| again);
        let mut reasons = letter.reasons();
        reasons.push(reason[..reason.floor_char_boundary(REASON_LEN_MAX)].to_owned());
        let kept = &reasons[reasons.len().saturating_sub(REASONS_MAX)..];
        let errors = serde_json::to_string(kept).unwrap_or_else(|_| "[]".to_owned());
        let outcome = Outcome::Failed { errors, next_retry_at: next };
        // A letter that changes never seems to have changed earlier, whichever clock that was.
        Settle {
            id: letter.head.id,
            retry_event_id: event,
            outcome,
            at: now.max(letter.head.changed_at),
        }
    }

    async fn settle(&self, settles: &[Settle]) -> Result<usize, Error> {
        letters::settle(&mut *self.log.parts.store.write().await?, settles).await
    }

    /// Says that a letter is done with, and why.
    ///
    /// # Errors
    /// [`DeadLetterError::Closed`] when it was resolved or abandoned before.
    pub async fn resolve(
        &self,
        org: &Org,
        id: Uuid,
        note: Option<&str>,
        by: &str,
    ) -> Result<DeadLetterRow, DeadLetterError> {
        let now = self.log.parts.clock.now();
        let mut conn = self.log.parts.store.write().await?;
        let done = letters::resolve(&mut conn, (org.as_str(), id), note, by, now).await?;
        drop(conn);
        self.closed(org, id, done).await
    }

    /// Says that nobody will try a letter again.
    ///
    /// # Errors
    /// [`DeadLetterError::Closed`] when it was resolved or abandoned before.
    pub async fn abandon(
        &self,
        org: &Org,
        id: Uuid,
        by: &str,
    ) -> Result<DeadLetterRow, DeadLetterError> {
        let now = self.log.parts.clock.now();
        let mut conn = self.log.parts.store.write().await?;
        let done = letters::abandon(&mut conn, (org.as_str(), id), by, now).await?;
        drop(conn);
        self.closed(org, id, done).await
    }

    async fn closed(
        &self,
        org: &Org,
        id: Uuid,
        done: bool,
    ) -> Result<DeadLetterRow, DeadLetterError> {
        let letter = self.letter(org.as_str(), id).await?;
        if done { Ok(letter) } else { Err(DeadLetterError::closed(letter.head)) }
    }
}

/// Whether the store may do it at another time; a row that cannot be read stays so.
fn is_temporary(error: &Error) -> bool {
    !matches!(error, Error::Corrupt { .. })
}

#[cfg(test)]
mod tests;
