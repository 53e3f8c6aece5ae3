//! Looking back before anything is done: what was recorded for an event, or for the one that it brings back.
//!
//! It must stay true that an ordinary event that nobody can have had before costs no look into the store.

use std::{sync::atomic::Ordering, time::Duration};

use omni_events::Event;
use omni_store::{
    Kind,
    events::is_processed,
    executions::{ExecutionRow, for_event, of_replays},
};

use super::{Decision, Handling, Verdict};
use crate::replaying::{self, Earlier};

/// The longest pause between looks at the store while it is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What was recorded before this delivery of an event.
#[derive(Default)]
pub(super) struct Before {
    /// For this event, by an earlier delivery.
    pub(super) executions: Vec<ExecutionRow>,
    /// For the event that this one replays, and its other replays.
    pub(super) earlier: Earlier,
}

impl Handling {
    /// What was recorded for this event by an earlier delivery of it; `None` inside when that is all there is to do.
    /// While the store is away it is asked again: giving the event back would make a dead letter of it before long.
    pub(super) async fn look_back(
        &self,
        event: &Event,
        attempt: u32,
        decisions: &[Decision],
    ) -> Option<Option<Before>> {
        let is_fresh = self.is_fresh(event, attempt);
        if is_fresh && replaying::spares(event).is_none() {
            return Some(Some(Before::default()));
        }
        let mut failures = 0u32;
        let found = loop {
            // Boxed like the plan: opening a connection is a large future.
            match Box::pin(self.recorded(event, is_fresh, decisions)).await {
                Ok(found) => break found,
                Err(error) => {
                    tracing::warn!(error = %error, event = %event.id, "the store is away; an event waits for it");
                }
            }
            let pause = Duration::from_millis(50 << failures.min(7)).min(PAUSE_MAX);
            self.closing.run_until_cancelled(self.engine.clock.sleep(pause)).await?;
            failures += 1;
        };
        if found.as_ref().is_none_or(|before| !before.executions.is_empty()) {
            self.engine.stats.repeated.fetch_add(1, Ordering::Relaxed);
        }
        Some(found)
    }

    /// Whether nobody can have had this event before: it is delivered for the first time and is on the bus once, the store
    /// has one process at a time, and it was received after this one began, by a clock that has not been set back since.
    fn is_fresh(&self, event: &Event, attempt: u32) -> bool {
        attempt <= 1
            && self.engine.store.kind() == Kind::Sqlite
            && event.received_at > self.engine.automations.opened()
            && event.received_at <= self.engine.clock.now()
            && !self.engine.repeats.cover(event.received_at)
    }

    async fn recorded(
        &self,
        event: &Event,
        is_fresh: bool,
        decisions: &[Decision],
    ) -> Result<Option<Before>, omni_store::Error> {
        let org = event.metadata.org.as_str();
        let mut before = Before::default();
        let mut conn = self.engine.store.read().await?;
        if !is_fresh {
            // The outcome is one commit with every execution, so nothing is left to do, whatever the rules are by now.
            if is_processed(&mut conn, event.id).await? {
                return Ok(None);
            }
            before.executions = for_event(&mut conn, org, event.id).await?;
        }
        if let Some(original) = replaying::spares(event) {
            let ran = decisions.iter().filter(|(_, verdict)| *verdict == Verdict::Runs);
            let ids: Vec<_> = ran.map(|(compiled, _)| compiled.automation.id).collect();
            before.earlier = Earlier::new(&of_replays(&mut conn, org, &ids, original).await?);
        }
        Ok(Some(before))
    }
}
