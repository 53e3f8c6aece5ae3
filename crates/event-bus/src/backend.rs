//! The contract between the bus and what carries it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use omni_events::SubjectPattern;
use tokio::sync::watch;

use crate::{ConsumerConfig, Error, Health, Inbox, Message, Receipt, Start, Stream};

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
    /// Puts messages into their streams, in order, and returns their receipts in the same order.
    ///
    /// After an error some of them may be there; publishing all of them again is harmless.
    async fn publish(&self, messages: Vec<Addressed>) -> Result<Vec<Receipt>, Error>;

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

    /// A number that changes whenever all that this process was handed out of a consumer is forgotten: the consumer was
    /// moved or made anew elsewhere, another process took over, a stream was lost.
    ///
    /// Only ordered consumers ask, to drop the messages that they keep back. What [`Backend::pull`] returns is of the
    /// number at that moment. Where only [`Backend::seek`] does such a thing it may stay the same.
    fn epoch(&self, _consumer: &str) -> u64 {
        0
    }

    /// Removes a consumer and its position.
    async fn forget(&self, consumer: &str) -> Result<(), Error>;

    /// Removes what is beyond the limits of its stream, in small steps; returns how many messages.
    ///
    /// Nothing to do where a server sees to it.
    async fn purge_expired(&self) -> Result<u64, Error>;

    /// Reads a stretch of a stream without being a consumer of it. Nobody else notices.
    async fn read(&self, read: &Read) -> Result<Page, Error>;

    /// The newest dead letters, those of messages settled before this call included.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Where each open consumer stands, as far as is known without asking anyone.
    fn positions(&self) -> Vec<Position>;

    /// Says that from now on messages of any domain may be published to these streams.
    ///
    /// Open consumers whose filters may select such messages look there too, from the first one on.
    async fn set_routed(&self, streams: &[Stream]) -> Result<(), Error>;

    /// A text that stays the same for as long as no stream is lost: a deleted directory or stream changes it.
    async fn identity(&self) -> Result<String, Error>;

    /// Whether it can be reached, now and whenever that changes.
    fn health(&self) -> watch::Receiver<Health>;

    /// Largest message it takes, in bytes.
    fn message_size_max(&self) -> usize;

    /// Opens a way for messages from strangers, where there is a server that strangers can reach.
    async fn inbox(&self, _name: &str) -> Result<Inbox, Error> {
        Err(Error::Unsupported {
            url: "a bus inside one program".into(),
            reason: "other systems cannot reach it; open the bus on a NATS server to take messages from them".into(),
        })
    }

    /// Ends all pulls, makes every settlement durable, and closes.
    async fn drain(&self) -> Result<(), Error>;
}

/// A message and the stream it is for.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// Usually the one its subject belongs to; another one if its type is routed there.
    pub stream: Stream,
    /// The message.
    pub message: Message,
}

/// What to read from one stream.
#[derive(Clone, Debug)]
pub struct Read {
    /// The stream.
    pub stream: Stream,
    /// Where to begin.
    pub from: ReadFrom,
    /// What to read; a message is read when any of them matches.
    pub filters: Vec<SubjectPattern>,
    /// Most messages to read.
    pub max: usize,
}

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At this sequence, or the next that is there.
    Sequence(u64),
    /// At the first message published at or after this time.
    Time(DateTime<Utc>),
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Page {
    /// The selected messages, ascending; each with attempt 1. There may be none though more follow: read on then.
    pub messages: Vec<Pulled>,
    /// The sequence to read from next. `None` when the end of the stream was reached.
    pub next: Option<u64>,
    /// About how many messages come after these: selected ones where that is known, all of them otherwise.
    pub remaining: u64,
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
