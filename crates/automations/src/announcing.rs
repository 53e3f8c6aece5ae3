//! Telling what an automation did by an event of its own, for automations that ask for it.
//!
//! It must stay true that an execution is told once, whoever dies meanwhile, and that it is told before it is settled: the
//! key is of the event and the automation, and a repeat finds it taken.

use std::time::Duration;

use omni_clock::Clock;
use omni_event_log::{AppendError, Dedupe, Draft, EventLog};
use omni_events::{
    Event, EventType, Payload,
    payload::{AutomationExecuted, ExecutedAction},
};
use omni_store::executions::ExecutionRow;

use crate::{ActionResult, compiled::Compiled};

/// Whose keys these are.
const SCOPE: &str = "automation.executed";
/// The type of the event.
const EXECUTED: &str = "system.automation.executed";
/// The wait before an event is appended again.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether an execution for this event is told; one about such an event would be told without end.
pub(crate) fn is_told(compiled: &Compiled, event: &Event) -> bool {
    compiled.automation.definition.announce && event.event_type.as_str() != EXECUTED
}

/// Appends the event, however long the store is away; `false` when the process stops before.
pub(crate) async fn announce(
    log: &EventLog,
    clock: &dyn Clock,
    (event, compiled, row): (&Event, &Compiled, &ExecutionRow),
) -> bool {
    let Some(draft) = draft(event, compiled, row) else { return true };
    loop {
        match log.append(draft.clone()).await {
            Ok(_) => return true,
            Err(AppendError::Stopped) => return false,
            Err(AppendError::Overloaded | AppendError::Store(_)) => clock.sleep(PAUSE).await,
            Err(error) => {
                // The chain is too long, for one; what was done is recorded all the same.
                tracing::warn!(event = %event.id, automation = %row.automation_id, error = %error, "an execution is not told");
                return true;
            }
        }
    }
}

fn draft(event: &Event, compiled: &Compiled, row: &ExecutionRow) -> Option<Draft> {
    let results: Vec<ActionResult> = serde_json::from_str(&row.actions).unwrap_or_default();
    let action = |result: ActionResult| ExecutedAction {
        action: result.action,
        status: serde_json::to_value(result.status)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
        attempts: result.attempts,
        duration_ms: result.duration_ms,
        error: result.error,
    };
    let told = AutomationExecuted {
        execution_id: row.id.to_string(),
        automation_id: row.automation_id.to_string(),
        automation_name: compiled.automation.definition.name.clone(),
        automation_version: row.automation_version,
        event_id: event.id.to_string(),
        event_type: event.event_type.as_str().to_owned(),
        status: row.status.clone(),
        actions: results.into_iter().map(action).collect(),
    };
    let payload = Payload::from_value(&serde_json::to_value(told).ok()?);
    let source = format!("automation:{}", row.automation_id);
    let event_type = EventType::parse(EXECUTED).ok()?;
    let mut draft =
        Draft::new(event.metadata.org.clone(), event_type, source, payload).caused_by(event);
    // Another try of the same execution takes another time: it is told once all the same.
    draft.dedupe = Some(Dedupe {
        scope: SCOPE.to_owned(),
        key: format!("{}:{}", event.id, row.automation_id),
        body_hash: [0; 32],
    });
    Some(draft)
}
