//! Puts the rows together: each thing below what set it off.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use omni_events::Replay;
use omni_store::{
    executions::ExecutionRow,
    trace::{TraceCapture, TraceEvent, TraceLetter},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Node, NodeKind, Trace, gather::Found};

/// The stage at which a request is captured that brings an event.
const REQUEST: &str = "webhook_raw";

/// Builds the tree of what was found; `None` when nothing was.
pub(super) fn build(asked: Uuid, found: Found) -> Option<Trace> {
    let truncated = found.truncated;
    let root = found.events.first()?;
    let (root_event_id, correlation_id) = (root.id, root.correlation_id.clone());
    let mut tree = Tree::new(found);
    let root = tree.event(root_event_id)?;
    let (nodes, end) = measure(&root);
    Some(Trace {
        event_id: asked,
        root_event_id,
        correlation_id: correlation_id.unwrap_or_else(|| root_event_id.to_string()),
        started_at: root.at,
        duration_ms: between(root.at, end),
        nodes,
        truncated,
        root,
    })
}

struct Tree {
    found: Found,
    events: HashMap<Uuid, TraceEvent>,
    /// The events below an event, in the order of the log.
    below: HashMap<Uuid, Vec<Uuid>>,
}

impl Tree {
    fn new(mut found: Found) -> Self {
        let mut below: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        let events = std::mem::take(&mut found.events);
        for event in events.iter().skip(1) {
            if let Some(parent) = event.parent() {
                below.entry(parent).or_default().push(event.id);
            }
        }
        let events = events.into_iter().map(|event| (event.id, event)).collect();
        Self { found, events, below }
    }

    /// The node of an event with everything below it; taken out, so that nothing stands in the tree twice.
    fn event(&mut self, id: Uuid) -> Option<Node> {
        let event = self.events.remove(&id)?;
        let mut below = self.below.remove(&id).unwrap_or_default();
        let mut letters = self.found.letters.remove(&id).unwrap_or_default();
        let mut children = Vec::new();
        for (row, actions) in self.found.executions.remove(&id).unwrap_or_default() {
            let mut node = self.execution(&row, &actions, &mut below);
            let own = (Some(row.automation_id), Some(row.automation_version));
            for letter in letters.extract_if(.., |l| (l.automation_id, l.version) == own) {
                node.children.push(self.letter(&letter, &mut below));
            }
            children.push(node);
        }
        for letter in letters {
            children.push(self.letter(&letter, &mut below));
        }
        for child in below {
            children.extend(self.event(child));
        }
        let outcome = self.found.outcomes.remove(&id);
        let captures = self.found.captures.remove(&id).unwrap_or_default();
        let mut details = BTreeMap::from([
            ("sequence".to_owned(), json!(event.sequence)),
            ("source".to_owned(), json!(event.source)),
        ]);
        let mut detail = |name: &str, value: Value| details.insert(name.to_owned(), value);
        if let Some(replay_of) = event.replay_of {
            detail("replayOf", json!(replay_of));
        }
        if let Some(outcome) = &outcome {
            detail("retryCount", json!(outcome.retry_count));
            detail("error", json!(outcome.error));
        }
        let others: Vec<&str> =
            captures.iter().map(|c| c.stage.as_str()).filter(|stage| *stage != REQUEST).collect();
        if !others.is_empty() {
            detail("captures", json!(others));
        }
        let node = Node {
            kind: NodeKind::Event,
            id: id.to_string(),
            label: event.event_type.clone(),
            type_name: Some(event.event_type),
            status: Some(outcome.as_ref().map_or("pending", |outcome| &outcome.status).to_owned()),
            at: event.received_at,
            duration_ms: outcome.map(|outcome| between(event.received_at, outcome.processed_at)),
            details,
            children,
        };
        Some(match captures.into_iter().find(|capture| capture.stage == REQUEST) {
            Some(capture) => request(&event.source, capture, node),
            None => node,
        })
    }

    fn execution(&mut self, row: &ExecutionRow, actions: &[Value], below: &mut Vec<Uuid>) -> Node {
        let version = row.automation_version;
        let name = self.found.names.get(&(row.automation_id, version)).cloned();
        let label = name.clone().unwrap_or_else(|| row.automation_id.to_string());
        let mut children = Vec::with_capacity(actions.len());
        let mut at = row.created_at;
        for (index, action) in actions.iter().enumerate() {
            let node = self.action(row, (index, action), at, below);
            at = plus(at, node.duration_ms.unwrap_or_default());
            children.push(node);
        }
        Node {
            kind: NodeKind::Execution,
            id: row.id.to_string(),
            label: format!("{label} v{version}"),
            type_name: name,
            status: Some(row.status.clone()),
            at: row.created_at,
            duration_ms: Some(row.execution_time_ms as f64),
            details: BTreeMap::from([
                ("automationId".to_owned(), json!(row.automation_id)),
                ("automationVersion".to_owned(), json!(version)),
                ("conditionsMatched".to_owned(), json!(row.conditions_matched)),
                ("error".to_owned(), json!(row.error)),
            ]),
            children,
        }
    }

    /// An action, with the event below it that its result names.
    fn action(
        &mut self,
        row: &ExecutionRow,
        (index, action): (usize, &Value),
        at: DateTime<Utc>,
        below: &mut Vec<Uuid>,
    ) -> Node {
        let text = |name: &str| action.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("action").unwrap_or_default();
        let emitted = action.pointer("/result/eventId").and_then(Value::as_str);
        let emitted = emitted.and_then(|id| Uuid::try_parse(id).ok());
        let emitted = below.extract_if(.., |id| Some(*id) == emitted).next();
        Node {
            kind: NodeKind::Action,
            id: format!("{}/{index}", row.id),
            label: format!("{}. {kind}", index + 1),
            type_name: Some(kind),
            status: text("status"),
            at,
            duration_ms: action.get("durationMs").and_then(Value::as_f64),
            details: BTreeMap::from([
                ("attempts".to_owned(), action.get("attempts").cloned().unwrap_or_default()),
                ("error".to_owned(), action.get("error").cloned().unwrap_or_default()),
            ]),
            children: emitted.and_then(|id| self.event(id)).into_iter().collect(),
        }
    }

    /// A dead letter, with the events below it that tried it again.
    fn letter(&mut self, letter: &TraceLetter, below: &mut Vec<Uuid>) -> Node {
        let events = &self.events;
        let retries = |id: &mut Uuid| {
            let replay = events.get(id).and_then(|event| event.replay.as_deref());
            let replay = replay.and_then(|text| serde_json::from_str::<Replay>(text).ok());
            replay.is_some_and(|replay| replay.dead_letter && replay.id == letter.id)
        };
        let retries: Vec<Uuid> = below.extract_if(.., retries).collect();
        Node {
            kind: NodeKind::DeadLetter,
            id: letter.id.to_string(),
            label: format!("given up by {}", letter.consumer),
            type_name: Some(letter.consumer.clone()),
            status: Some(letter.status.clone()),
            at: letter.dead_at,
            duration_ms: None,
            details: BTreeMap::from([
                ("attempts".to_owned(), json!(letter.attempts)),
                ("retries".to_owned(), json!(letter.retries)),
            ]),
            children: retries.into_iter().filter_map(|id| self.event(id)).collect(),
        }
    }
}

/// The request above the event that it brought.
fn request(source: &str, capture: TraceCapture, event: Node) -> Node {
    let took = between(capture.created_at, event.at);
    Node {
        kind: NodeKind::Request,
        id: format!("{}/{}", event.id, capture.stage),
        label: format!("request to {source}"),
        type_name: Some(capture.stage),
        status: Some(if capture.deleted_at.is_some() { "deleted" } else { "kept" }.to_owned()),
        at: capture.created_at,
        duration_ms: Some(took),
        details: BTreeMap::from([
            ("contentType".to_owned(), json!(capture.content_type)),
            ("bytes".to_owned(), json!(capture.size)),
        ]),
        children: vec![event],
    }
}

/// How many nodes a tree has, and when the last of them was over.
fn measure(node: &Node) -> (usize, DateTime<Utc>) {
    let end = plus(node.at, node.duration_ms.unwrap_or_default());
    node.children
        .iter()
        .map(measure)
        .fold((1, end), |(count, last), (more, end)| (count + more, last.max(end)))
}

/// Milliseconds from one time to another; none when clocks of two machines say that it was the other way round.
fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    let micros = (to - from).num_microseconds().unwrap_or_default().max(0);
    micros as f64 / 1000.0
}

fn plus(time: DateTime<Utc>, millis: f64) -> DateTime<Utc> {
    let micros = TimeDelta::microseconds((millis * 1000.0) as i64);
    time.checked_add_signed(micros).unwrap_or(time)
}
