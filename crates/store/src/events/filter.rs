//! What can be asked of the list of events, and which part of the answer is wanted.

use chrono::{DateTime, Utc};
use omni_events::{Direction, TypePattern};
use uuid::Uuid;

use super::StoredEvent;

/// The status of an event that the engine is not done with.
pub const PENDING: &str = "pending";

/// The status of an event that needs nothing more; all others are indexed apart.
pub(super) const COMPLETED: &str = "completed";

/// Which events are wanted; what is `None` or empty does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these types.
    pub types: Vec<TypePattern>,
    /// Who said so.
    pub source: Option<String>,
    /// Kind of channel.
    pub channel_type: Option<String>,
    /// Instance of the channel.
    pub instance_id: Option<String>,
    /// The person who sent or got it.
    pub identity_id: Option<Uuid>,
    /// What one cause set off.
    pub correlation_id: Option<String>,
    /// What this event caused itself.
    pub causation_id: Option<Uuid>,
    /// The provider whose format the payload has.
    pub provider: Option<String>,
    /// The provider's own id.
    pub provider_event_id: Option<String>,
    /// The status of the outcome, or [`PENDING`].
    pub status: Option<String>,
    /// Which way it went.
    pub direction: Option<Direction>,
    /// What kind of content it has.
    pub content_type: Option<String>,
    /// Words of its text: all of them, a last `*` stands for any ending.
    pub text: Option<String>,
    /// Received at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Received before this.
    pub to: Option<DateTime<Utc>>,
}

/// The place of an event in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Decides between events that were received at the same time.
    pub sequence: i64,
}

/// Which part of the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The place of the last event that was seen; `None` for the first page.
    pub after: Option<Place>,
    /// How many events, 1000 at most.
    pub limit: i64,
    /// Oldest first instead of newest first.
    pub ascending: bool,
}

impl StoredEvent {
    /// Its place in a list, for the next page.
    pub fn place(&self) -> Place {
        Place { received_at: self.event.received_at, sequence: self.sequence }
    }
}
