//! Where a replay goes on, as its row keeps it.

use chrono::DateTime;
use omni_store::{Error, events::Place};
use serde::{Deserialize, Serialize};

use super::corrupt;

/// Where a replay goes on, as it is kept.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    micros: Option<i64>,
    sequence: i64,
    skipped: i64,
}

/// Where a replay goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) after: Option<Place>,
    /// Originals without a payload.
    pub(super) skipped: i64,
}

impl Position {
    pub(super) fn read(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else { return Ok(Self::default()) };
        let kept: Kept = serde_json::from_str(text).map_err(|error| corrupt("position", &error))?;
        let received_at = kept.micros.and_then(DateTime::from_timestamp_micros);
        let after = received_at.map(|received_at| Place { received_at, sequence: kept.sequence });
        Ok(Self { after, skipped: kept.skipped })
    }

    pub(super) fn write(self) -> String {
        let kept = Kept {
            micros: self.after.map(|place| place.received_at.timestamp_micros()),
            sequence: self.after.map_or(0, |place| place.sequence),
            skipped: self.skipped,
        };
        serde_json::to_string(&kept).unwrap_or_default()
    }
}
