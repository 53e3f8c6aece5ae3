//! Documents about event types and their schemas.

use chrono::{DateTime, Utc};
use omni_event_bus::Stream;
use omni_events::EventType;
use omni_registry::{
    Compared, Compatibility, Evidence, Outcome, Policy, Registered, Said, TypeInfo, TypeOptions,
    VERSIONS_MAX, Validation, VersionInfo,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    documents::ReaderFinding,
    problem::{self, Problem},
};

/// Longest description, in bytes: it is one sentence, and every list shows it.
const DESCRIPTION_MAX: usize = 4096;

/// Which event types are listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TypesQuery {
    /// Only those under this name, as `custom.order`; all when absent.
    pub(crate) namespace: Option<String>,
}

/// Every event type that the organisation can use.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Types {
    /// By name.
    pub(crate) types: Vec<TypeInfo>,
}

/// An event type, or a new version of its schema.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewEventType")]
pub(crate) struct RegisterBody {
    /// The type, under `custom.` or `system.`.
    pub(crate) event_type: EventType,
    /// JSON Schema of the payload, 2020-12 or draft-07; `true` takes everything.
    pub(crate) schema: Value,
    /// What it tells, in one sentence.
    pub(crate) description: Option<String>,
    /// How strictly payloads are checked; a new type enforces its schema.
    pub(crate) validation: Option<Validation>,
    /// Which changes of the schema are let through; a new type goes by its organisation.
    pub(crate) compatibility: Option<Compatibility>,
    /// How versions are compared; a new type goes by its organisation.
    pub(crate) policy: Option<Policy>,
    /// The stream its events are to go to, by name, to be kept for longer or shorter.
    pub(crate) stream: Option<String>,
}

/// What is said of an event type besides its schema; what is left out stays as it is, and null takes back what was said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "EventTypeConfig")]
pub(crate) struct ConfigBody {
    /// What it tells, in one sentence; null for nothing.
    #[schemars(with = "Option<String>")]
    pub(crate) description: Member<String>,
    /// How strictly payloads are checked.
    pub(crate) validation: Option<Validation>,
    /// Which changes of the schema are let through; null as the organisation has it.
    #[schemars(with = "Option<Compatibility>")]
    pub(crate) compatibility: Member<Compatibility>,
    /// How versions are compared; null as the organisation has it.
    #[schemars(with = "Option<Policy>")]
    pub(crate) policy: Member<Policy>,
    /// The stream its events are to go to, by name; null for that of its domain, which is no choice.
    #[schemars(with = "Option<String>")]
    pub(crate) stream: Member<String>,
}

/// A member of a document that may be left out, and null on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Member<T> {
    /// It is left out.
    #[default]
    Absent,
    /// It is null.
    Null,
    /// It has a value.
    Value(T),
}

/// Which versions of an event type are listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VersionsQuery {
    /// Only those below this one; `next` of the answer before.
    pub(crate) before: Option<i32>,
}

/// A schema to be held against a type, its versions, its stored events and its readers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SchemaToCheck")]
pub(crate) struct CheckBody {
    /// JSON Schema of the payload.
    pub(crate) schema: Value,
    /// As if the type had this mode.
    pub(crate) compatibility: Option<Compatibility>,
    /// As if the type had this policy.
    pub(crate) policy: Option<Policy>,
    /// Stored events at most, the newest, 1 to 1000000; 100000 when absent.
    pub(crate) limit: Option<u64>,
}

/// Which events a schema is inferred from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "EventsToInferFrom")]
pub(crate) struct InferBody {
    /// Events at most, the newest, 1 to 1000000; 10000 when absent.
    pub(crate) limit: Option<u64>,
    /// Received at or after.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Received before.
    pub(crate) to: Option<DateTime<Utc>>,
}

/// Whether a type that was deleted before is deleted for good.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeleteTypeQuery {
    /// Deletes the versions of a type that was deleted before, for good.
    pub(crate) permanent: bool,
}

/// A document with event types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "EventTypeImport")]
pub(crate) struct ImportBody {
    /// An OpenAPI 3.1 document with `webhooks`, or an AsyncAPI 3 document.
    pub(crate) document: Value,
    /// What the names of the types begin with; `custom` when absent.
    pub(crate) prefix: Option<String>,
    /// Only tells what would be done.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// How strictly payloads are checked.
    pub(crate) validation: Option<Validation>,
    /// Which changes of a schema are let through.
    pub(crate) compatibility: Option<Compatibility>,
}

/// Which event types are exported, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExportQuery {
    /// `openapi` (3.1, the types as webhooks) or `asyncapi` (3.0).
    pub(crate) format: ExportFormat,
    /// Only types under this name, as `custom.order`; all when absent.
    pub(crate) namespace: Option<String>,
}

/// A format of documents that describe events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExportFormat {
    /// OpenAPI 3.1.
    #[default]
    Openapi,
    /// AsyncAPI 3.0.
    Asyncapi,
}

/// What registering did, what was compared, and what it means for stored events and readers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredEventType")]
pub(crate) struct RegisteredDocument {
    #[serde(flatten)]
    pub(crate) registered: Registered,
    /// What stored events say of the schema; absent when nothing is different, because none were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Evidence>,
    /// What those who read the type read that the schema does not give them.
    pub(crate) readers: Vec<ReaderFinding>,
    /// All that in one line.
    pub(crate) summary: String,
}

/// The versions of an event type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventTypeVersions")]
pub(crate) struct Versions {
    /// Newest first, at most a hundred.
    pub(crate) versions: Vec<VersionInfo>,
    /// There may be older ones: give this as `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<i32>,
}

/// What became of each event type of a document.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedEventTypes")]
pub(crate) struct ImportDocument {
    /// In the order of the document; then what could not be read.
    pub(crate) types: Vec<ImportedDocument>,
}

/// What became of one event type of a document: an outcome or a problem.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ImportedEventType")]
pub(crate) struct ImportedDocument {
    /// The name in the document; absent where none could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The event type; absent where the name gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event_type: Option<String>,
    /// What was done, or would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<ImportOutcome>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<problem::Document<'static>>")]
    pub(crate) problem: Option<Value>,
    /// What was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compared: Option<Compared>,
}

/// What became of an event type of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ImportOutcome {
    /// The type is new.
    Created,
    /// It has a new version.
    NewVersion,
    /// Its schema is what it was; the rest was changed.
    Configured,
    /// Nothing is different.
    Unchanged,
    /// It comes with the product, so it was left out.
    BuiltIn,
}

impl From<Outcome> for ImportOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::NewVersion => Self::NewVersion,
            Outcome::Configured => Self::Configured,
            Outcome::Unchanged => Self::Unchanged,
        }
    }
}

impl Versions {
    /// One page of versions.
    pub(crate) fn of(versions: Vec<VersionInfo>) -> Self {
        let is_full = versions.len() >= VERSIONS_MAX;
        let last = versions.last().filter(|last| is_full && last.version > 1);
        Self { next: last.map(|last| last.version), versions }
    }
}

impl<T> From<Option<T>> for Member<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> Member<T> {
    /// The value; what null takes back is written down.
    fn or_reset(self, said: Said, reset: &mut Vec<Said>) -> Option<T> {
        match self {
            Self::Value(value) => return Some(value),
            Self::Null => reset.push(said),
            Self::Absent => {}
        }
        None
    }
}

impl RegisterBody {
    /// The type, its schema, and what else is said of it.
    pub(crate) fn into_parts(self) -> Result<(EventType, Value, TypeOptions), Problem> {
        let Self { event_type, schema, description, validation, compatibility, policy, stream } =
            self;
        let rest = ConfigBody {
            description: description.into(),
            validation,
            compatibility: compatibility.into(),
            policy: policy.into(),
            stream: stream.into(),
        };
        Ok((event_type, schema, rest.options()?))
    }
}

impl ConfigBody {
    /// What is said, as the registry takes it.
    pub(crate) fn options(self) -> Result<TypeOptions, Problem> {
        let mut reset = Vec::new();
        let description = self.description.or_reset(Said::Description, &mut reset);
        let compatibility = self.compatibility.or_reset(Said::Compatibility, &mut reset);
        let policy = self.policy.or_reset(Said::Policy, &mut reset);
        let stream = self.stream.or_reset(Said::Stream, &mut reset);
        let validation = self.validation;
        crate::operations::storable("/description", description.as_deref())?;
        if description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_MAX) {
            let detail = format!("it is longer than {DESCRIPTION_MAX} bytes; one sentence will do");
            return Err(Problem::field("/description", detail));
        }
        let stream = stream.as_deref().map(stream_named).transpose()?;
        Ok(TypeOptions { description, validation, compatibility, policy, stream, reset })
    }
}

fn stream_named(name: &str) -> Result<Stream, Problem> {
    Stream::from_name(name).ok_or_else(|| {
        let known = Stream::ALL.map(Stream::as_str).join(", ");
        Problem::field("/stream", format!("there is no such stream; there are {known}"))
    })
}
