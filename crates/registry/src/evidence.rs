//! A schema held against the events that really exist.
//!
//! It must stay true that no value of a payload is in the answer, and that the answer says how much it rests on.

use chrono::{DateTime, Utc};
use omni_events::{EventType, Org};
use omni_schema::{Schema, Validator, Violation};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Error, Progress, Registry,
    entry::millis,
    stored::{Met, Walk},
};

/// Events that a registration looks at, unless the caller wants others.
pub const REGISTER_EVENTS: u64 = 10_000;
/// Events that a check looks at, unless the caller wants others.
pub const CHECK_EVENTS: u64 = 100_000;
/// Most events that are named; they are examples.
const FAILURES_MAX: usize = 5;
/// Most faults of one of them.
const VIOLATIONS_MAX: usize = 5;

/// What stored events say of a schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Events that were held against the schema, the newest ones. Replays repeat what another has, and do not count.
    pub checked: u64,
    /// Those of them that do not fit.
    pub failing: u64,
    /// Events of the type that are stored, counted up to a million; replays that were not met are among them.
    pub total: u64,
    /// Whether all were looked at.
    pub complete: bool,
    /// Events that were left out because their payload was taken out on purpose or cannot be read any more.
    pub left_out: u64,
    /// The newest of those that do not fit.
    pub failures: Vec<Failure>,
}

/// A stored event that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The event.
    pub event_id: Uuid,
    /// When it was received.
    #[serde(serialize_with = "millis")]
    pub received_at: DateTime<Utc>,
    /// What does not fit; the first few faults.
    pub violations: Vec<Violation>,
}

impl Registry {
    /// Holds a schema against the newest stored events of a type, at most so many and at most a million, for a minute at
    /// most. Changes nothing. Stops when the future is dropped.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn evidence(
        &self,
        org: &Org,
        event_type: &EventType,
        (schema, limit): (&Schema, u64),
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Evidence, Error> {
        let walk = Walk { org, event_type, from: None, to: None, limit };
        let trial =
            Trial { validator: schema.validator().clone(), failing: 0, failures: Vec::new() };
        let walked = walk.through(self, trial, Trial::of, progress).await?;
        Ok(Evidence {
            checked: walked.checked,
            failing: walked.state.failing,
            total: walked.total,
            complete: walked.complete,
            left_out: walked.left_out,
            failures: walked.state.failures,
        })
    }
}

/// What was found so far.
struct Trial {
    validator: Validator,
    failing: u64,
    failures: Vec<Failure>,
}

impl Trial {
    fn of(&mut self, met: &Met) {
        if self.validator.is_valid(&met.payload) {
            return;
        }
        self.failing += 1;
        if self.failures.len() < FAILURES_MAX {
            let mut violations = self.validator.violations(&met.payload);
            violations.truncate(VIOLATIONS_MAX);
            let (event_id, received_at) = (met.id, met.received_at);
            self.failures.push(Failure { event_id, received_at, violations });
        }
    }
}
