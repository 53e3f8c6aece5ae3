//! An event once more: a draft that says the same and points at the original.

use omni_events::{Event, Replay};

use super::SCOPE;
use crate::Draft;

/// The source of replayed events.
const SOURCE: &str = "replay";

/// The draft of a replay.
///
/// It stands where the original stood, as many hops from outside, so that what it sets off may go as far. It happened
/// when the original happened.
pub(super) fn again(original: &Event, replay: Replay) -> Draft {
    let key = format!("{}:{}", replay.id, original.id);
    let asked = [
        replay.automation_id.map_or(0, |id| id.as_u128()).to_be_bytes(),
        u128::from(replay.repeat_effects).to_be_bytes(),
    ];
    let mut body_hash = [0; 32];
    body_hash.copy_from_slice(&asked.concat());
    let mut draft = Draft::new(
        original.metadata.org.clone(),
        original.event_type.clone(),
        SOURCE,
        original.payload.clone(),
    );
    draft.time = Some(original.time);
    draft.metadata = original.metadata.clone();
    draft.metadata.causation_id = Some(original.id);
    draft.metadata.replay_of = Some(original.id);
    draft.metadata.replay = Some(Box::new(replay));
    draft.deduplicated(SCOPE, key, body_hash)
}
