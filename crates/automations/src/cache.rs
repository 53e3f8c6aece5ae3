//! The compiled automations of every organisation, replaced as a whole when one changes.
//!
//! Readers never wait. The replica that takes a change shows it at once; the others reread by the clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use omni_actions::Actions;
use omni_rules::{Rule, RuleIndex};
use omni_store::{Store, automations::AutomationRow};
use tokio_util::sync::CancellationToken;

use crate::{
    Automations,
    automations::from_row,
    compiled::{Compiled, compile},
};

/// How long a change made on another replica may stay unseen here.
const REREAD_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Cache {
    index: ArcSwap<RuleIndex<Arc<Compiled>>>,
    revision: AtomicI64,
    /// One reload at a time, so that an older picture never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl Cache {
    pub(crate) fn empty() -> Self {
        Self {
            index: ArcSwap::from_pointee(RuleIndex::build(Vec::new())),
            revision: AtomicI64::new(-1),
            reloading: tokio::sync::Mutex::default(),
        }
    }

    /// The rules as they are now; hold it only while matching one batch.
    pub(crate) fn index(&self) -> Arc<RuleIndex<Arc<Compiled>>> {
        self.index.load_full()
    }

    /// Reads everything again if anything has changed.
    pub(crate) async fn reload(
        &self,
        store: &Store,
        actions: &Actions,
    ) -> Result<(), omni_store::Error> {
        let _one = self.reloading.lock().await;
        let mut conn = store.read().await?;
        // Read before the rows: a change in between is then seen by the next reload instead of never.
        let revision = omni_store::automations::revision(&mut conn).await?;
        if revision == self.revision.load(Ordering::Acquire) {
            return Ok(());
        }
        let rows = omni_store::automations::all(&mut conn).await?;
        drop(conn);
        let rules = rows.into_iter().filter(|row| row.enabled);
        let rules = rules.filter_map(|row| rule(row, actions)).collect();
        self.index.store(Arc::new(RuleIndex::build(rules)));
        self.revision.store(revision, Ordering::Release);
        Ok(())
    }
}

/// A stored automation that no longer compiles (an action was removed) is left out and said, never a reason to stop.
fn rule(row: AutomationRow, actions: &Actions) -> Option<Rule<Arc<Compiled>>> {
    let (id, org) = (row.id, row.org.clone());
    let automation = match from_row(row) {
        Ok(automation) => automation,
        Err(error) => {
            tracing::error!(automation = %id, org, error = %error, "a stored automation cannot be read and is off");
            return None;
        }
    };
    match compile(automation, actions) {
        Ok(compiled) => {
            let definition = &compiled.automation.definition;
            Some(Rule {
                org,
                type_pattern: definition.trigger_event_type.as_str().to_owned(),
                priority: definition.priority,
                order: definition.name.clone(),
                item: Arc::new(compiled),
            })
        }
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
