//! The thread that writes: takes whatever waits, commits it once, answers, and wakes the consumers.
//!
//! It must stay true that nobody learns of anything before the commit that holds it, and that a failed commit leaves
//! memory as it was.

use std::{fs::File, sync::Arc};

use rusqlite::Connection;
use tokio::sync::{mpsc::Receiver, oneshot};

use super::{
    checkpoint::{self, Checkpoints},
    commit::{self, Appended, Heads, Insert},
    dedupe::Dedupe,
    durable::Durable,
    engine::Engine,
    state::Journal,
    sync::Syncs,
};
use crate::{Error, Message, Receipt, Stream};

/// Most bytes of messages in one commit; it bounds how long a publisher that just missed it waits.
const GROUP_SIZE_MAX: usize = 8 << 20;

/// Where the answer to a command goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the writer can be asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Put messages into their streams.
    Publish { messages: Vec<Message>, reply: Reply<Vec<Receipt>> },
    /// Store what consumers have settled, and sync if that is due. With a reply it is waited for.
    Flush { reply: Option<Reply<()>> },
    /// Remove some of the oldest messages before a sequence.
    Purge { stream: Stream, before: u64, reply: Reply<u64> },
    /// Remove a consumer.
    Forget { consumer: String, reply: Reply<()> },
    /// A checkpoint in the background has ended.
    Checkpointed,
    /// Commit, checkpoint and end.
    Close { reply: Reply<()> },
}

/// What one commit is about.
#[derive(Debug, Default)]
struct Group {
    size: usize,
    publishes: Vec<(Vec<Message>, Reply<Vec<Receipt>>)>,
    flushes: Vec<Reply<()>>,
    purges: Vec<(Stream, u64, Reply<u64>)>,
    forgets: Vec<(String, Reply<()>)>,
    checkpointed: bool,
    close: Option<Reply<()>>,
}

impl Group {
    fn add(&mut self, command: Command) {
        match command {
            Command::Publish { messages, reply } => {
                self.size += messages.iter().map(|message| message.data.len()).sum::<usize>();
                self.publishes.push((messages, reply));
            }
            Command::Flush { reply } => self.flushes.extend(reply),
            Command::Purge { stream, before, reply } => self.purges.push((stream, before, reply)),
            Command::Forget { consumer, reply } => self.forgets.push((consumer, reply)),
            Command::Checkpointed => self.checkpointed = true,
            Command::Close { reply } => self.close = Some(reply),
        }
    }

    fn is_full(&self) -> bool {
        self.size >= GROUP_SIZE_MAX || self.close.is_some()
    }

    fn writes(&self) -> bool {
        !(self.publishes.is_empty() && self.purges.is_empty() && self.forgets.is_empty())
    }
}

/// What a commit has to tell.
#[derive(Debug, Default)]
struct Answers {
    receipts: Vec<Vec<Receipt>>,
    /// How many messages each purge removed, and before which sequence.
    purged: Vec<(u64, u64)>,
}

/// The writer and all that only it may touch.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) engine: Arc<Engine>,
    pub(super) commands: Receiver<Command>,
    pub(super) heads: Heads,
    pub(super) dedupe: Dedupe,
    pub(super) syncs: Syncs,
    pub(super) checkpoints: Checkpoints,
    /// Given back after the connection is closed: fields are dropped in order.
    pub(super) lock: File,
}

impl Writer {
    /// Runs until the bus is closed or its last handle is dropped.
    pub(super) fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            let mut group = Group::default();
            group.add(first);
            while !group.is_full()
                && let Ok(next) = self.commands.try_recv()
            {
                group.add(next);
            }
            if group.checkpointed {
                self.checkpoints.restart_log(&self.connection);
            }
            let close = group.close.take();
            let outcome = self.commit(group, close.is_some());
            if let Some(reply) = close {
                self.close();
                let _ = reply.send(outcome);
                return;
            }
        }
        // Nobody waits for this; what it cannot store is handed out again.
        let _ = self.commit(Group::default(), true);
    }

    /// Closes the database, then gives the lock back, and only then lets the caller know.
    fn close(self) {
        self.engine.readers.close();
        checkpoint::finish(&self.connection);
        let Self { connection, lock, .. } = self;
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "the database of the bus was not closed properly");
        }
        drop(lock);
    }

    /// Commits a group, and tells everyone concerned.
    fn commit(&mut self, group: Group, last: bool) -> Result<(), Error> {
        let journals = self.engine.journals();
        let mut appended = Appended { heads: self.heads, stored: Vec::new() };
        let outcome = self.write(&group, &journals, &mut appended, last);
        let failed = match outcome {
            Ok(answers) => {
                self.heads = appended.heads;
                let published = !appended.stored.is_empty();
                self.engine.log.append(appended.stored);
                for ((stream, ..), (_, before)) in group.purges.iter().zip(&answers.purged) {
                    self.engine.log.forget(*stream, *before);
                }
                answer(group, answers);
                if published {
                    self.engine.log.wake();
                }
                return Ok(());
            }
            Err(error) => Error::backend("write to its database")(error),
        };
        tracing::error!(error = &failed as &dyn std::error::Error, "a commit of the bus failed");
        self.dedupe.undo(appended.stored.len());
        self.engine.restore(journals);
        refuse(group, &failed);
        Err(failed)
    }

    fn write(
        &mut self,
        group: &Group,
        journals: &[(Arc<Durable>, Journal)],
        appended: &mut Appended,
        last: bool,
    ) -> rusqlite::Result<Answers> {
        let mut answers = Answers::default();
        let now = self.engine.clock.elapsed();
        let sync = self.syncs.begin(&self.connection, !group.publishes.is_empty(), last, now)?;
        let writes = group.writes() || !journals.is_empty();
        if !writes && !sync.is_needed {
            return Ok(answers);
        }
        let wall = self.engine.clock.now().timestamp_micros();
        self.dedupe.expire(wall);
        let transaction = self.connection.unchecked_transaction()?;
        let mut insert =
            Insert { connection: &transaction, dedupe: &mut self.dedupe, appended, now: wall };
        for (messages, _) in &group.publishes {
            let receipts = messages.iter().map(|message| insert.message(message));
            answers.receipts.push(receipts.collect::<rusqlite::Result<_>>()?);
        }
        for (durable, journal) in journals {
            commit::journal(&transaction, &durable.config.name, journal)?;
        }
        for (stream, before, _) in &group.purges {
            answers.purged.push(commit::purge(&transaction, *stream, *before)?);
        }
        for (consumer, _) in &group.forgets {
            commit::forget(&transaction, consumer)?;
        }
        if !writes {
            transaction.execute("INSERT OR REPLACE INTO syncs VALUES (1, ?1)", [wall])?;
        }
        transaction.commit()?;
        self.syncs.end(sync, now, &self.engine);
        self.checkpoints.written(group.size, journals.len());
        Ok(answers)
    }
}

fn answer(group: Group, answers: Answers) {
    // A caller that has gone away does not want to know.
    for ((_, reply), receipts) in group.publishes.into_iter().zip(answers.receipts) {
        let _ = reply.send(Ok(receipts));
    }
    for ((.., reply), (purged, _)) in group.purges.into_iter().zip(answers.purged) {
        let _ = reply.send(Ok(purged));
    }
    let forgotten = group.forgets.into_iter().map(|(_, reply)| reply);
    for reply in group.flushes.into_iter().chain(forgotten) {
        let _ = reply.send(Ok(()));
    }
}

fn refuse(group: Group, error: &Error) {
    for (_, reply) in group.publishes {
        let _ = reply.send(Err(error.clone()));
    }
    for (.., reply) in group.purges {
        let _ = reply.send(Err(error.clone()));
    }
    let forgotten = group.forgets.into_iter().map(|(_, reply)| reply);
    for reply in group.flushes.into_iter().chain(forgotten) {
        let _ = reply.send(Err(error.clone()));
    }
}
