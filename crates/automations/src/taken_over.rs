//! Events of schedules whose work the next fire has taken over: no further action of theirs begins.
//!
//! It must stay true that events of other sources cost no look into the store.

use std::time::Duration;

use omni_clock::Clock;
use omni_events::Event;
use omni_store::{Store, schedules::is_work_cancelled};

use crate::{ActionResult, ActionStatus, compiled::CompiledAction};

/// What the sources of events that are made by schedules begin with.
const SCHEDULES: &str = "schedule:";
/// Pauses between looks while the store is away.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// What is said of an action that did not begin.
const WHY: &str =
    "not begun: the next fire of the schedule came first, and its overlap policy is cancelOther";

/// Whether no further action of this event is to begin. While the store is away it is asked again: an action that begins
/// cannot be taken back.
pub(crate) async fn is_taken_over(store: &Store, clock: &dyn Clock, event: &Event) -> bool {
    if !event.source.starts_with(SCHEDULES) {
        return false;
    }
    let look = async || is_work_cancelled(&mut *store.read().await?, event.id).await;
    let mut failures = 0u32;
    loop {
        match look().await {
            Ok(is_cancelled) => return is_cancelled,
            Err(error) => {
                tracing::warn!(error = %error, event = %event.id, "the store is away; an action waits for it");
            }
        }
        clock.sleep(PAUSE.saturating_mul(1 << failures.min(7)).min(PAUSE_MAX)).await;
        failures += 1;
    }
}

/// What becomes of an action that does not begin.
pub(crate) fn not_begun(action: &CompiledAction) -> ActionResult {
    ActionResult {
        action: action.kind.clone(),
        status: ActionStatus::Skipped,
        result: serde_json::Value::Null,
        error: Some(WHY.to_owned()),
        attempts: 0,
        duration_ms: 0.0,
    }
}

/// The reason that an execution gives whose actions did not all begin.
pub(crate) fn reason(results: &[ActionResult]) -> Option<String> {
    let left = |result: &ActionResult| result.error.as_deref() == Some(WHY);
    results.iter().any(left).then(|| WHY.to_owned())
}
