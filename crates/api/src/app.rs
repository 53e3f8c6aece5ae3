//! What the faces stand on: every handle of the product, and the state of the process.

use std::{fmt, sync::Arc};

use omni_actions::Actions;
use omni_automations::Automations;
use omni_clock::{Clock, Random};
use omni_event_log::{DeadLetters, EventLog};
use omni_registry::Registry;
use omni_schedules::Schedules;
use omni_sources::{Sources, webhook::Receiver};
use omni_store::Store;

use crate::Health;

/// Writes the text that `/metrics` answers.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// The product as the API sees it; the server puts it together.
#[derive(Clone)]
pub struct App {
    /// Where events go in and are looked up.
    pub event_log: EventLog,
    /// What was given up.
    pub dead_letters: DeadLetters,
    /// Definitions of sources.
    pub sources: Sources,
    /// Takes the requests of webhook sources.
    pub receiver: Receiver,
    /// Definitions of schedules and their fires.
    pub schedules: Schedules,
    /// Definitions of automations and what they did.
    pub automations: Automations,
    /// Event types.
    pub registry: Registry,
    /// Kinds of action.
    pub actions: Arc<Actions>,
    /// For what has no handle of its own: counts, kept requests, the readiness check.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where correlation ids come from when a caller gives none.
    pub random: Arc<Random>,
    /// Whether traffic is wanted; the server sets it.
    pub health: Health,
    /// The text of `/metrics`.
    pub metrics: MetricsText,
    /// The version of the product, for the OpenAPI document.
    pub version: &'static str,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("version", &self.version).finish_non_exhaustive()
    }
}
