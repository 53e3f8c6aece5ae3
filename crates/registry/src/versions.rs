//! What a type was before.

use chrono::{DateTime, Utc};
use omni_events::Org;
use omni_store::{schemas, schemas::VersionRow};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{Error, Registry, entry::millis, registry::SHARED};

/// Most versions of one answer; each can have a schema of 256 KiB.
pub const VERSIONS_MAX: usize = 100;

/// One version of a type.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// The type.
    pub event_type: String,
    /// Which version, from 1.
    pub version: i32,
    /// JSON Schema of the payload.
    pub schema: Value,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
}

impl Registry {
    /// The versions of a type, newest first, also of one that was deleted; none when there is no such type.
    ///
    /// At most [`VERSIONS_MAX`]: ask again with `before`, the number of the last one, for those below it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn versions(
        &self,
        org: &Org,
        event_type: &str,
        before: Option<i32>,
    ) -> Result<Vec<VersionInfo>, Error> {
        let owner = self.owner(org, event_type);
        let mut conn = self.store().read().await?;
        let most = i64::try_from(VERSIONS_MAX).unwrap_or(i64::MAX);
        let rows = schemas::versions(&mut conn, owner, event_type, (before, most)).await?;
        Ok(rows.into_iter().map(VersionInfo::from).collect())
    }

    /// One version of a type.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn version(
        &self,
        org: &Org,
        event_type: &str,
        version: i32,
    ) -> Result<Option<VersionInfo>, Error> {
        let owner = self.owner(org, event_type);
        let mut conn = self.store().read().await?;
        Ok(schemas::version(&mut conn, owner, event_type, version).await?.map(VersionInfo::from))
    }

    fn owner<'a>(&self, org: &'a Org, event_type: &str) -> &'a str {
        let is_shared = self.get(org, event_type).is_some_and(|known| known.built_in);
        if is_shared { SHARED } else { org.as_str() }
    }
}

impl From<VersionRow> for VersionInfo {
    fn from(row: VersionRow) -> Self {
        Self {
            schema: serde_json::from_str(&row.schema).unwrap_or(Value::Bool(true)),
            event_type: row.event_type,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}
