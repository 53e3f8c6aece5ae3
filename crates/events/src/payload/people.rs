//! Payloads of the `instance`, `identity` and `access` domains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `instance.connected`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceConnected {
    /// The instance.
    pub instance_id: String,
    /// The kind of channel.
    pub channel_type: String,
    /// The account behind it, as the channel shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `instance.disconnected`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceDisconnected {
    /// The instance.
    pub instance_id: String,
    /// The kind of channel.
    pub channel_type: String,
    /// Why, where the channel said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it will connect again by itself.
    #[serde(default)]
    pub will_reconnect: bool,
}

/// `identity.linked`: a handle belongs to a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityLinked {
    /// The person.
    pub identity_id: String,
    /// The provider of the handle.
    pub provider: String,
    /// The handle there.
    pub external_id: String,
}

/// `identity.merged`: one person takes over the handles of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityMerged {
    /// The person that stays.
    pub identity_id: String,
    /// The person that was taken in.
    pub merged_id: String,
}

/// `access.allowed` and `access.denied`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessDecided {
    /// Who asked.
    pub subject: String,
    /// For what.
    pub resource: String,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
