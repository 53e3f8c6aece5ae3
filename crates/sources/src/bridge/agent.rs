//! The loop: takes messages from the inbox, appends their events, and settles them.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use omni_clock::Clock;
use omni_event_bus::{Error, Foreign, Inbox};
use omni_event_log::{AppendError, EventLog};
use tokio_util::sync::CancellationToken;

use super::translate;

/// Messages that are taken at once: enough to share a commit, and few enough to hold in memory at the largest size.
const BATCH_MAX: usize = 32;
/// How long to wait when the bus does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// The first wait when an event cannot be stored now, and the longest. It doubles in between.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often the bus is told that a message is still being worked on: a third of what it waits for.
const BEAT: Duration = Duration::from_secs(10);

/// Feeds what other systems publish into the log. Any number of replicas may run one; they share the messages.
#[derive(Debug)]
pub struct Bridge {
    inbox: Inbox,
    log: EventLog,
    clock: Arc<dyn Clock>,
}

/// What is to become of a message.
#[derive(Debug)]
enum Verdict {
    /// Its event is committed, now or by an earlier try.
    Done,
    /// It cannot be stored at the moment.
    Later(String),
    /// It can never be stored.
    Never(String),
    /// This process is ending.
    Stopped,
}

impl Bridge {
    /// A bridge from an inbox of the bus to the log.
    pub fn new(inbox: Inbox, log: EventLog, clock: Arc<dyn Clock>) -> Self {
        Self { inbox, log, clock }
    }

    /// Runs until stopped or the bus drains; what was taken is finished first.
    ///
    /// While the store is away it holds what it has taken and takes no more: an outage makes no dead letters. End it
    /// before the log: what the log no longer takes is left to come again.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                batch = self.inbox.next_batch(BATCH_MAX) => batch,
            };
            match batch {
                Ok(batch) if batch.is_empty() => return,
                // The log gathers what is appended side by side into one commit.
                Ok(batch) => {
                    let taking = batch.into_iter().map(|message| self.take(message, &stop));
                    drop(join_all(taking).await);
                }
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the bridge cannot read its inbox and tries again");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.clock.sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    async fn take(&self, message: Foreign, stop: &CancellationToken) {
        // One message must not end the bridge for all others.
        let handled = AssertUnwindSafe(self.handle(&message, stop)).catch_unwind().await;
        let subject = message.subject.clone();
        let settled = match handled.unwrap_or_else(|_| Verdict::Never("panicked".to_owned())) {
            Verdict::Done => message.ack().await,
            Verdict::Never(reason) => {
                tracing::info!(subject, reason, "a foreign event was refused");
                message.reject(&reason).await
            }
            // To give it back would count as a failed try, and it has not failed.
            Verdict::Later(_) | Verdict::Stopped => Ok(()),
        };
        if let Err(error) = settled {
            // It comes again, and its key says that it was here before.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(subject, error, "a foreign event could not be settled");
        }
    }

    /// Appends the event of a message, however long the log cannot take it.
    async fn handle(&self, message: &Foreign, stop: &CancellationToken) -> Verdict {
        let mut wait = RETRY_FIRST;
        loop {
            let verdict = self.holding(message, append(&self.log, message)).await;
            let Verdict::Later(reason) = &verdict else { return verdict };
            tracing::warn!(subject = message.subject, reason, ?wait, "a foreign event waits");
            tokio::select! {
                biased;
                () = stop.cancelled() => return verdict,
                () = self.holding(message, self.clock.sleep(wait)) => {}
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    /// Waits for something, and tells the bus meanwhile that the message is not lost.
    async fn holding<T>(&self, message: &Foreign, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.clock.sleep(BEAT) => {}
            }
            if let Err(error) = message.in_progress().await {
                // Then it may come a second time, which is harmless.
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a foreign event may come again"
                );
            }
        }
    }
}

async fn append(log: &EventLog, message: &Foreign) -> Verdict {
    let draft = match translate::draft(&message.subject, &message.headers, &message.data) {
        Ok(draft) => draft,
        Err(reason) => return Verdict::Never(reason),
    };
    // On the heap: a whole batch of these is under way at once.
    let Err(error) = Box::pin(log.append(draft)).await else { return Verdict::Done };
    let text = error.to_string();
    match error {
        AppendError::Refused(_)
        | AppendError::Metadata { .. }
        | AppendError::TooLarge { .. }
        | AppendError::Conflict { .. }
        | AppendError::Loop { .. } => Verdict::Never(text),
        AppendError::Stopped => Verdict::Stopped,
        AppendError::Overloaded | AppendError::Store(_) => Verdict::Later(text),
    }
}
