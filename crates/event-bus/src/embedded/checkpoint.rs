//! Moving the log of the database into its tables, by size and mostly off the writer's thread.
//!
//! A checkpoint beside a busy writer never reaches the end of the log, so the log would grow for ever. The background
//! does nearly all of it; then the writer does the small rest, and begins the log anew.

use rusqlite::Connection;
use tokio::{runtime::Handle, sync::mpsc::WeakSender};

use super::{commands::Command, schema::Files};

/// The log is moved when about this much was written, in bytes: seldom enough that a page is moved once for many
/// writes, often enough that opening after a crash is quick.
const LOG_SIZE_MAX: usize = 64 << 20;

/// What one commit writes beside the messages, about: the pages at the end of a stream and of the positions.
const COMMIT_SIZE: usize = 32 << 10;

/// How much has been written, and whether a checkpoint runs.
#[derive(Debug)]
pub(super) struct Checkpoints {
    files: Files,
    runtime: Handle,
    commands: WeakSender<Command>,
    written: usize,
    running: bool,
}

impl Checkpoints {
    /// Needs the runtime it is called in.
    pub(super) fn new(files: Files, commands: WeakSender<Command>) -> Self {
        Self { files, runtime: Handle::current(), commands, written: 0, running: false }
    }

    /// Takes note of a commit; begins a checkpoint when enough was written.
    pub(super) fn written(&mut self, size: usize, journals: usize) {
        self.written += size + COMMIT_SIZE + journals * 64;
        if self.running || self.written < LOG_SIZE_MAX {
            return;
        }
        self.running = true;
        let (files, commands) = (self.files.clone(), self.commands.clone());
        self.runtime.spawn_blocking(move || {
            let outcome = files.connect().and_then(|c| checkpoint(&c, "PASSIVE"));
            // Without a writer nobody waits for it.
            if let Some(commands) = commands.upgrade() {
                let _ = commands.blocking_send(Command::Checkpointed(outcome.map(drop)));
            }
        });
    }

    /// After the background is done: moves the rest, so that the next commit begins the log anew.
    pub(super) fn ended(
        &mut self,
        connection: &Connection,
        outcome: rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.running = false;
        // Someone is reading, or it failed: try again when some more was written.
        self.written = LOG_SIZE_MAX * 3 / 4;
        outcome?;
        if checkpoint(connection, "RESTART")? {
            self.written = 0;
        }
        Ok(())
    }
}

/// Leaves a database with an empty log.
pub(super) fn finish(connection: &Connection) {
    if let Err(error) = checkpoint(connection, "TRUNCATE") {
        tracing::warn!(%error, "the last checkpoint of the bus failed");
    }
}

/// Returns whether it went to the end.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}
