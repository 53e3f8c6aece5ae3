//! Dead letters as the API shows them. The document of a list holds nothing that came with an event.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use omni_event_log::DeadLetterStory;
use omni_store::{dead_letters::DeadLetterHead, jobs::JobRow};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{EventDocument, millis, some_millis};

/// Something that was given up.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetter")]
pub(crate) struct DeadLetterDocument {
    pub(crate) id: Uuid,
    /// `pending`, `retrying`, `resolved` or `abandoned`.
    pub(crate) status: String,
    /// Who gave it up; `automation:{id}` for one automation.
    pub(crate) consumer: String,
    /// The automation that failed.
    pub(crate) automation_id: Option<Uuid>,
    /// The version of it that failed.
    pub(crate) version: Option<i32>,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    /// How often it was tried before it was given up.
    pub(crate) attempts: i32,
    /// How often it was retried since.
    pub(crate) retries: i32,
    /// When it is retried by itself; null leaves that to people.
    #[serde(serialize_with = "some_millis")]
    pub(crate) next_retry_at: Option<DateTime<Utc>>,
    /// The event that retries it, or did so with success.
    pub(crate) retry_event_id: Option<Uuid>,
    /// What was said when it was resolved.
    pub(crate) note: Option<String>,
    /// Who changed it last.
    pub(crate) changed_by: Option<String>,
    /// When it was given up.
    #[serde(serialize_with = "millis")]
    pub(crate) dead_at: DateTime<Utc>,
    /// When it last changed.
    #[serde(serialize_with = "millis")]
    pub(crate) changed_at: DateTime<Utc>,
}

impl From<DeadLetterHead> for DeadLetterDocument {
    fn from(head: DeadLetterHead) -> Self {
        Self {
            id: head.id,
            status: head.status,
            consumer: head.consumer,
            automation_id: head.automation_id,
            version: head.version,
            event_id: head.event_id,
            event_type: head.event_type,
            attempts: head.attempts,
            retries: head.retries,
            next_retry_at: head.next_retry_at,
            retry_event_id: head.retry_event_id,
            note: head.note,
            changed_by: head.changed_by,
            dead_at: head.dead_at,
            changed_at: head.changed_at,
        }
    }
}

/// A dead letter with all that is known.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetterStory")]
pub(crate) struct DeadLetterStoryDocument {
    #[serde(flatten)]
    pub(crate) letter: DeadLetterDocument,
    /// Why each try failed, oldest first.
    pub(crate) errors: Vec<String>,
    /// The event; null if it never was in the log.
    pub(crate) event: Option<EventDocument>,
    /// The message as the bus had it, when the log has no such event; as `messageEncoding` says.
    pub(crate) message: Option<String>,
    /// `utf8`, or `base64` where the message is no text.
    pub(crate) message_encoding: Option<&'static str>,
}

impl From<DeadLetterStory> for DeadLetterStoryDocument {
    fn from(story: DeadLetterStory) -> Self {
        let DeadLetterStory { letter, event, message } = story;
        let errors = letter.reasons();
        let message = message.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => (text, "utf8"),
            Err(error) => (STANDARD.encode(error.as_bytes()), "base64"),
        });
        let (message, message_encoding) = message.unzip();
        Self {
            letter: letter.head.into(),
            errors,
            event: event.map(EventDocument::from),
            message,
            message_encoding,
        }
    }
}

/// A bulk retry of dead letters.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetterRetryJob")]
pub(crate) struct RetryJobDocument {
    pub(crate) id: Uuid,
    /// `queued`, `running`, `completed` when every retry has begun, or `failed`.
    pub(crate) status: String,
    /// How many letters waited when it was asked for; null when only reading them would tell.
    pub(crate) total: Option<i64>,
    /// How many retries have begun.
    pub(crate) done: i64,
    /// Why it failed.
    pub(crate) error: Option<String>,
    pub(crate) created_by: Option<String>,
    #[serde(serialize_with = "millis")]
    pub(crate) created_at: DateTime<Utc>,
    #[serde(serialize_with = "some_millis")]
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl From<JobRow> for RetryJobDocument {
    fn from(job: JobRow) -> Self {
        Self {
            id: job.id,
            status: job.status,
            total: job.total,
            done: job.done,
            error: job.error,
            created_by: job.created_by,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}
