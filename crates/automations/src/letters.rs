//! Dead letters: what an automation gave up, recorded in the commit that records the execution.

use chrono::{DateTime, Utc};
use omni_events::Event;
use omni_store::{
    dead_letters::{NewDeadLetter, PENDING, id_of, next_retry},
    executions::ExecutionRow,
};

use crate::{ActionResult, ActionStatus, handling::is_failure, replaying};

/// The letters of the executions that failed. None about a retry of a letter, which has one already, and none about
/// `system.dead_letter`: an automation that fails on that would make letters without end.
pub(crate) fn letters(
    event: &Event,
    executions: &[ExecutionRow],
    now: DateTime<Utc>,
) -> Vec<NewDeadLetter> {
    let replayed = replaying::of(event);
    let is_retry = replayed.is_some_and(|(_, replay)| replay.dead_letter);
    if is_retry || event.event_type.as_str() == "system.dead_letter" {
        return Vec::new();
    }
    let original = replayed.map_or(event.id, |(original, _)| original);
    let failed = executions.iter().filter(|row| is_failure(row));
    failed
        .map(|row| {
            let consumer = format!("automation:{}", row.automation_id);
            let (attempts, errors) = tries(row);
            NewDeadLetter {
                id: id_of(&consumer, original),
                org: row.org.clone(),
                event_id: original,
                event_type: row.event_type.clone(),
                consumer,
                automation_id: Some(row.automation_id),
                version: Some(row.automation_version),
                attempts,
                errors,
                message: None,
                status: PENDING.to_owned(),
                retries: 0,
                next_retry_at: next_retry(now, now),
                dead_at: now,
                changed_at: now,
                told: false,
            }
        })
        .collect()
}

/// How often the most tried action was tried, and why each that failed did.
fn tries(row: &ExecutionRow) -> (i32, String) {
    let results: Vec<ActionResult> = serde_json::from_str(&row.actions).unwrap_or_default();
    let failed = results.iter().filter(|result| result.status == ActionStatus::Failed);
    let attempts = failed.clone().map(|result| result.attempts).max().unwrap_or(1);
    let errors: Vec<String> = failed
        .map(|result| {
            let error = result.error.as_deref().unwrap_or("no reason was given");
            format!("{}: {error}", result.action)
        })
        .collect();
    let errors = serde_json::to_string(&errors).unwrap_or_else(|_| "[]".to_owned());
    (i32::try_from(attempts).unwrap_or(i32::MAX), errors)
}
