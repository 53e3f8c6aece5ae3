//! What is shown of the fires of a schedule, and what may be asked about them.

use chrono::{DateTime, Utc};
use omni_events::rfc3339_millis;
use omni_store::schedules::FireRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// One instant of a schedule, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fire {
    /// Its id; ids ascend with the time at which it was decided.
    pub id: Uuid,
    /// The instant it is for; of a fire by hand, when it was asked for.
    #[serde(serialize_with = "millis")]
    pub nominal: DateTime<Utc>,
    /// When it may fire: the instant and its jitter.
    #[serde(serialize_with = "millis")]
    pub due_at: DateTime<Utc>,
    /// When its event was recorded.
    #[serde(serialize_with = "millis_or_none")]
    pub fired_at: Option<DateTime<Utc>>,
    /// The event, which has this id from the beginning; there is none under it unless the status is `fired`.
    pub event_id: Uuid,
    /// Which fire of the schedule it is, from 1; none for those by hand and backfills, and for what did not fire.
    pub number: Option<i64>,
    /// Why there is one.
    pub reason: Reason,
    /// What became of it.
    pub status: FireStatus,
    /// Why it did not fire.
    pub error: Option<String>,
    /// Whether the fire after it took the work off automations that had not begun it.
    pub work_cancelled: bool,
    /// Who fired it by hand.
    pub triggered_by: Option<String>,
    /// When it was decided.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
}

/// Why there is a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Its time came.
    Regular,
    /// Its time came while nobody was there, and the catch-up policy wants it.
    Catchup,
    /// Somebody asked for what is missing in the past.
    Backfill,
    /// Somebody asked for one now.
    Manual,
}

/// What became of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FireStatus {
    /// It will fire: its jitter is not over, or its event is being recorded.
    Pending,
    /// It fires when the work on the fire before is done.
    Waiting,
    /// Its event is in the log.
    Fired,
    /// The overlap policy did not let it fire.
    Skipped,
    /// Nobody was there, and the catch-up policy did not want it.
    Missed,
    /// Somebody cancelled it before it fired.
    Cancelled,
    /// The log refused its event; `error` says why.
    Failed,
}

impl Reason {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Catchup => "catchup",
            Self::Backfill => "backfill",
            Self::Manual => "manual",
        }
    }

    pub(crate) fn read(word: &str) -> Self {
        match word {
            "catchup" => Self::Catchup,
            "backfill" => Self::Backfill,
            "manual" => Self::Manual,
            _ => Self::Regular,
        }
    }
}

impl FireStatus {
    /// All, in the order of a fire's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Waiting,
        Self::Fired,
        Self::Skipped,
        Self::Missed,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Fired => "fired",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Reads the word; `None` for another.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl Fire {
    pub(crate) fn of(row: FireRow) -> Self {
        Self {
            id: row.id,
            nominal: row.nominal,
            due_at: row.due_at,
            fired_at: row.fired_at,
            event_id: row.event_id,
            number: row.number,
            reason: Reason::read(&row.reason),
            status: FireStatus::parse(&row.status).unwrap_or(FireStatus::Failed),
            error: row.error,
            work_cancelled: row.work_cancelled,
            triggered_by: row.triggered_by,
            created_at: row.created_at,
        }
    }
}

/// Which fires of a schedule, and where the list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiresQuery {
    /// Only those of which this became; `pending` includes those that wait.
    pub status: Option<FireStatus>,
    /// The id of the last fire that was seen; `None` for the newest.
    pub before: Option<Uuid>,
    /// How many, 1,000 at most.
    pub limit: i64,
}

/// An instant that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instant {
    /// In UTC, without jitter.
    #[serde(serialize_with = "millis")]
    pub time: DateTime<Utc>,
    /// In the zone of the schedule, with its offset: `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub local: String,
    /// By how many milliseconds its fire is later.
    pub jitter_ms: i64,
}

pub(crate) fn millis<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
pub(crate) fn millis_or_none<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}
