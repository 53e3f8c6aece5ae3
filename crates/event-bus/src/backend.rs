//! The contract between the bus and what carries it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{ConsumerConfig, Error, Message, Receipt, Start, Stream};

/// Carries messages: the embedded engine, or a broker.
///
/// What every implementation promises; the suite in `conformance` asks for it:
/// - A message with a receipt is there after the process was killed. Sequences of one stream ascend in the order of
///   publishing. An id that came within the last two minutes gets the receipt of the first.
/// - Every message that a consumer's filters select is pulled by one of its members, at least once, until it is
///   settled by [`Verdict::Ack`] or [`Verdict::Dead`], or retention takes it. Neither a crash nor a restart skips one.
/// - A pulled message that is not settled within the ack wait is pulled again, with the attempt counted up.
///
/// Retries, exhaustion and dead-lettering are decided above, in [`EventBus`](crate::EventBus), alike for all.
#[async_trait]
pub trait Backend: fmt::Debug + Send + std::marker::Sync {
    /// Puts messages into their streams, all or none, and returns their receipts in the same order.
    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Receipt>, Error>;

    /// Makes sure that a consumer exists and is ready to be pulled from; the position of an old one is kept.
    async fn open_consumer(&self, config: &ConsumerConfig) -> Result<(), Error>;

    /// Waits until the consumer has a message, and takes up to `max`. Empty means the bus is draining.
    ///
    /// Cancelling it takes nothing.
    async fn pull(&self, consumer: &str, max: usize) -> Result<Vec<Pulled>, Error>;

    /// Settles messages. It does not wait until that is durable: a crash may bring them back.
    async fn settle(&self, consumer: &str, settlements: Vec<Settlement>) -> Result<(), Error>;

    /// Moves a consumer to another position; what was handed out before is forgotten.
    async fn seek(&self, consumer: &str, start: Start) -> Result<(), Error>;

    /// Removes a consumer and its position.
    async fn forget(&self, consumer: &str) -> Result<(), Error>;

    /// Removes what is older than the retention of its stream, in small steps; returns how many messages.
    async fn purge_expired(&self) -> Result<u64, Error>;

    /// The newest dead letters, those of messages settled before this call included.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Where each open consumer stands, as far as is known without asking anyone.
    fn positions(&self) -> Vec<Position>;

    /// Ends all pulls, makes every settlement durable, and closes.
    async fn drain(&self) -> Result<(), Error>;
}

/// A message as it was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
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
}

/// What became of one pulled message.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The stream of the message.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// The attempt this is about.
    ///
    /// An ack is taken for any attempt, since the work is done; everything else only for the latest one.
    pub attempt: u32,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is done.
    Ack,
    /// It is to be handed out again after a while.
    Retry {
        /// How long to wait.
        delay: Duration,
        /// Why, for the dead letter it may become.
        reason: String,
    },
    /// It is given up: kept as a dead letter, then done.
    Dead {
        /// Why.
        reason: String,
    },
    /// It is being worked on: the ack wait begins anew.
    InProgress,
}

/// A message that was given up, with its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Who gave it up.
    pub consumer: String,
    /// The stream it came from.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// A copy of the message, which outlives the stream's retention.
    pub message: Message,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// How often it was handed out.
    pub attempts: u32,
    /// What went wrong, oldest first; the last one is why it was given up.
    pub reasons: Vec<String>,
    /// When it was given up.
    pub dead_at: DateTime<Utc>,
}

impl DeadLetter {
    /// The event it carries.
    ///
    /// # Errors
    /// [`Error::Decode`] when it carries none, which may be why it is here.
    pub fn event(&self) -> Result<omni_events::Event, Error> {
        decode(&self.message, self.stream, self.sequence)
    }
}

/// Reads a message as an event.
pub(crate) fn decode(
    message: &Message,
    stream: Stream,
    sequence: u64,
) -> Result<omni_events::Event, Error> {
    serde_json::from_slice(&message.data).map_err(|source| Error::Decode {
        stream,
        sequence,
        source: Arc::new(source),
    })
}

/// Where a consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The consumer.
    pub consumer: String,
    /// Messages handed out or waiting for a retry.
    pub in_flight: u64,
    /// Messages of its streams that it has not looked at yet, whether its filters select them or not.
    pub behind: u64,
}
