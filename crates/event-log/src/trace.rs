//! The trace of an event: the tree of causes that it stands in, from the request to the last event that followed.
//!
//! It must stay true that a trace is bounded, however many events a chain has, and that the way from its root to the event
//! that was asked for is whole.

mod gather;
mod tree;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use omni_events::{Org, rfc3339_millis};
use omni_store::Error;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::EventLog;

/// Most nodes of a trace, but for the way to the event that was asked for.
pub const TRACE_NODES_MAX: usize = 1000;
/// Most events in one line of causes. Each takes three levels of the tree, and JSON readers give up at 128.
const LEVELS_MAX: usize = 32;

/// What a node stands for; later features add to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// The request that brought an event.
    Request,
    /// An event.
    Event,
    /// What one version of an automation did with an event.
    Execution,
    /// One action of an execution.
    Action,
    /// What was given up.
    DeadLetter,
    /// One delivery to an endpoint.
    Delivery,
    /// One step of a workflow.
    Step,
}

/// One thing that happened, with what it set off.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Names it within its kind: the id of the event, of the execution …
    pub id: String,
    /// What people call it.
    pub label: String,
    /// The type of the event, the kind of the action, the consumer.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// How it ended, or `pending`.
    pub status: Option<String>,
    /// When it began.
    #[serde(serialize_with = "millis")]
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds; null while it is not over.
    pub duration_ms: Option<f64>,
    /// What else is known about it; differs by kind.
    pub details: BTreeMap<String, Value>,
    /// What it set off, in order.
    pub children: Vec<Node>,
}

/// A tree of causes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The event that was asked for.
    pub event_id: Uuid,
    /// The event at the root.
    pub root_event_id: Uuid,
    /// What the chain shares.
    pub correlation_id: String,
    /// When the root began.
    #[serde(serialize_with = "millis")]
    pub started_at: DateTime<Utc>,
    /// From then until the last of it was over, in milliseconds, as far as it is.
    pub duration_ms: f64,
    /// How many nodes the tree has.
    pub nodes: usize,
    /// Whether more belongs to it than is shown.
    pub truncated: bool,
    /// The root: the request that brought the first event, or that event.
    pub root: Node,
}

impl EventLog {
    /// The tree of causes that an event stands in; `None` when this organisation has no such event.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trace(&self, org: &Org, id: Uuid) -> Result<Option<Trace>, Error> {
        let found = gather::gather(&self.parts.store, org.as_str(), id, TRACE_NODES_MAX).await?;
        Ok(found.and_then(|found| tree::build(id, found)))
    }
}

fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_millis(*time))
}
