//! A type in the cache: what is asked of it all the time is at hand, its schema is compiled when it is first needed.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use omni_event_bus::Stream;
use omni_events::rfc3339_millis;
use omni_schema::{Compatibility, Policy, Schema};
use omni_store::schemas::TypeRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::{registry::SHARED, routes};

/// How strictly payloads of a type are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Not at all.
    Off,
    /// Faults are reported, the event is taken.
    Warn,
    /// An event with a fault is refused.
    #[default]
    Enforce,
}

/// What is known about one event type.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeInfo {
    /// The type.
    pub event_type: String,
    /// What it tells, in one sentence.
    pub description: Option<String>,
    /// The latest version of its schema.
    pub version: i32,
    /// JSON Schema of the payload.
    pub schema: Value,
    /// How strictly payloads are checked.
    pub validation: Validation,
    /// Which changes of its schema are let through; null as the organisation has it.
    pub compatibility: Option<Compatibility>,
    /// How its versions are compared; null as the organisation has it.
    pub policy: Option<Policy>,
    /// The stream its owner wants its events in, if not that of its domain.
    #[serde(serialize_with = "stream_name")]
    #[schemars(with = "Option<String>")]
    pub stream: Option<Stream>,
    /// Whether it comes with the product and is shared by all organisations.
    pub built_in: bool,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "millis")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub updated_at: DateTime<Utc>,
}

/// A type as it is stored, deleted ones included.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: TypeRow,
    /// The newest schema as text; what is not looked at is not taken apart.
    schema: String,
    compiled: OnceLock<Option<Schema>>,
}

impl Validation {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// Reads the stored word; an unknown one, written by a newer version, only warns.
    pub(crate) fn stored(word: &str) -> Self {
        match word {
            "off" => Self::Off,
            "enforce" => Self::Enforce,
            _ => Self::Warn,
        }
    }
}

impl Entry {
    pub(crate) fn of(row: TypeRow, schema: Option<String>) -> Self {
        let schema = schema.unwrap_or_else(|| "true".to_owned());
        Self { row, schema, compiled: OnceLock::new() }
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.row.deleted_at.is_some()
    }

    pub(crate) fn validation(&self) -> Validation {
        Validation::stored(&self.row.validation)
    }

    /// The schema, ready for use; `None` when this version of the product cannot work with it.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.compiled.get_or_init(|| self.compile()).as_ref()
    }

    fn compile(&self) -> Option<Schema> {
        let (event_type, version) = (&self.row.event_type, self.row.latest);
        match Schema::new(self.value()) {
            Ok(schema) => Some(schema),
            Err(reason) => {
                // Only possible when a row was written past this crate: refusing its events would lose them.
                tracing::error!(event_type, version, %reason, "stored schema is not checked");
                None
            }
        }
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.schema).unwrap_or(Value::Bool(true))
    }

    pub(crate) fn info(&self) -> TypeInfo {
        let row = &self.row;
        TypeInfo {
            event_type: row.event_type.clone(),
            description: row.description.clone(),
            version: row.latest,
            schema: self.value(),
            validation: self.validation(),
            compatibility: row.compatibility.as_deref().and_then(Compatibility::from_name),
            policy: row.policy.as_deref().and_then(Policy::from_name),
            stream: routes::chosen(row),
            built_in: row.org == SHARED,
            created_by: row.created_by.clone(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn millis<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field like this"
)]
fn stream_name<S: Serializer>(stream: &Option<Stream>, serializer: S) -> Result<S::Ok, S::Error> {
    stream.map(Stream::as_str).serialize(serializer)
}
