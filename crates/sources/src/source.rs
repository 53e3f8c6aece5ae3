//! What is shown of a source and of what it refused.

use chrono::{DateTime, Utc};
use omni_events::{Org, rfc3339_millis};
use omni_store::sources::SourceRow;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Definition, Error,
    secrets::{Held, Secrets},
};

/// A source as it is saved; its secrets are never part of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What the user wrote, without the secrets.
    #[serde(flatten)]
    pub definition: Definition,
    /// The tenant.
    pub org: Org,
    /// Counts the changes, from 1.
    pub version: i32,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// Whether a second secret is stored.
    pub has_second_secret: bool,
    /// The secrets, newest first, without what they are.
    pub secrets: Vec<SecretInfo>,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceSecret")]
pub struct SecretInfo {
    /// What it is called; a number that grows.
    pub id: String,
    /// When it came.
    #[serde(serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// From when it counts.
    #[serde(serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Until when it counts.
    #[serde(serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<DateTime<Utc>>,
    /// When it last proved a request to the process that answers, since that was started.
    #[serde(serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The answer to a rotation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedSource {
    /// The source as it is now.
    #[serde(flatten)]
    pub source: Source,
    /// The secret that was made, to be given to the sender; it is shown here and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl Source {
    pub(crate) fn of(org: &Org, row: SourceRow, secrets: &Secrets) -> Result<Self, Error> {
        let definition = serde_json::from_str(&row.definition)
            .map_err(|source| Error::Unreadable { name: row.name, source })?;
        Ok(Self {
            definition,
            org: org.clone(),
            version: row.version,
            // What is sealed under a lost key is stored all the same.
            has_secret: !secrets.held.is_empty()
                || (row.sealed_secret.is_some() && secrets.second.is_none()),
            has_second_secret: secrets.second.is_some(),
            secrets: secrets.held.iter().map(SecretInfo::of).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by,
        })
    }
}

impl SecretInfo {
    fn of(held: &Held) -> Self {
        Self {
            id: held.id.clone(),
            created_at: held.created_at,
            not_before: held.not_before,
            not_after: held.not_after,
            last_used_at: held.last_used_at(),
        }
    }
}

/// A request that a source refused, kept so that its owner can see why and release it once that is mended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its id.
    pub id: Uuid,
    /// The source.
    pub source: String,
    /// `refused`, or `released` once it has become events.
    pub status: String,
    /// What was wrong, as one word.
    pub code: String,
    /// What was wrong, for people.
    pub reason: String,
    /// Its method.
    pub method: Option<String>,
    /// Its path and query; the values of the query are left out, because one may be a secret.
    pub path: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its headers as name and value, secrets taken out.
    pub headers: Value,
    /// The first 4 KiB of its body; bytes that are no UTF-8 are replaced, and so are the secrets of the source.
    pub body: String,
    /// Where it came from.
    pub remote: Option<String>,
    /// When it came.
    #[serde(serialize_with = "millis")]
    pub received_at: DateTime<Utc>,
    /// The events it became.
    pub event_ids: Vec<Uuid>,
    /// Whether it was released without being genuine.
    pub forced: bool,
    /// What was said about the release.
    pub note: Option<String>,
    /// When it was released.
    #[serde(serialize_with = "maybe_millis")]
    pub released_at: Option<DateTime<Utc>>,
}

pub(crate) fn millis<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn maybe_millis<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}
