//! Automations tried out and looked over before they do anything.

use chrono::{DateTime, Utc};
use omni_automations::{Definition, Error, Lints, Trial};
use omni_events::{Event, EventType, Metadata, Org, Payload};
use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    operations::scheduled::{self, Found},
    problem::{FieldError, Problem},
};

/// A definition and an event to try it out on: `event` or `eventId`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TestBody {
    /// The definition; it need not be saved, and is not.
    definition: Definition,
    /// The event.
    #[serde(default)]
    event: Option<TestEvent>,
    /// An event of the record instead.
    #[serde(default)]
    event_id: Option<String>,
}

/// An event as it may come, or as the API gave it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TestEvent {
    /// Its type.
    #[serde(rename = "type", alias = "eventType")]
    event_type: EventType,
    /// Any JSON.
    #[serde(default)]
    payload: Payload,
    /// As in an event; the organisation is that of the caller.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Its id.
    #[serde(default)]
    id: Option<Uuid>,
    /// Who said so; `api` when absent.
    #[serde(default)]
    source: Option<String>,
    /// When it happened; now when absent.
    #[serde(default)]
    time: Option<DateTime<Utc>>,
    /// When it was taken in; now when absent.
    #[serde(default)]
    received_at: Option<DateTime<Utc>>,
    /// The version of the schema that the payload was checked against.
    #[serde(default)]
    schema_version: Option<i32>,
    /// Its place in the log and what became of it are no part of the event.
    #[serde(default, rename = "sequence")]
    #[schemars(skip)]
    _sequence: Option<IgnoredAny>,
    #[serde(default, rename = "outcome")]
    #[schemars(skip)]
    _outcome: Option<IgnoredAny>,
}

/// What is looked over.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct LintBody {
    /// A definition, which need not be saved; all automations when absent.
    pub(crate) definition: Option<Definition>,
}

/// Tries a definition out on an event. Nothing is saved, and nothing is done.
pub(crate) async fn test(app: &App, call: &Call, body: TestBody) -> Result<Trial, Problem> {
    let TestBody { definition, event, event_id } = body;
    let event = match (event, event_id) {
        (Some(event), None) => made(app, call, event)?,
        (None, Some(key)) => match scheduled::find(app, call, &key).await? {
            Found::Stored(stored) => stored.event,
            Found::Waiting(waiting) => waiting.event,
        },
        (None, None) => return Err(Problem::field("/event", "give an event, or an `eventId`")),
        (Some(_), Some(_)) => {
            let reason = "there is an `event`, too; give one of them";
            return Err(Problem::field("/eventId", reason));
        }
    };
    let schema = schema(app, &call.org, definition.trigger_event_type.as_str());
    app.automations.try_out(definition, event, schema).await.map_err(in_definition)
}

/// Says what is odd about a definition, or about all automations.
pub(crate) async fn lint(app: &App, call: &Call, body: LintBody) -> Result<Lints, Problem> {
    let (registry, org) = (app.registry.clone(), call.org.clone());
    let schema = move |event_type: &str| registry.get(&org, event_type).map(|info| info.schema);
    let lints = app.automations.lint(&call.org, body.definition, schema).await;
    lints.map_err(in_definition)
}

/// The schema of the payload of a type; a pattern has none.
fn schema(app: &App, org: &Org, event_type: &str) -> Option<Value> {
    app.registry.get(org, event_type).map(|info| info.schema)
}

/// The event that was given, as it would be stored.
fn made(app: &App, call: &Call, given: TestEvent) -> Result<Event, Problem> {
    let now = app.clock.now();
    let id = given.id.unwrap_or_else(|| app.random.uuid_v7(now));
    let mut metadata = given.metadata;
    metadata.insert("org".to_owned(), json!(call.org));
    metadata.entry("correlationId").or_insert_with(|| json!(id));
    let metadata: Metadata = serde_json::from_value(Value::Object(metadata))
        .map_err(|error| Problem::field("/event/metadata", error.to_string()))?;
    Ok(Event {
        id,
        event_type: given.event_type,
        source: given.source.unwrap_or_else(|| "api".to_owned()),
        time: given.time.unwrap_or(now),
        received_at: given.received_at.unwrap_or(now),
        payload: given.payload,
        schema_version: given.schema_version,
        metadata,
    })
}

/// The faults of a definition, at their place in the body.
fn in_definition(error: Error) -> Problem {
    let mut problem = Problem::from(error);
    if problem.errors.is_empty() {
        return problem;
    }
    let errors = problem.errors.drain(..).map(|FieldError { pointer, detail }| FieldError {
        pointer: format!("/definition{pointer}"),
        detail,
    });
    Problem::fields(errors.collect())
}
