//! What is asked of schedules and told of them, where that is not a type of the crate itself.

use chrono::{DateTime, Utc};
use omni_schedules::Backfill;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{operations::events::in_range, problem::Problem};

/// Instants of one backfill unless the caller says.
const MAX_DEFAULT: usize = 1_000;

/// Which instants of the past are to be fired. Fields that are not known are refused: a range with a fault in its name would
/// fire something else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BackfillRequest")]
pub(crate) struct BackfillBody {
    /// Instants after this time.
    from: DateTime<Utc>,
    /// Instants up to this time, itself included; nothing later than now is filled in.
    to: DateTime<Utc>,
    /// Only tell which instants have no fire. True unless said otherwise.
    #[serde(default = "yes")]
    dry_run: bool,
    /// How many at most, the oldest first: 1 to 10,000; 1,000 when absent. `nextFrom` of the answer is where to go on.
    #[serde(default = "max_default")]
    max: usize,
}

fn yes() -> bool {
    true
}

fn max_default() -> usize {
    MAX_DEFAULT
}

impl BackfillBody {
    /// What the crate is asked.
    pub(crate) fn request(&self) -> Result<Backfill, Problem> {
        let &Self { from, to, dry_run, max } = self;
        for (pointer, time) in [("/from", from), ("/to", to)] {
            in_range(time).ok_or_else(|| Problem::field(pointer, "give a year from 0 to 9999"))?;
        }
        Ok(Backfill { from, to, dry_run, max })
    }
}

/// How many fires were cancelled.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PurgedFires")]
pub(crate) struct PurgedDocument {
    /// Fires that waited and will not happen.
    pub(crate) cancelled: u64,
}
