//! One message in the hands of a consumer. It must stay true that every way to settle it takes it away, so that a
//! delivery is settled at most once by its holder; one that is dropped comes back after the ack wait.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use omni_events::Event;

use crate::{
    Error, Message, Pulled, Settlement, Stream, Verdict, backend::decode, bus::Shared,
    group::Group, lanes::Place,
};

/// Longest reason that is kept of one attempt, in bytes; an error of a remote party may be as long as that party likes.
const REASON_LEN_MAX: usize = 512;

/// Most that is kept of the reasons of all attempts, in bytes: they travel with the message.
const REASONS_LEN_MAX: usize = 64 << 10;

/// Longest reason of a rejection, in bytes; there is one, and it may list everything that is wrong with the message.
const REJECTION_LEN_MAX: usize = 4 << 10;

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
    /// When it was handed out, by the clock's elapsed time.
    pub(crate) since: Duration,
}

/// What the deliveries of one consumer have in common.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) shared: Arc<Shared>,
    pub(crate) group: Arc<Group>,
}

impl Delivery {
    pub(crate) fn new(pulled: Pulled, member: &Arc<Member>, since: Duration) -> Self {
        let Pulled { message, stream, sequence, published_at, attempt } = pulled;
        let member = Arc::clone(member);
        Self { message, stream, sequence, published_at, attempt, member, since }
    }

    pub(crate) fn place(&self) -> Place {
        (self.stream, self.sequence)
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
        ack_all(&self.member, std::slice::from_ref(&self)).await;
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

    /// The work failed: like [`Delivery::fail`], with a delay of its own.
    pub async fn retry_in(self, delay: Duration, reason: &str) {
        self.again(Some(delay), reason).await;
    }

    /// The work can never be done: it becomes a dead letter now.
    pub async fn reject(self, reason: &str) {
        let reason = clip(reason, REJECTION_LEN_MAX);
        self.bury(reason).await;
    }

    /// It takes longer: the ack wait begins anew.
    pub async fn in_progress(&self) {
        self.member.settle(vec![self.settlement(Verdict::InProgress)]).await;
    }

    pub(crate) async fn again(self, delay: Option<Duration>, reason: &str) {
        let policy = &self.member.group.config.retry;
        let attempts = usize::try_from(policy.max_attempts).unwrap_or(usize::MAX).max(1);
        let reason = clip(reason, REASON_LEN_MAX.min(REASONS_LEN_MAX / attempts));
        let reason = format!("attempt {}: {reason}", self.attempt);
        match policy.delay_after(self.attempt, self.member.shared.random.fraction()) {
            Some(usual) => {
                let delay = delay.unwrap_or(usual);
                self.settle(Verdict::Retry { delay, reason }).await;
            }
            None => self.bury(reason).await,
        }
    }

    async fn bury(self, reason: String) {
        tracing::warn!(
            consumer = self.member.group.config.name,
            stream = %self.stream,
            sequence = self.sequence,
            id = %self.message.id,
            attempt = self.attempt,
            reason,
            "a message is given up and kept as a dead letter"
        );
        self.member.shared.counters.consumed.dead_lettered.add(1);
        self.member.group.consumed.dead_lettered.add(1);
        self.settle(Verdict::Dead { reason }).await;
    }

    /// Gives up a message whose last attempt was never settled; it is not handed out any more.
    pub(crate) async fn exhausted(self) {
        let attempts = self.attempt - 1;
        self.bury(format!("given up after {attempts} attempts, the last one was not settled"))
            .await;
    }

    async fn settle(self, verdict: Verdict) {
        self.member.settle(vec![self.settlement(verdict)]).await;
    }

    pub(crate) fn settlement(&self, verdict: Verdict) -> Settlement {
        let Self { stream, sequence, attempt, .. } = *self;
        Settlement { stream, sequence, attempt, verdict }
    }
}

impl Member {
    /// Hands settlements to the lanes and the backend. A failure only means that the messages come back.
    pub(crate) async fn settle(&self, settlements: Vec<Settlement>) {
        // First, and without a wait: a lane whose message was settled but not taken out would stand still.
        if let Some(ordered) = &self.group.ordered {
            ordered.settle(&settlements, self.shared.clock.elapsed());
        }
        self.shared.settle(&self.group.config.name, settlements).await;
    }
}

/// Acknowledges deliveries of one member.
pub(crate) async fn ack_all(member: &Member, deliveries: &[Delivery]) {
    let now = member.shared.clock.elapsed();
    let latencies = deliveries.iter().map(|delivery| now.saturating_sub(delivery.since));
    member.group.consumed.ack(latencies);
    member.shared.counters.consumed.acked.add(deliveries.len());
    let settlements = deliveries.iter().map(|delivery| delivery.settlement(Verdict::Ack));
    member.settle(settlements.collect()).await;
}

fn clip(reason: &str, len_max: usize) -> String {
    reason[..reason.floor_char_boundary(len_max)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = "é".repeat(400);
        assert_eq!(clip(&long, 512).len(), 512);
        assert_eq!(clip(&format!("x{long}"), 512).len(), 511);
        assert_eq!(clip("short", 512), "short");
    }
}
