//! The cross checks: rows that belong to an event which is not there, and failures that nobody is told of.

use chrono::{DateTime, Utc};
use omni_store::{
    Error,
    audit::{self, KeyName, Table},
};
use uuid::Uuid;

use super::{Run, Severity};

/// Ids that a finding names.
pub(super) const SAMPLES_MAX: usize = 5;
/// What to do about lost events.
pub(super) const LOST: &str = "the bus has them no more and nobody has handled them: replay them by id, and look in the \
                               log of the server for what happened to the bus";

/// The tables, the names of their checks, and what to do.
const TABLES: [(Table, &str, &str); 4] = [
    (
        Table::Outcomes,
        "outcomes_without_event",
        "rows were taken out of omni_events, which only grows: restore them from a backup",
    ),
    (
        Table::Executions,
        "executions_without_event",
        "rows were taken out of omni_events, which only grows: restore them from a backup",
    ),
    (
        Table::Captures,
        "captures_without_event",
        "what was captured belongs to no event: restore the events from a backup, or delete these rows",
    ),
    (
        Table::DeadLetters,
        "dead_letters_without_event",
        "they cannot be retried: restore the events from a backup, or abandon them",
    ),
];

impl Run<'_> {
    /// Runs every check over what belongs to events since a time. What began after `before` may be under way.
    pub(super) async fn check(
        &mut self,
        since: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<(), Error> {
        let (org, store) = (self.org, &self.parts.store);
        for (table, check, hint) in TABLES {
            let mut next = Some(first_id(since));
            while let Some(after) = next
                && self.goes_on()
            {
                let mut conn = store.read().await?;
                let part = audit::strays_of(&mut conn, table, org, after).await?;
                if table == Table::Outcomes {
                    for stray in &part.strays {
                        self.org_counts(&stray.org).difference -= 1;
                    }
                }
                self.found(check, Severity::Fail, hint, part.strays);
                next = part.next;
            }
        }
        // Keys have no time that could be looked for.
        let mut next = self.audit.full.then(KeyName::default);
        while let Some(after) = next
            && self.goes_on()
        {
            let mut conn = store.read().await?;
            let part = audit::stray_keys(&mut conn, org, &after).await?;
            let hint = "a repeat of what was sent would be answered with an event that is not there: restore it from a \
                        backup, or delete the key";
            self.found("dedupe_keys_without_event", Severity::Fail, hint, part.strays);
            next = part.next;
        }
        let mut conn = store.read().await?;
        let found = audit::failed_without_letter(&mut conn, org, since).await?;
        let hint = "they failed before dead letters were kept, and can only be replayed";
        self.found("failures_without_dead_letter", Severity::Warn, hint, found);
        let found = audit::retries_without_event(&mut conn, org, before).await?;
        let hint = "a retry began and its event was never appended: retry or abandon the dead letter by hand";
        self.found("retries_without_event", Severity::Fail, hint, found);
        Ok(())
    }
}

/// The least id that an event could get at a time.
fn first_id(time: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(time.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}
