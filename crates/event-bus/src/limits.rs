//! How much the streams keep.

use std::time::Duration;

use crate::Stream;

/// How long a dead letter is kept.
const DEAD_LETTERS_AGE: Duration = Duration::from_hours(24 * 30);

/// How much one stream keeps; what is beyond either limit goes, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How long a message is kept.
    pub age: Duration,
    /// How many bytes of messages are kept. `None` is no limit.
    pub bytes: Option<u64>,
}

impl Limit {
    /// A limit by age only.
    pub fn by_age(age: Duration) -> Self {
        Self { age, bytes: None }
    }
}

/// How much each stream keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    streams: [Limit; Stream::ALL.len()],
    /// How much is kept of the messages that were given up, of all streams together.
    pub dead_letters: Limit,
}

impl Default for Limits {
    /// Each stream by its usual age, dead letters for thirty days, nothing by size.
    fn default() -> Self {
        Self {
            streams: Stream::ALL.map(|stream| Limit::by_age(stream.retention())),
            dead_letters: Limit::by_age(DEAD_LETTERS_AGE),
        }
    }
}

impl Limits {
    /// The limit of one stream.
    pub fn of(&self, stream: Stream) -> Limit {
        self.streams[stream.index()]
    }

    /// The same with another limit for one stream.
    #[must_use]
    pub fn with(mut self, stream: Stream, limit: Limit) -> Self {
        self.streams[stream.index()] = limit;
        self
    }
}
