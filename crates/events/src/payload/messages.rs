//! Payloads of the `message` and `media` domains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody who writes or is written to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// The handle in the channel: a telephone number, a user id.
    pub id: String,
    /// The name the channel shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels that users gave, such as `vip`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A file that travels with a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Where it can be fetched.
    pub url: String,
    /// Its media type, such as `image/jpeg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// `text`, `image`, `audio`, `sticker`, `location`, `poll`, `reaction`, `protocol`.
    #[serde(rename = "type")]
    pub content_type: String,
    /// The text, or the caption of an attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// `message.received`: somebody wrote to us.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageReceived {
    /// The channel's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<String>,
    /// Who wrote.
    pub from: Party,
    /// What was written.
    pub content: Content,
}

/// `message.sent`: we wrote to somebody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageSent {
    /// The channel's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<String>,
    /// To whom.
    pub to: Party,
    /// What was written.
    pub content: Content,
}

/// `message.failed`: we wrote and it did not go out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageFailed {
    /// To whom it should have gone.
    pub to: Party,
    /// What should have been written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Why it failed.
    pub error: String,
    /// Whether trying again can help.
    #[serde(default)]
    pub retryable: bool,
}

/// `media.processed`: an attachment was transcribed, described or converted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaProcessed {
    /// The attachment.
    pub media: Attachment,
    /// What was done: `transcription`, `description`, `conversion`.
    pub process: String,
    /// The text that came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
