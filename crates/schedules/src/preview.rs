//! What a definition would do, told before it is saved. Nothing is written.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Definition, Error, Schedules, fire::millis, prepared::Prepared};

/// What a definition means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SchedulePreview")]
pub struct Preview {
    /// What it does, in words.
    pub describes: String,
    /// The next instants; fewer when it ends before.
    pub next: Vec<PreviewInstant>,
}

/// An instant of a schedule that is not saved. Its jitter is known once it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewInstant {
    /// In UTC, without jitter.
    #[serde(serialize_with = "millis")]
    pub time: DateTime<Utc>,
    /// In the zone of the schedule, with its offset: `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub local: String,
}

impl Schedules {
    /// Tells what a definition means and its next `count` instants, as [`Self::create`] would take it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault.
    pub fn preview(&self, definition: Definition, count: usize) -> Result<Preview, Error> {
        let now = self.0.now();
        let plan = Prepared::new(definition, now)?.plan;
        let instant = |time| PreviewInstant { time, local: plan.local(time) };
        let next = plan.upcoming(now, count).into_iter().map(instant).collect();
        Ok(Preview { describes: plan.describe(), next })
    }
}
