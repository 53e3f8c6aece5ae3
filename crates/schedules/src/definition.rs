//! The document that defines a schedule, as users write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When events are made by the clock, and which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScheduleDefinition")]
pub struct Definition {
    /// 1 to 64 of `a-z 0-9 - _`; a part of the event type and of `source`.
    pub name: String,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What decides the instants.
    #[serde(default)]
    pub kind: Kind,
    /// For `cron`: five fields, or six with seconds first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// For `interval`: milliseconds from one instant to the next, 1,000 at least. Instants are multiples of it since
    /// 1970-01-01T00:00:00Z, so that a restart moves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// For `interval`: milliseconds by which every instant is later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub phase_ms: u64,
    /// For `once`: the instant, `2026-12-24T18:00:00Z` or, in the time zone of the schedule, `2026-12-24T18:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// IANA name of the zone that cron fields and local times are in; UTC unless set.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The type of its events; `custom.cron.{name}` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What its events carry. `{{ schedule.name }}`, `{{ fire.nominal }}`, `{{ fire.actual }}`, `{{ fire.number }}` and
    /// `{{ fire.local }}` are filled in.
    #[serde(default)]
    pub payload: Value,
    /// What happens at an instant while automations still work on the fire before.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens to instants that nobody was there for: after a restart, a failover, a jump of the clock or while it
    /// was disabled.
    #[serde(default)]
    pub catchup: Catchup,
    /// For `within`: how old a missed instant may be, in milliseconds, 10,000 at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catchup_window_ms: Option<u64>,
    /// Each fire is later by 0 to this many milliseconds, always the same for the same instant.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_ms: u64,
    /// No instant before this time; written like `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// No instant after this time; written like `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// It ends after so many fires; skipped and missed instants and fires by hand do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fires: Option<u64>,
    /// Whether it fires.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// What decides the instants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A cron expression.
    #[default]
    Cron,
    /// Equal distances.
    Interval,
    /// One instant.
    Once,
}

/// What happens at an instant while automations still work on the fire before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    /// It fires all the same.
    #[default]
    AllowAll,
    /// It does not fire.
    Skip,
    /// It fires when that work is done; of several that wait, the first.
    BufferOne,
    /// Each fires when the work on the one before is done.
    BufferAll,
    /// It fires, and no further action of the one before begins.
    CancelOther,
}

/// What happens to instants that nobody was there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Catchup {
    /// None fires.
    None,
    /// The last one fires.
    #[default]
    Last,
    /// Each fires, up to 1,000.
    All,
    /// Each that is younger than `catchupWindowMs` fires, up to 1,000.
    Within,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn enabled() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
