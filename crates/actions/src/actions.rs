//! The set of actions that an installation offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use omni_clock::Clock;
use omni_egress::Egress;
use omni_event_log::EventLog;

use crate::action::Action;
use crate::{EmitEvent, Log, Webhook};

/// Actions by kind. Cheap to clone.
#[derive(Clone, Default)]
pub struct Actions {
    by_kind: BTreeMap<&'static str, Arc<dyn Action>>,
}

impl Actions {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The actions of this crate.
    pub fn built_in(log: EventLog, egress: Egress, clock: Arc<dyn Clock>) -> Self {
        Self::new()
            .with(Arc::new(Log))
            .with(Arc::new(EmitEvent::new(log)))
            .with(Arc::new(Webhook::new(egress, clock)))
    }

    /// Adds an action, in place of one of the same kind.
    pub fn with(mut self, action: Arc<dyn Action>) -> Self {
        self.by_kind.insert(action.kind(), action);
        self
    }

    /// The action of this kind.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Action>> {
        self.by_kind.get(kind)
    }

    /// The kinds, in alphabetical order.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.by_kind.keys().copied().collect()
    }

    /// Every action, in the order of [`Actions::kinds`].
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Action>> {
        self.by_kind.values()
    }
}

impl std::fmt::Debug for Actions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_kind.keys()).finish()
    }
}
