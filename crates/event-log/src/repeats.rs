//! What may reach the bus a second time, for consumers that take a first delivery for proof that nobody had it before.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};

/// Tells which events may be on the bus twice, each as if for the first time. Clones share it.
///
/// The bus recognises a repeat for two minutes only, and not at all after it has lost its streams. A consumer that spares
/// itself the look whether an event is done already has to take that look for the events covered here.
#[derive(Clone, Debug, Default)]
pub struct Repeats(Arc<AtomicI64>);

impl Repeats {
    /// Whether an event received at this time may be on the bus twice.
    pub fn cover(&self, received_at: DateTime<Utc>) -> bool {
        received_at.timestamp_micros() <= self.0.load(Ordering::Acquire)
    }

    /// Says that events received until now may be published again; to be called before they are.
    pub(crate) fn note(&self, now: DateTime<Utc>) {
        self.0.fetch_max(now.timestamp_micros(), Ordering::AcqRel);
    }
}
