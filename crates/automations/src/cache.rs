//! The compiled automations of every organisation, in the index that events are matched by.
//!
//! Readers never wait. The replica that takes a change shows it at once, by one rule; the others reread by the clock. It must
//! stay true that an older picture never replaces a newer one: whoever changes something holds the lock from before the
//! commit until the rule is in the index.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use omni_actions::Actions;
use omni_rules::{Rule, RuleIndex, Rules};
use omni_store::{Store, automations::AutomationRow};
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Automations,
    automations::from_row,
    compiled::{Compiled, compile},
};

/// How long a change made on another replica may stay unseen here.
const REREAD_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Cache {
    rules: Rules<Arc<Compiled>>,
    /// Those of the index by their ids.
    known: RwLock<HashMap<Uuid, Arc<Compiled>>>,
    /// The revision of the store that the index shows.
    revision: tokio::sync::Mutex<i64>,
}

impl Cache {
    pub(crate) fn empty() -> Self {
        let revision = tokio::sync::Mutex::new(-1);
        Self { rules: Rules::default(), known: RwLock::default(), revision }
    }

    /// The rules as they are now; hold it only while matching one batch.
    pub(crate) fn index(&self) -> Arc<RuleIndex<Arc<Compiled>>> {
        self.rules.load()
    }

    /// The automation as it is in force; none when it is off.
    pub(crate) fn known(&self, id: Uuid) -> Option<Arc<Compiled>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Reads everything again if anything has changed that is not shown yet.
    pub(crate) async fn reload(
        &self,
        store: &Store,
        actions: &Actions,
    ) -> Result<(), omni_store::Error> {
        let mut shown = self.revision.lock().await;
        let mut conn = store.read().await?;
        // Read before the rows: a change in between is then seen by the next reload instead of never.
        let revision = omni_store::automations::revision(&mut conn).await?;
        if revision == *shown {
            return Ok(());
        }
        let rows = omni_store::automations::all(&mut conn).await?;
        drop(conn);
        let rows = rows.into_iter().filter(|row| row.enabled);
        let found: Vec<_> = rows.filter_map(|row| self.compiled(row, actions)).collect();
        self.rules.replace(found.iter().map(rule).collect());
        let known = found.into_iter().map(|one| (one.automation.id, one)).collect();
        self.know_all(known);
        *shown = revision;
        Ok(())
    }

    fn know_all(&self, all: HashMap<Uuid, Arc<Compiled>>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// What a row is when compiled; what has not changed is not compiled again.
    fn compiled(&self, row: AutomationRow, actions: &Actions) -> Option<Arc<Compiled>> {
        let is_same = |known: &Arc<Compiled>| {
            let known = &known.automation;
            known.version == row.version && known.updated_at == row.updated_at
        };
        self.known(row.id).filter(is_same).or_else(|| ready(row, actions).map(Arc::new))
    }

    /// Sets or forgets what is in force under an id; answers what was.
    fn know(&self, id: Uuid, now: Option<&Arc<Compiled>>) -> Option<Arc<Compiled>> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match now {
            Some(now) => known.insert(id, now.clone()),
            None => known.remove(&id),
        }
    }

    /// Begins a change; take it before the change is committed.
    pub(crate) async fn change(&self) -> Change<'_> {
        Change { cache: self, shown: self.revision.lock().await }
    }
}

/// A change of one automation, from before its commit on.
pub(crate) struct Change<'a> {
    cache: &'a Cache,
    shown: MutexGuard<'a, i64>,
}

impl Change<'_> {
    /// Puts an automation in force, or out of force when it is off.
    pub(crate) async fn put(self, store: &Store, compiled: Compiled) {
        if !compiled.automation.definition.enabled {
            return self.remove(store, compiled.automation.id).await;
        }
        let compiled = Arc::new(compiled);
        let before = self.cache.know(compiled.automation.id, Some(&compiled));
        if let Err(refused) = self.cache.rules.put(rule(&compiled)) {
            // A definition has no such pattern; what is in the store is read again by the clock.
            tracing::error!(automation = %compiled.automation.id, ?refused, "an automation could not be put in force");
            return;
        }
        let name = |one: &Compiled| one.automation.definition.name.clone();
        // Last, so that no event comes between and finds neither.
        if let Some(before) = before.filter(|before| name(before) != name(&compiled)) {
            self.cache.rules.remove(before.automation.org.as_str(), &name(&before));
        }
        self.end(store).await;
    }

    /// Puts an automation out of force.
    pub(crate) async fn remove(self, store: &Store, id: Uuid) {
        if let Some(before) = self.cache.know(id, None) {
            let automation = &before.automation;
            self.cache.rules.remove(automation.org.as_str(), &automation.definition.name);
        }
        self.end(store).await;
    }

    /// Notes that the change is shown, if no other replica has changed anything meanwhile. Otherwise, and when that cannot
    /// be known, everything is read again by the clock.
    async fn end(mut self, store: &Store) {
        let Ok(mut conn) = store.read().await else { return };
        if let Ok(revision) = omni_store::automations::revision(&mut conn).await
            && revision == *self.shown + 1
        {
            *self.shown = revision;
        }
    }
}

fn rule(compiled: &Arc<Compiled>) -> Rule<Arc<Compiled>> {
    let automation = &compiled.automation;
    let definition = &automation.definition;
    Rule {
        org: automation.org.as_str().to_owned(),
        type_pattern: definition.trigger_event_type.as_str().to_owned(),
        priority: definition.priority,
        order: definition.name.clone(),
        filter: compiled.filter.clone(),
        item: compiled.clone(),
    }
}

/// A stored automation that no longer compiles (an action was removed) is left out and said, never a reason to stop.
fn ready(row: AutomationRow, actions: &Actions) -> Option<Compiled> {
    let (id, org) = (row.id, row.org.clone());
    let automation = match from_row(row) {
        Ok(automation) => automation,
        Err(error) => {
            tracing::error!(automation = %id, org, error = %error, "a stored automation cannot be read and is off");
            return None;
        }
    };
    match compile(automation, actions) {
        Ok(compiled) => Some(compiled),
        Err(problems) => {
            tracing::error!(automation = %id, org, problems = ?problems, "a stored automation is not valid any more and is off");
            None
        }
    }
}

/// The loop that notices what other replicas have changed.
#[derive(Debug)]
pub struct Refresher(pub(crate) Automations);

impl Refresher {
    /// Rereads by the clock until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let pause = || self.0.clock().sleep(REREAD_EVERY);
        while stop.run_until_cancelled(pause()).await.is_some() {
            if let Err(error) = self.0.reload().await {
                tracing::warn!(error = %error, "automations could not be reread; the last known stay in force");
            }
        }
    }
}
