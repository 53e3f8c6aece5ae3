//! One message in the hands of a consumer. It must stay true that every way to settle it takes it away, so that a
//! delivery is settled at most once by its holder; one that is dropped comes back after the ack wait.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use omni_events::Event;
use omni_retry::Policy;

use crate::{Error, Message, Pulled, Settlement, Stream, Verdict, backend::decode, bus::Shared};

/// Longest reason that is kept, in bytes; an error of a remote party may be as long as that party likes.
const REASON_LEN_MAX: usize = 512;

/// A message that was handed out and waits to be settled.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The stream it is in.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// How often it has been handed out, this time included.
    pub attempt: u32,
    pub(crate) member: Arc<Member>,
}

/// What the deliveries of one consumer have in common.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: String,
    pub(crate) retry: Policy,
}

impl Delivery {
    pub(crate) fn new(pulled: Pulled, member: &Arc<Member>) -> Self {
        let Pulled { message, stream, sequence, published_at, attempt } = pulled;
        Self { message, stream, sequence, published_at, attempt, member: Arc::clone(member) }
    }

    /// The event it carries.
    ///
    /// # Errors
    /// [`Error::Decode`] when the message is no event; [`Delivery::reject`] it then.
    pub fn event(&self) -> Result<Event, Error> {
        decode(&self.message, self.stream, self.sequence)
    }

    /// The work is done: it is not handed out again.
    ///
    /// This does not wait for the storage, and a crash may still bring the message back, so the work must bear to be
    /// done twice. For many at once use [`EventBus::ack_all`](crate::EventBus::ack_all).
    pub async fn ack(self) {
        self.member.shared.counters.acked.add(1);
        self.settle(Verdict::Ack).await;
    }

    /// Not now: it is handed out again after the delay, or after the delay of the retry policy.
    ///
    /// After the last attempt of the policy it becomes a dead letter.
    pub async fn retry(self, delay: Option<Duration>) {
        self.again(delay, "a retry was asked for").await;
    }

    /// The work failed: like [`Delivery::retry`], and the reason becomes part of the story.
    pub async fn fail(self, reason: &str) {
        self.again(None, reason).await;
    }

    /// The work can never be done: it becomes a dead letter now.
    pub async fn reject(self, reason: &str) {
        let reason = clip(reason);
        self.bury(reason).await;
    }

    /// It takes longer: the ack wait begins anew.
    pub async fn in_progress(&self) {
        let settlement = self.settlement(Verdict::InProgress);
        self.member.shared.settle(&self.member.name, vec![settlement]).await;
    }

    async fn again(self, delay: Option<Duration>, reason: &str) {
        let reason = format!("attempt {}: {}", self.attempt, clip(reason));
        let fraction = self.member.shared.random.fraction();
        match self.member.retry.delay_after(self.attempt, fraction) {
            Some(usual) => {
                let delay = delay.unwrap_or(usual);
                self.settle(Verdict::Retry { delay, reason }).await;
            }
            None => self.bury(reason).await,
        }
    }

    async fn bury(self, reason: String) {
        tracing::warn!(
            consumer = self.member.name,
            stream = %self.stream,
            sequence = self.sequence,
            id = %self.message.id,
            attempt = self.attempt,
            reason,
            "a message is given up and kept as a dead letter"
        );
        self.member.shared.counters.dead_lettered.add(1);
        self.settle(Verdict::Dead { reason }).await;
    }

    /// Gives up a message whose last attempt was never settled; it is not handed out any more.
    pub(crate) async fn exhausted(self) {
        let attempts = self.attempt - 1;
        self.bury(format!("given up after {attempts} attempts, the last one was not settled"))
            .await;
    }

    async fn settle(self, verdict: Verdict) {
        let settlement = self.settlement(verdict);
        self.member.shared.settle(&self.member.name, vec![settlement]).await;
    }

    pub(crate) fn settlement(&self, verdict: Verdict) -> Settlement {
        let Self { stream, sequence, attempt, .. } = *self;
        Settlement { stream, sequence, attempt, verdict }
    }
}

fn clip(reason: &str) -> String {
    reason[..reason.floor_char_boundary(REASON_LEN_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = "é".repeat(400);
        assert_eq!(clip(&long).len(), 512);
        assert_eq!(clip(&format!("x{long}")).len(), 511);
        assert_eq!(clip("short"), "short");
    }
}
