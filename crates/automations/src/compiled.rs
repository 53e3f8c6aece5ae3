//! A definition made ready to run: pattern, conditions and templates compiled, actions looked up.

mod shape;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use omni_actions::{Action, Actions};
use omni_retry::Policy;
use omni_rules::Filter;
use omni_transform::Template;

use crate::{ActionSpec, Automation, Definition, OnError, Problem};

/// How long one try of an action may take unless it says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest timeout that may be asked for; what takes longer is a workflow.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// An automation that is ready to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) automation: Automation,
    /// What must hold besides the type of the event; the index of rules shares it.
    pub(crate) filter: Arc<Filter>,
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
    let (filter, actions) = try_compile(&automation.definition, actions)?;
    Ok(Compiled { automation, filter: Arc::new(filter), actions, skips: Skips::default() })
}

/// The same for a definition that is not saved.
pub(crate) fn try_compile(
    definition: &Definition,
    actions: &Actions,
) -> Result<(Filter, Vec<CompiledAction>), Vec<Problem>> {
    match parts(definition, actions) {
        (Some(filter), actions, problems) if problems.is_empty() => Ok((filter, actions)),
        (_, _, problems) => Err(problems),
    }
}

/// What keeps a definition from running.
pub(crate) fn problems_of(definition: &Definition, actions: &Actions) -> Vec<Problem> {
    parts(definition, actions).2
}

fn parts(
    definition: &Definition,
    actions: &Actions,
) -> (Option<Filter>, Vec<CompiledAction>, Vec<Problem>) {
    let mut problems = Vec::new();
    shape::check(definition, &mut problems);
    let filter = filter(definition).map_err(|found| problems.extend(found)).ok();
    let specs = definition.actions.iter().enumerate();
    let compiled = specs
        .filter_map(|(index, spec)| compile_action(index, spec, actions, &mut problems))
        .collect();
    (filter, compiled, problems)
}

/// Compiles what must hold besides the type of the event.
pub(crate) fn filter(definition: &Definition) -> Result<Filter, Vec<Problem>> {
    let Definition { trigger_pattern, trigger_conditions, .. } = definition;
    let compiled = Filter::compile(trigger_pattern.as_ref(), trigger_conditions);
    compiled.map_err(|found| found.into_iter().map(problem).collect())
}

/// A problem of a filter, at its place in the definition.
fn problem(found: omni_rules::Problem) -> Problem {
    Problem { pointer: place(&found.pointer), message: found.message }
}

/// Where the author of a definition finds what is said of its filter.
pub(crate) fn place(pointer: &str) -> String {
    if let Some(rest) = pointer.strip_prefix("/pattern") {
        return format!("/triggerPattern{rest}");
    }
    let rest = pointer.strip_prefix("/conditions").unwrap_or(pointer);
    format!("/triggerConditions{rest}")
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
