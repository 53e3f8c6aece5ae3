//! A definition made ready to run: conditions and templates compiled, actions looked up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use omni_actions::{Action, Actions};
use omni_retry::Policy;
use omni_rules::Conditions;
use omni_transform::Template;

use crate::{ActionSpec, Automation, Definition, OnError, Problem};

/// Longest name, in bytes.
const NAME_LEN_MAX: usize = 200;
/// What an event consists of, as conditions see it.
const ROOTS: [&str; 8] =
    ["id", "type", "source", "time", "receivedAt", "payload", "schemaVersion", "metadata"];
/// Most actions of one automation.
const ACTIONS_MAX: usize = 32;
/// How long one try of an action may take unless it says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest timeout that may be asked for; what takes longer is a workflow.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// An automation that is ready to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) automation: Automation,
    pub(crate) conditions: Conditions,
    pub(crate) actions: Vec<CompiledAction>,
    pub(crate) skips: Skips,
}

/// Bounds how many skipped executions an automation writes down per second.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    second: AtomicU64,
    written: AtomicU64,
}

impl Skips {
    /// Whether one more may be written in this second of a clock that never goes back.
    pub(crate) fn admit(&self, second: u64, per_second: u64) -> bool {
        if self.second.fetch_max(second, Ordering::Relaxed) < second {
            self.written.store(0, Ordering::Relaxed);
        }
        self.written.fetch_add(1, Ordering::Relaxed) < per_second
    }
}

/// An action with its config ready to be filled in.
pub(crate) struct CompiledAction {
    pub(crate) kind: String,
    pub(crate) action: Arc<dyn Action>,
    pub(crate) config: Template,
    pub(crate) on_error: OnError,
    pub(crate) retry: Option<Policy>,
    pub(crate) timeout: Duration,
}

impl std::fmt::Debug for CompiledAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledAction").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Checks a definition and makes it ready; every fault is reported, not only the first.
pub(crate) fn compile(automation: Automation, actions: &Actions) -> Result<Compiled, Vec<Problem>> {
    let mut problems = Vec::new();
    check_shape(&automation.definition, &mut problems);
    let conditions = match Conditions::compile(&automation.definition.trigger_conditions) {
        Ok(conditions) => Some(conditions),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| Problem {
                pointer: format!("/triggerConditions{}", p.pointer),
                message: p.message,
            }));
            None
        }
    };
    let specs = automation.definition.actions.iter().enumerate();
    let compiled: Vec<_> = specs
        .filter_map(|(index, spec)| compile_action(index, spec, actions, &mut problems))
        .collect();
    match conditions {
        Some(conditions) if problems.is_empty() => {
            Ok(Compiled { automation, conditions, actions: compiled, skips: Skips::default() })
        }
        _ => Err(problems),
    }
}

fn check_shape(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut fault = |pointer: &str, message: String| {
        problems.push(Problem { pointer: pointer.to_owned(), message });
    };
    let name = &definition.name;
    if name.trim().is_empty() || name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
        fault("/name", format!("a name has 1 to {NAME_LEN_MAX} bytes and no control characters"));
    }
    for (index, condition) in definition.trigger_conditions.iter().enumerate() {
        // A field that begins elsewhere would never be there, and the automation would never run.
        let root = condition.field.split(['.', '[']).next().unwrap_or_default();
        if root != "$" && !ROOTS.contains(&root) {
            let (roots, field) = (ROOTS.join(", "), &condition.field);
            let message = format!(
                "a field begins with one of {roots}; for the payload write `payload.{field}`"
            );
            fault(&format!("/triggerConditions/{index}/field"), message);
        }
    }
    if definition.actions.is_empty() || definition.actions.len() > ACTIONS_MAX {
        fault("/actions", format!("1 to {ACTIONS_MAX} actions"));
    }
}

fn compile_action(
    index: usize,
    spec: &ActionSpec,
    actions: &Actions,
    problems: &mut Vec<Problem>,
) -> Option<CompiledAction> {
    let before = problems.len();
    let mut fault = |place: &str, message: String| {
        problems.push(Problem { pointer: format!("/actions/{index}{place}"), message });
    };
    let timeout = spec.timeout_ms.map_or(TIMEOUT_DEFAULT, Duration::from_millis);
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        fault("/timeoutMs", format!("1 to {} milliseconds", TIMEOUT_MAX.as_millis()));
    }
    if let Some(Err(message)) = spec.retry.as_ref().map(Policy::check) {
        fault("/retry", message);
    }
    let config = match Template::compile(&spec.config) {
        Ok(config) => Some(config),
        Err(found) => {
            for p in found {
                fault(&format!("/config{}", p.pointer), p.message);
            }
            None
        }
    };
    let Some(action) = actions.get(&spec.kind) else {
        let kinds = actions.kinds().join(", ");
        fault("/type", format!("`{}` is no action; known: {kinds}", spec.kind));
        return None;
    };
    for found in action.check(&spec.config) {
        fault(&format!("/config{}", found.pointer), found.message);
    }
    if problems.len() > before {
        return None;
    }
    Some(CompiledAction {
        kind: spec.kind.clone(),
        action: action.clone(),
        config: config?,
        on_error: spec.on_error,
        retry: spec.retry.clone(),
        timeout,
    })
}
