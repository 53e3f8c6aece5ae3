//! Copies SQLite's write-ahead log into the database beside the commits, so that no commit has to wait for it.
//!
//! What must stay true: this only takes work off the writer. If it fails or is slow, the writer does the same at its own
//! limit, and no commit depends on it.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use diesel::{SqliteConnection, connection::SimpleConnection as _};

use crate::{Error, Result};

/// Statements between two copies. Each may change a page of 8 KiB or more, so the log grows by some 10 MB, an eighth of
/// the writer's own limit.
const STATEMENTS: usize = 1000;

enum Message {
    Copy,
    Stop,
}

/// A thread with a connection of its own that copies the log when it is told to.
pub(crate) struct Checkpointer {
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

/// Tells the checkpointer when enough was written.
pub(crate) struct Writes {
    messages: SyncSender<Message>,
    statements: usize,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path, mut lite: SqliteConnection) -> Result<Self> {
        // One message may wait: more copies than one after the other help nobody.
        let (messages, inbox) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("omni-checkpoint".into())
            .spawn(move || run(&inbox, &mut lite))
            .map_err(|error| Error::Connect {
                place: path.display().to_string(),
                reason: format!("no thread for its log: {error}"),
                advice: "let this process have more threads",
            })?;
        Ok(Self { messages, thread: Some(thread) })
    }

    /// Counts the writes of one connection.
    pub(crate) fn writes(&self) -> Writes {
        Writes { messages: self.messages.clone(), statements: 0 }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // Waits, so that the file is closed when the store is gone.
        if self.messages.send(Message::Stop).is_ok()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that copies the write-ahead log had panicked");
        }
    }
}

impl Writes {
    pub(crate) fn add(&mut self, statements: usize) {
        self.statements += statements;
    }

    /// Called after a commit.
    pub(crate) fn committed(&mut self) {
        if self.statements >= STATEMENTS {
            self.statements = 0;
            // Full means that a copy is waiting already; gone means that the store is closing.
            drop(self.messages.try_send(Message::Copy));
        }
    }
}

fn run(inbox: &Receiver<Message>, lite: &mut SqliteConnection) {
    while let Ok(Message::Copy) = inbox.recv() {
        if let Err(error) = lite.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::warn!(%error, "the write-ahead log was not copied; the writer will do it");
        }
    }
}
