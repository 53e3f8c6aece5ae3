//! Reads what a tree is made of, one level of events after the other.

use std::collections::{HashMap, HashSet};

use omni_store::{
    Error, Store,
    events::Outcome,
    executions::ExecutionRow,
    trace::{self, TraceCapture, TraceEvent, TraceLetter},
};
use serde_json::Value;
use uuid::Uuid;

use super::LEVELS_MAX;

/// The rows of a tree, by the event that they belong to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The root first, then level by level.
    pub(super) events: Vec<TraceEvent>,
    pub(super) outcomes: HashMap<Uuid, Outcome>,
    pub(super) executions: HashMap<Uuid, Vec<(ExecutionRow, Vec<Value>)>>,
    pub(super) captures: HashMap<Uuid, Vec<TraceCapture>>,
    pub(super) letters: HashMap<Uuid, Vec<TraceLetter>>,
    /// Names of automations by id and version.
    pub(super) names: HashMap<(Uuid, i32), String>,
    pub(super) truncated: bool,
    /// How many nodes there is still room for.
    room: usize,
}

/// Reads the tree of an event with about `room` nodes; `None` when there is no such event.
pub(super) async fn gather(
    store: &Store,
    org: &str,
    id: Uuid,
    room: usize,
) -> Result<Option<Found>, Error> {
    let mut conn = store.read().await?;
    let mut way = trace::ancestors(&mut conn, org, id, LEVELS_MAX).await?;
    let Some(root) = way.pop() else { return Ok(None) };
    let mut found = Found { room: room.saturating_sub(1), ..Found::default() };
    found.truncated = way.len() + 1 == LEVELS_MAX && root.parent().is_some();
    let mut seen = HashSet::from([root.id]);
    let mut level = vec![root];
    for depth in 0..LEVELS_MAX {
        let ids: Vec<Uuid> = level.iter().map(|event| event.id).collect();
        found.events.append(&mut level);
        let around = trace::around(&mut conn, org, &ids, found.limit()).await?;
        found.outcomes.extend(around.outcomes);
        for row in around.executions {
            let actions: Vec<Value> = serde_json::from_str(&row.actions).unwrap_or_default();
            if found.take(1 + actions.len()) {
                found.executions.entry(row.event_id).or_default().push((row, actions));
            }
        }
        for letter in around.letters {
            if found.take(1) {
                found.letters.entry(letter.event_id).or_default().push(letter);
            }
        }
        for capture in around.captures {
            found.captures.entry(capture.event_id).or_default().push(capture);
        }
        // The way to the event that was asked for is there whatever else is left out.
        let own = way.pop();
        let mut children = trace::children(&mut conn, org, &ids, found.limit()).await?;
        children.extend(own.clone());
        children.sort_by_key(|event| event.sequence);
        children.retain(|event| seen.insert(event.id));
        if depth + 1 == LEVELS_MAX {
            found.truncated |= !children.is_empty();
            break;
        }
        for child in children {
            if own.as_ref() == Some(&child) || found.take(1) {
                level.push(child);
            }
        }
        if level.is_empty() {
            break;
        }
    }
    let automations: HashSet<Uuid> =
        found.executions.values().flatten().map(|(row, _)| row.automation_id).collect();
    let automations: Vec<Uuid> = automations.into_iter().collect();
    found.names =
        trace::automation_names(&mut conn, org, &automations).await?.into_iter().collect();
    Ok(Some(found))
}

impl Found {
    /// One more than there is room for, so that it shows when something is left out.
    fn limit(&self) -> i64 {
        i64::try_from(self.room).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Takes room for some nodes; once something did not fit, it says so.
    fn take(&mut self, nodes: usize) -> bool {
        let left = self.room.checked_sub(nodes);
        self.truncated |= left.is_none();
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }
}
