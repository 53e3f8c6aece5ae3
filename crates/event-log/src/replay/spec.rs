//! What is asked for: which events, for whom, how fast.

use chrono::{DateTime, Utc};
use omni_events::{Direction, TypePattern};
use omni_store::events::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ReplayError;

/// Events per second unless said otherwise: far below what an installation takes in, so live events do not suffer.
pub const RATE_DEFAULT: u32 = 500;
/// The highest rate that may be asked for.
pub const RATE_MAX: u32 = 100_000;
/// Most events that are named one by one.
pub const IDS_MAX: usize = 500;
/// Most types or patterns.
const TYPES_MAX: usize = 50;
/// Longest text of a filter, in bytes.
const TEXT_MAX: usize = 1024;

/// A replay: which events are brought back, for whom, how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Which events.
    #[serde(flatten)]
    pub selection: Selection,
    /// The one automation that is to see them; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<Uuid>,
    /// Do again what succeeded before.
    #[serde(default)]
    pub repeat_effects: bool,
    /// Events per second.
    #[serde(default = "rate_default")]
    pub rate_per_second: u32,
}

/// Which events are brought back: those of `ids`, or all that pass everything else. Replays are never among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Selection {
    /// These events, and no other condition; at most 500.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Uuid>,
    /// Received at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Received before; never later than the start of the replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Types or patterns such as `message.*`; any of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypePattern>,
    /// Who said so: `webhook:github`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The kind of channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<String>,
    /// The instance of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The person who sent or got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<Uuid>,
    /// What one cause set off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The provider's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_event_id: Option<String>,
    /// The status of the outcome, such as `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Which way it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The kind of content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

fn rate_default() -> u32 {
    RATE_DEFAULT
}

fn wrong(field: &'static str, reason: impl Into<String>) -> ReplayError {
    ReplayError::Spec { field, reason: reason.into() }
}

impl Spec {
    /// A replay of these events for all automations, at the usual rate, that repeats nothing.
    pub fn new(selection: Selection) -> Self {
        Self {
            selection,
            automation_id: None,
            repeat_effects: false,
            rate_per_second: RATE_DEFAULT,
        }
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), ReplayError> {
        if !(1..=RATE_MAX).contains(&self.rate_per_second) {
            return Err(wrong("/ratePerSecond", format!("1 to {RATE_MAX} events per second")));
        }
        if self.selection.ids.len() > IDS_MAX {
            let reason = format!("more than {IDS_MAX} events; name them in parts, or by a filter");
            return Err(wrong("/ids", reason));
        }
        let without_ids = Selection { ids: Vec::new(), ..self.selection.clone() };
        if !self.selection.ids.is_empty() && without_ids != Selection::default() {
            return Err(wrong("/ids", "give ids or a filter, not both"));
        }
        Ok(())
    }
}

impl Selection {
    /// The question to the store.
    pub(super) fn filter(&self) -> Result<Filter, ReplayError> {
        if self.types.len() > TYPES_MAX {
            return Err(wrong("/types", format!("more than {TYPES_MAX} types; ask in parts")));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(wrong("/to", "it is not after `from`, so nothing could be meant"));
        }
        let texts = [
            ("/source", &self.source),
            ("/channelType", &self.channel_type),
            ("/instanceId", &self.instance_id),
            ("/correlationId", &self.correlation_id),
            ("/providerEventId", &self.provider_event_id),
            ("/status", &self.status),
            ("/contentType", &self.content_type),
        ];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            if text.contains('\0') || text.len() > TEXT_MAX {
                return Err(wrong(field, format!("at most {TEXT_MAX} bytes without NUL")));
            }
        }
        Ok(Filter {
            types: self.types.clone(),
            source: self.source.clone(),
            channel_type: self.channel_type.clone(),
            instance_id: self.instance_id.clone(),
            identity_id: self.identity_id,
            correlation_id: self.correlation_id.clone(),
            provider_event_id: self.provider_event_id.clone(),
            status: self.status.clone(),
            direction: self.direction,
            content_type: self.content_type.clone(),
            from: self.from,
            to: self.to,
            ..Filter::default()
        })
    }
}
