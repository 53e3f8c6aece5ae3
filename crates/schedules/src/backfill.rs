//! Filling in what did not fire: the instants of a stretch of time that have no fire.
//!
//! What must stay true: an instant that has fired never fires again, however often its stretch is filled in; the row of
//! the instant and the id of its event say so.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Instant, fire::millis_or_none};

/// Most instants of one request.
pub const BACKFILL_MAX: usize = 10_000;
/// How many unless it is said.
const MAX_DEFAULT: usize = 1_000;

/// Asks for the fires that are missing in a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backfill {
    /// Instants after this time.
    pub from: DateTime<Utc>,
    /// Up to this time and including it; nothing later than now is filled in.
    pub to: DateTime<Utc>,
    /// Only say what would be filled in.
    #[serde(default)]
    pub dry_run: bool,
    /// How many at most, the oldest first: 1 to 10,000, and 1,000 unless set.
    #[serde(default = "max_default")]
    pub max: usize,
}

/// What is filled in, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackfillReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// How many instants have no fire and get one.
    pub count: usize,
    /// These instants, the oldest first. They fire in the background; `fires` shows how far that is.
    pub instants: Vec<Instant>,
    /// How many instants of the stretch that was looked at have fired or are about to.
    pub present: usize,
    /// Where to go on, as `from`, when there may be more than were asked for.
    #[serde(serialize_with = "millis_or_none")]
    pub next_from: Option<DateTime<Utc>>,
}

fn max_default() -> usize {
    MAX_DEFAULT
}
