//! What is shown of a source and of what it refused.

use chrono::{DateTime, Utc};
use omni_events::{Org, rfc3339_millis};
use omni_store::{quarantine::QuarantineRow, sources::SourceRow};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::{Definition, Error};

/// A source as it is saved; its secret is never part of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What the user wrote, without the secret.
    #[serde(flatten)]
    pub definition: Definition,
    /// The tenant.
    pub org: Org,
    /// Counts the changes, from 1.
    pub version: i32,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<String>,
}

impl Source {
    pub(crate) fn of(org: &Org, row: SourceRow) -> Result<Self, Error> {
        let definition = serde_json::from_str(&row.definition)
            .map_err(|source| Error::Unreadable { name: row.name, source })?;
        Ok(Self {
            definition,
            org: org.clone(),
            version: row.version,
            has_secret: row.sealed_secret.is_some(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by,
        })
    }
}

/// A request that a source refused, kept as a sample so that its owner can see why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its id.
    pub id: Uuid,
    /// The source.
    pub source: String,
    /// Why it was refused.
    pub reason: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its headers as name and value, secrets taken out.
    pub headers: Value,
    /// The first 4 KiB of its body; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// Where it came from.
    pub remote: Option<String>,
    /// When it came.
    #[serde(serialize_with = "millis")]
    pub received_at: DateTime<Utc>,
}

impl From<QuarantineRow> for Quarantined {
    fn from(row: QuarantineRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            reason: row.reason,
            content_type: row.content_type,
            headers: serde_json::from_str(&row.headers).unwrap_or_default(),
            body: String::from_utf8_lossy(&row.body).into_owned(),
            remote: row.remote,
            received_at: row.received_at,
        }
    }
}

fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}
