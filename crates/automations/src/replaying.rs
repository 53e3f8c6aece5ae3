//! What is different about an event that was brought back: who sees it, which keys its effects have, and what of it
//! has happened already.
//!
//! What must stay true: unless a replay asks for it, an effect that succeeded for an event does not happen again for any
//! replay of it, and one that did not succeed is tried again under the key it had.

use std::collections::HashMap;

use omni_events::{Event, Replay};
use omni_store::executions::ExecutionRow;
use uuid::Uuid;

use crate::{ActionResult, ActionStatus, compiled::CompiledAction};

/// The original and what its replay asks for, of an event that is a replay.
pub(crate) fn of(event: &Event) -> Option<(Uuid, &Replay)> {
    Some((event.metadata.replay_of?, event.metadata.replay.as_deref()?))
}

/// Whether an automation may see an event.
pub(crate) fn is_for(event: &Event, automation: Uuid) -> bool {
    of(event).and_then(|(_, replay)| replay.automation_id).is_none_or(|only| only == automation)
}

/// Whether an event is the retry of a dead letter of one automation: whether that one ran decides whether it succeeded.
pub(crate) fn is_retry(event: &Event) -> bool {
    of(event).is_some_and(|(_, replay)| replay.dead_letter && replay.automation_id.is_some())
}

/// Why the retry of a dead letter cannot succeed when no automation listens: that must not pass for a success.
pub(crate) fn fault_without_candidates(event: &Event) -> Option<String> {
    let (_, replay) = of(event)?;
    let automation = replay.automation_id.filter(|_| replay.dead_letter)?;
    Some(format!(
        "automation {automation} is off, was deleted, or does not listen to {} any more; nothing was tried",
        event.event_type.as_str()
    ))
}

/// The event whose id the keys of effects begin with: a replay has the keys of its original, so that whoever knows a key
/// knows the effect.
pub(crate) fn key_event(event: &Event) -> Uuid {
    of(event)
        .filter(|(_, replay)| !replay.repeat_effects)
        .map_or(event.id, |(original, _)| original)
}

/// The original whose effects are not to happen again.
pub(crate) fn spares(event: &Event) -> Option<Uuid> {
    of(event).filter(|(_, replay)| !replay.repeat_effects).map(|(original, _)| original)
}

/// What succeeded for an event and its replays before.
#[derive(Debug, Default)]
pub(crate) struct Earlier(HashMap<(Uuid, usize), ActionResult>);

impl Earlier {
    /// Reads executions; of two successes of one action the first in the list counts.
    pub(crate) fn new(rows: &[ExecutionRow]) -> Self {
        let mut found = HashMap::new();
        for row in rows {
            let results: Vec<ActionResult> = serde_json::from_str(&row.actions).unwrap_or_default();
            for (index, result) in results.into_iter().enumerate() {
                if result.status == ActionStatus::Success {
                    found.entry((row.automation_id, index)).or_insert(result);
                }
            }
        }
        Self(found)
    }

    /// What an action of this kind at this place answered when it succeeded, as a result that took no try.
    pub(crate) fn result(
        &self,
        automation: Uuid,
        index: usize,
        action: &CompiledAction,
    ) -> Option<ActionResult> {
        let found = self.0.get(&(automation, index)).filter(|found| found.action == action.kind)?;
        Some(ActionResult { attempts: 0, duration_ms: 0.0, ..found.clone() })
    }
}
