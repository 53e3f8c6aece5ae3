//! An event once more: a draft that says the same and points at the original.

use omni_events::{Event, Metadata, Replay};

use super::SCOPE;
use crate::Draft;

/// What is said again: the same, by whom it was said, with the original and what was asked for beside it.
///
/// It stands where the original stood, as many hops from outside, so that what it sets off may go as far. It happened
/// when the original happened. A replay of a replay points at the first of all.
pub(crate) fn again(original: Event, replay: Replay) -> Draft {
    let metadata = Metadata {
        replay_of: original.metadata.replay_of.or(Some(original.id)),
        replay: Some(Box::new(replay)),
        causation_id: Some(original.id),
        ..original.metadata
    };
    Draft {
        id: None,
        event_type: original.event_type,
        source: original.source,
        payload: original.payload,
        time: Some(original.time),
        metadata,
        dedupe: None,
        capture: None,
    }
}

/// The draft of an event of a job, under a key of the job and the original.
pub(super) fn of_job(original: Event, replay: Replay) -> Draft {
    let key = format!("{}:{}", replay.id, original.id);
    let asked = [
        replay.automation_id.map_or(0, |id| id.as_u128()).to_be_bytes(),
        u128::from(replay.repeat_effects).to_be_bytes(),
    ];
    let mut body_hash = [0; 32];
    body_hash.copy_from_slice(&asked.concat());
    again(original, replay).deduplicated(SCOPE, key, body_hash)
}
