//! When a commit waits for the disk.
//!
//! SQLite in WAL mode syncs its log on every commit at level FULL and never at level NORMAL, and a sync covers all
//! commits before it. So the level is chosen commit by commit.

use std::time::Duration;

use rusqlite::Connection;

use super::engine::Engine;
use crate::Sync;

/// The policy and where it stands.
#[derive(Debug)]
pub(super) struct Syncs {
    policy: Sync,
    /// The level the connection is at.
    is_full: bool,
    /// When the oldest commit that is not synced was made.
    unsynced_since: Option<Duration>,
}

/// What was decided for one commit.
#[derive(Debug)]
pub(super) struct Decision {
    full: bool,
    publishes: bool,
    /// Whether something must be written only to be synced.
    pub(super) is_needed: bool,
}

impl Syncs {
    pub(super) fn new(policy: Sync) -> Self {
        Self { policy, is_full: false, unsynced_since: None }
    }

    /// Sets the level for the commit that follows. It is synced in any case if it must be `sure`.
    pub(super) fn begin(
        &mut self,
        connection: &Connection,
        publishes: bool,
        sure: bool,
        now: Duration,
    ) -> rusqlite::Result<Decision> {
        let due = match self.policy {
            Sync::EveryCommit => false,
            Sync::Interval(interval) => {
                self.unsynced_since.is_some_and(|since| now.saturating_sub(since) >= interval)
            }
        };
        let is_needed = due || (sure && self.unsynced_since.is_some());
        let full = sure || due || (publishes && self.policy == Sync::EveryCommit);
        if full != self.is_full {
            connection.pragma_update(None, "synchronous", if full { "full" } else { "normal" })?;
            self.is_full = full;
        }
        Ok(Decision { full, publishes, is_needed })
    }

    /// Takes note of the commit.
    pub(super) fn end(&mut self, decision: Decision, now: Duration, engine: &Engine) {
        if decision.full {
            self.unsynced_since = None;
        } else if decision.publishes && self.unsynced_since.is_none() {
            self.unsynced_since = Some(now);
            engine.unsynced();
        }
    }
}

/// Whether an error says that written data may be lost, whatever a later sync says.
pub(super) fn is_sync_failure(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC))
}
