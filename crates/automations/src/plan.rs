//! The plan of one event: the automations that match it, run in priority order, their actions in order.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use omni_actions::Call;
use omni_clock::{Clock, Random};
use omni_events::Event;
use omni_store::{Store, executions::ExecutionRow};
use serde_json::{Value, json};

use crate::{
    ActionResult, ActionStatus, ExecutionStatus, OnError,
    compiled::{Compiled, CompiledAction},
    replaying::{Earlier, key_event},
    taken_over::{is_taken_over, not_begun, reason},
    trying::{Patience, clip},
};

/// Longest results of one execution that are kept whole, in bytes.
const RESULTS_MAX: usize = 64 << 10;
/// Longest single result beyond that.
const RESULT_MAX: usize = RESULTS_MAX / 32;

/// What running an action needs besides its definition.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) store: Store,
}

/// The key of an effect: the same for every delivery of the event and for every replay that does not ask for more,
/// different for every action.
fn effect_key(event: &Event, compiled: &Compiled, index: usize) -> String {
    let automation = &compiled.automation;
    let event = key_event(event);
    format!("{}-{}-{}-{index}", event.simple(), automation.id.simple(), automation.version)
}

impl Runner {
    /// Runs the actions of one automation in order, except those that succeeded earlier.
    pub(crate) async fn run(
        &self,
        compiled: &Compiled,
        (event, document): (&Event, &Value),
        earlier: &Earlier,
        patience: &mut Patience,
    ) -> ExecutionRow {
        let began = (self.clock.now(), self.clock.elapsed());
        let mut results: Vec<ActionResult> = Vec::with_capacity(compiled.actions.len());
        let mut scope = scope(document);
        let (mut stopped, mut taken_over) = (false, false);
        for (index, action) in compiled.actions.iter().enumerate() {
            let known = earlier.result(compiled.automation.id, index, action);
            if known.is_none() && !stopped && !taken_over {
                taken_over = is_taken_over(&self.store, &*self.clock, event).await;
            }
            let result = if let Some(known) = known {
                known
            } else if stopped {
                skipped(action)
            } else if taken_over {
                not_begun(action)
            } else {
                let key = effect_key(event, compiled, index);
                let call = call(event, compiled, index, key, action.timeout);
                self.act(&call, action, &scope, patience).await
            };
            stopped |= result.status == ActionStatus::Failed && action.on_error == OnError::Stop;
            if let Some(actions) = scope["actions"].as_array_mut() {
                actions.push(serde_json::to_value(&result).unwrap_or_default());
            }
            results.push(result);
        }
        let failed = results.iter().find(|result| result.status == ActionStatus::Failed);
        let status = failed.map_or(ExecutionStatus::Success, |_| ExecutionStatus::Failed);
        let error = failed.and_then(|result| result.error.clone()).or_else(|| reason(&results));
        let row = self.row(compiled, event, status, began);
        ExecutionRow { actions: kept(results), error, ..row }
    }

    /// The row of an automation whose conditions did not hold.
    pub(crate) fn skip(
        &self,
        compiled: &Compiled,
        event: &Event,
        why: Option<String>,
    ) -> ExecutionRow {
        let began = (self.clock.now(), self.clock.elapsed());
        let row = self.row(compiled, event, ExecutionStatus::Skipped, began);
        ExecutionRow { error: why.as_deref().map(clip), ..row }
    }

    fn row(
        &self,
        compiled: &Compiled,
        event: &Event,
        status: ExecutionStatus,
        (began, began_elapsed): (DateTime<Utc>, Duration),
    ) -> ExecutionRow {
        let took = self.clock.elapsed().saturating_sub(began_elapsed);
        ExecutionRow {
            id: self.random.uuid_v7(began),
            org: event.metadata.org.as_str().to_owned(),
            automation_id: compiled.automation.id,
            automation_version: compiled.automation.version,
            event_id: event.id,
            event_type: event.event_type.as_str().to_owned(),
            status: status.as_str().to_owned(),
            conditions_matched: status != ExecutionStatus::Skipped,
            actions: "[]".to_owned(),
            error: None,
            execution_time_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            created_at: began.trunc_subsecs(3),
        }
    }
}

/// What templates can name before the first action has run.
pub(crate) fn scope(document: &Value) -> Value {
    json!({
        "event": document, "payload": document["payload"], "input": document["payload"],
        "metadata": document["metadata"], "actions": [], "env": {},
    })
}

/// The results as they are kept: those that are too long are left out, with their size.
fn kept(mut results: Vec<ActionResult>) -> String {
    let text = |results: &[ActionResult]| {
        serde_json::to_string(results).unwrap_or_else(|_| "[]".to_owned())
    };
    let whole = text(&results);
    if whole.len() <= RESULTS_MAX {
        return whole;
    }
    for result in &mut results {
        let size = result.result.to_string().len();
        if size > RESULT_MAX {
            result.result = json!({ "omitted": format!("{size} bytes, more than is kept") });
        }
    }
    text(&results)
}

fn call<'a>(
    event: &'a Event,
    compiled: &'a Compiled,
    index: usize,
    effect_key: String,
    timeout: Duration,
) -> Call<'a> {
    Call {
        event,
        automation_id: compiled.automation.id,
        automation: &compiled.automation.definition.name,
        version: compiled.automation.version,
        index,
        effect_key,
        timeout,
    }
}

fn skipped(action: &CompiledAction) -> ActionResult {
    ActionResult {
        action: action.kind.clone(),
        status: ActionStatus::Skipped,
        result: Value::Null,
        error: Some("not tried: an action before it failed and says stop".to_owned()),
        attempts: 0,
        duration_ms: 0.0,
    }
}
