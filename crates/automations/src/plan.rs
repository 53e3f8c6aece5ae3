//! The plan of one event: the automations that match it, run in priority order, their actions in order.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use omni_actions::Call;
use omni_clock::{Clock, Random};
use omni_events::Event;
use omni_store::executions::ExecutionRow;
use serde_json::{Value, json};

use crate::{
    ActionResult, ActionStatus, ExecutionStatus, OnError,
    compiled::{Compiled, CompiledAction},
};

/// Longest pause that a party may ask for with Retry-After while an action waits in memory.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What running an action needs besides its definition.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
}

/// The event as conditions and templates see it.
pub(crate) fn document(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

/// The key of an effect: the same for every delivery of the event, different for every action.
fn effect_key(event: &Event, compiled: &Compiled, index: usize) -> String {
    let automation = &compiled.automation;
    format!("{}-{}-{}-{index}", event.id.simple(), automation.id.simple(), automation.version)
}

impl Runner {
    /// Runs the actions of one automation in order.
    pub(crate) async fn run(
        &self,
        compiled: &Compiled,
        event: &Event,
        document: &Value,
    ) -> ExecutionRow {
        let began = (self.clock.now(), self.clock.elapsed());
        let mut results: Vec<ActionResult> = Vec::with_capacity(compiled.actions.len());
        let mut scope = json!({
            "event": document, "payload": document["payload"], "input": document["payload"],
            "metadata": document["metadata"], "actions": [], "env": {},
        });
        let mut stopped = false;
        for (index, action) in compiled.actions.iter().enumerate() {
            let result = if stopped {
                skipped(action)
            } else {
                let key = effect_key(event, compiled, index);
                self.act(&call(event, compiled, index, key, action.timeout), action, &scope).await
            };
            stopped |= result.status == ActionStatus::Failed && action.on_error == OnError::Stop;
            if let Some(actions) = scope["actions"].as_array_mut() {
                actions.push(serde_json::to_value(&result).unwrap_or_default());
            }
            results.push(result);
        }
        let failed = results.iter().find(|result| result.status == ActionStatus::Failed);
        let status = failed.map_or(ExecutionStatus::Success, |_| ExecutionStatus::Failed);
        let error = failed.and_then(|result| result.error.clone());
        let row = self.row(compiled, event, status, began);
        ExecutionRow {
            actions: serde_json::to_string(&results).unwrap_or_else(|_| "[]".to_owned()),
            error,
            ..row
        }
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
        ExecutionRow { error: why, ..row }
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

    /// Fills the config in and tries the action as often as its policy allows.
    async fn act(&self, call: &Call<'_>, action: &CompiledAction, scope: &Value) -> ActionResult {
        let began = self.clock.elapsed();
        let mut attempts = 0;
        let outcome = match action.config.render(scope) {
            Err(error) => Err((format!("config{}: {error}", error.pointer), Value::Null)),
            Ok(config) => loop {
                attempts += 1;
                let error = match self.attempt(call, action, config.clone()).await {
                    Ok(result) => break Ok(result),
                    Err(error) => error,
                };
                let Some(pause) = self.pause(action, attempts, &error) else {
                    break Err((error.message, error.result.unwrap_or_default()));
                };
                self.clock.sleep(pause).await;
            },
        };
        let took = self.clock.elapsed().saturating_sub(began);
        let (status, result, error) = match outcome {
            Ok(result) => (ActionStatus::Success, result, None),
            Err((error, result)) => (ActionStatus::Failed, result, Some(error)),
        };
        let action = action.kind.clone();
        let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        ActionResult { action, status, result, error, attempts, duration_ms }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        action: &CompiledAction,
        config: Value,
    ) -> Result<Value, omni_actions::Error> {
        let run = action.action.run(call, config);
        tokio::time::timeout(action.timeout, run).await.unwrap_or_else(|_| {
            let message = format!("no result within {} ms", action.timeout.as_millis());
            Err(omni_actions::Error { message, retryable: true, retry_after: None, result: None })
        })
    }

    fn pause(
        &self,
        action: &CompiledAction,
        attempts: u32,
        error: &omni_actions::Error,
    ) -> Option<Duration> {
        if !error.retryable {
            return None;
        }
        let planned = action.retry.as_ref()?.delay_after(attempts, self.random.fraction())?;
        let asked = error.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Some(planned.max(asked))
    }
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
