//! What can be chosen when a bus or a consumer is opened.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use omni_clock::{Clock, Random};
use omni_events::SubjectPattern;
use omni_retry::{Policy, Strategy};

use crate::{Error, Limits, OrderingKey};

/// Longest name of a consumer, in bytes; it is a key in the storage and a part of subjects on a broker.
const NAME_LEN_MAX: usize = 128;

/// When the embedded bus makes what it has written safe against a power cut.
///
/// A crash of the process loses nothing under either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before a publisher gets its receipts.
    EveryCommit,
    /// At the latest this long after a publisher got its receipts: for a publisher that keeps the truth
    /// elsewhere and publishes again what a power cut took.
    Interval(Duration),
}

/// How the embedded bus is opened.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// When written data is made safe against a power cut.
    pub sync: Sync,
    /// Stamps messages, and measures ack waits and retry delays.
    pub clock: Arc<dyn Clock>,
    /// Spreads retry delays.
    pub random: Arc<Random>,
    /// How much the streams keep.
    pub limits: Limits,
}

impl Default for EmbeddedOptions {
    /// Every commit synced, the clock of the machine, the usual limits.
    fn default() -> Self {
        Self {
            sync: Sync::EveryCommit,
            clock: Arc::new(omni_clock::SystemClock::new()),
            random: Arc::new(Random::from_entropy()),
            limits: Limits::default(),
        }
    }
}

/// Where a new consumer begins. One that exists goes on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After everything that is there now.
    New,
    /// With the oldest message kept.
    First,
    /// With the last message that its filters select, in each stream.
    Last,
    /// With this sequence, in each stream.
    Sequence(u64),
    /// With the first message published at or after this time.
    Time(DateTime<Utc>),
}

/// A durable position in some streams, and how its messages are handed out.
///
/// Everyone who opens a consumer of one name is a member of it: each message goes to one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerConfig {
    /// The durable name.
    pub name: String,
    /// What it wants; a message is handed out when any of them matches.
    pub filters: Vec<SubjectPattern>,
    /// Where it begins when it is new.
    pub start: Start,
    /// How many messages may be handed out, or be waiting for a retry, at once.
    pub max_in_flight: usize,
    /// How long a message may stay unsettled before it is handed out again.
    pub ack_wait: Duration,
    /// How often a message is tried, and how long after a failure. After the last attempt it is a dead letter.
    pub retry: Policy,
    /// What messages must be handled one after the other; without it all are handled side by side.
    pub ordering: Option<OrderingKey>,
    /// How long the server keeps its position while nobody asks for messages; `None` for ever. For a consumer of one
    /// process, whose name nobody will use again. The embedded bus keeps all: give them names that come back.
    pub forgotten_after: Option<Duration>,
}

impl ConsumerConfig {
    /// A consumer of new messages with the usual settings: 1,024 in flight, an ack wait of 30 s, three retries after
    /// 1, 2 and 4 s.
    pub fn new(name: impl Into<String>, filters: Vec<SubjectPattern>) -> Self {
        Self {
            name: name.into(),
            filters,
            start: Start::New,
            max_in_flight: 1024,
            ack_wait: Duration::from_secs(30),
            retry: Policy {
                max_attempts: 4,
                initial_delay_ms: 1_000,
                max_delay_ms: 60_000,
                strategy: Strategy::Exponential,
                jitter: 0.0,
            },
            ordering: None,
            forgotten_after: None,
        }
    }

    /// Says whether the settings make sense together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let invalid = |reason: String| Error::Consumer { name: self.name.clone(), reason };
        if self.name.is_empty() || self.name.len() > NAME_LEN_MAX || !self.name.chars().all(good) {
            return Err(invalid("its name must be 1 to 128 of A-Z, a-z, 0-9, `-` and `_`".into()));
        }
        if self.filters.is_empty() {
            return Err(invalid("it has no filter; `>` selects everything".into()));
        }
        if self.max_in_flight == 0 {
            return Err(invalid("with none in flight it would never get a message".into()));
        }
        if self.ack_wait.is_zero() {
            return Err(invalid(
                "without an ack wait every message would be handed out twice".into(),
            ));
        }
        if let Some(key) = &self.ordering {
            key.check().map_err(invalid)?;
        }
        self.retry.check().map_err(invalid)
    }
}
