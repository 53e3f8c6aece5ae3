//! The contract between the engine and an action: what an action is asked, what it may answer.

use std::time::Duration;

use async_trait::async_trait;
use omni_events::Event;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Something that can be done when a rule fires.
///
/// An action may run more than once for one event: after a crash, after a timeout, after a retry.
/// [`Call::effect_key`] is the same each time, and an action uses it so that a second run does no
/// second harm.
#[async_trait]
pub trait Action: Send + Sync {
    /// The word in a definition's `type`.
    fn kind(&self) -> &'static str;

    /// One line for lists and editors.
    fn describe(&self) -> &'static str;

    /// JSON Schema of the configuration after rendering.
    fn config_schema(&self) -> Value;

    /// Looks at a configuration before it is saved. Strings may still be templates; what a
    /// template will give is not judged. Empty means good.
    fn check(&self, config: &Value) -> Vec<Problem>;

    /// Does it, with the rendered configuration. The answer is kept in the execution log and seen
    /// by later actions.
    ///
    /// # Errors
    /// [`Error::retryable`] says whether the same call may succeed later.
    async fn run(&self, call: &Call<'_>, config: Value) -> Result<Value, Error>;
}

/// On whose behalf an action runs.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The event that fired the rule.
    pub event: &'a Event,
    /// The rule.
    pub automation_id: Uuid,
    /// The rule's name.
    pub automation: &'a str,
    /// The rule's version.
    pub version: i32,
    /// Place of this action in the rule, from 0.
    pub index: usize,
    /// Hex, derived from event, rule, version and index: the same at every run of this effect.
    pub effect_key: String,
    /// The most that this run may take.
    pub timeout: Duration,
}

/// A fault in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON Pointer into the action's `config`; empty for the whole.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A run that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What happened and what to do.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether it is the installation itself that is away, such as its store: then nothing was tried, and the engine waits
    /// for it whatever the retry policy of the action says.
    pub is_outage: bool,
    /// The wait that the other side asked for.
    pub retry_after: Option<Duration>,
    /// What is known about the run, such as the status of a reply.
    pub result: Option<Value>,
}

impl Error {
    /// A failure that repeats however often it is tried.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: false,
            is_outage: false,
            retry_after: None,
            result: None,
        }
    }

    /// A failure that may pass.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::permanent(message) }
    }

    /// A failure of the installation itself, in which nothing was done.
    pub fn outage(message: impl Into<String>) -> Self {
        Self { is_outage: true, ..Self::transient(message) }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let Problem { pointer, message } = problem;
        Self::permanent(format!("the configuration is wrong at `{pointer}`: {message}"))
    }
}
