//! Where on the way of an event something is captured.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where on the way of an event something is captured.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What came in from outside: the request of a webhook, or the message of another system.
    WebhookRaw,
    /// What was sent to an agent.
    AgentRequest,
    /// What an agent answered.
    AgentResponse,
    /// What was sent to a channel.
    ChannelSend,
    /// Why the handling of the event failed for good.
    Error,
}

/// A text that names no stage.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no stage; there are webhook_raw, agent_request, agent_response, channel_send and error"
)]
pub struct UnknownStage(String);

impl Stage {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 5] =
        [Self::WebhookRaw, Self::AgentRequest, Self::AgentResponse, Self::ChannelSend, Self::Error];

    /// Its name, as it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebhookRaw => "webhook_raw",
            Self::AgentRequest => "agent_request",
            Self::AgentResponse => "agent_response",
            Self::ChannelSend => "channel_send",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(name: &str) -> Result<Self, UnknownStage> {
        let found = Self::ALL.into_iter().find(|stage| stage.as_str() == name);
        found.ok_or_else(|| UnknownStage(name.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_read_by_the_name_it_is_written_with() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse::<Stage>().unwrap(), stage);
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
        assert!("bridge_raw".parse::<Stage>().unwrap_err().to_string().contains("webhook_raw"));
    }
}
