//! The thread that writes: takes whatever waits, commits it once, answers, and wakes the consumers.
//!
//! It must stay true that nobody learns of anything before the commit that holds it, that a failed commit leaves
//! memory as it was, and that after a failed sync nothing is taken any more: the system may report it once and then
//! call lost pages clean, so a later sync that works proves nothing.

use std::{fs::File, mem, sync::Arc, thread};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::mpsc::Receiver;

use super::{
    checkpoint::{self, Checkpoints},
    commands::{Answers, Command, Group, Purge},
    commit::{self, Appended, Heads, Insert},
    dedupe::Dedupe,
    durable::Durable,
    engine::Engine,
    state::Journal,
    sync::{Syncs, is_sync_failure},
};
use crate::{Error, Health, Stream};

/// Most that a stream outgrows its size before something is removed, in bytes.
const SLACK_MAX: u64 = 4 << 20;

/// How often the processor is offered to others while nobody comes who is expected: some 50 microseconds in all, a part of
/// what a sync takes.
const IDLE_MAX: u32 = 100;

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
    /// Commits that failed since the last one that worked.
    pub(super) failures: u32,
    /// How many publishers are likely to be heard of soon: those just answered, and those who wait.
    pub(super) expected: usize,
    /// Why nothing is written any more.
    pub(super) broken: Option<Error>,
    /// Given back after the connection is closed: fields are dropped in order.
    pub(super) lock: File,
}

impl Writer {
    /// Runs until the bus is closed or its last handle is dropped.
    pub(super) fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            let mut group = Group::default();
            group.add(first);
            self.gather(&mut group);
            if let Some(outcome) = group.checkpointed.take() {
                self.checkpointed(outcome);
            }
            let close = group.close.take();
            let publishers = group.publishes.len();
            let outcome = self.commit(group, close.is_some());
            if let Some(reply) = close {
                self.close();
                let _ = reply.send(outcome);
                return;
            }
            self.expected = publishers + self.commands.len();
        }
        // Nobody waits for this; what it cannot store is handed out again.
        let _ = self.commit(Group::default(), true);
        self.close();
    }

    /// Takes what waits, and what is about to come: those who were answered a moment ago often publish again at once, and
    /// one commit for all of them is worth more than two for half of them each.
    ///
    /// Nobody waits for others who do not exist: alone, a publisher is expected alone.
    fn gather(&mut self, group: &mut Group) {
        let mut idle = 0;
        while !group.is_full() {
            match self.commands.try_recv() {
                Ok(next) => {
                    group.add(next);
                    idle = 0;
                }
                Err(_) if group.publishes.len() < self.expected && idle < IDLE_MAX => {
                    idle += 1;
                    thread::yield_now();
                }
                Err(_) => return,
            }
        }
    }

    /// Closes the database, then gives the lock back, and only then lets the caller know.
    fn close(self) {
        self.engine.readers.close();
        if self.broken.is_none() {
            checkpoint::finish(&self.connection);
        } else if let Err(error) =
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::warn!(%error, "the log of the bus is moved though a sync failed");
        }
        let Self { connection, lock, .. } = self;
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "the database of the bus was not closed properly");
        }
        drop(lock);
    }

    fn checkpointed(&mut self, outcome: rusqlite::Result<()>) {
        let outcome = match &self.broken {
            None => self.checkpoints.ended(&self.connection, outcome),
            Some(_) => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "a checkpoint of the bus failed");
            if is_sync_failure(&error) {
                self.give_up(error);
            }
        }
    }

    /// Commits a group, and tells everyone concerned.
    fn commit(&mut self, mut group: Group, last: bool) -> Result<(), Error> {
        if let Some(broken) = &self.broken {
            group.refuse(broken);
            return Err(broken.clone());
        }
        let journals = self.engine.journals();
        let mut appended = Appended { heads: self.heads, stored: Vec::new() };
        let error = match self.write(&mut group, &journals, &mut appended, last) {
            Ok(answers) => {
                self.heads = appended.heads;
                let published = !appended.stored.is_empty();
                self.engine.log.append(appended.stored);
                self.after_purges(&group);
                group.answer(answers);
                if published {
                    self.engine.log.wake();
                    self.limit();
                }
                return Ok(());
            }
            Err(error) => error,
        };
        tracing::error!(error = &error as &dyn std::error::Error, "a commit of the bus failed");
        self.dedupe.undo(appended.stored.len());
        self.engine.restore(journals);
        let failed = self.failed(error);
        group.refuse(&failed);
        Err(failed)
    }

    fn write(
        &mut self,
        group: &mut Group,
        journals: &[(Arc<Durable>, Journal)],
        appended: &mut Appended,
        last: bool,
    ) -> rusqlite::Result<Answers> {
        let mut answers = Answers::default();
        let now = self.engine.clock.elapsed();
        let probes = self.failures > 0;
        let publishes = !group.publishes.is_empty();
        let sync = self.syncs.begin(&self.connection, publishes, last || probes, now)?;
        let writes = group.writes() || !journals.is_empty();
        if !(writes || sync.is_needed || probes || last) {
            return Ok(answers);
        }
        let wall = self.engine.clock.now().timestamp_micros();
        self.dedupe.expire(wall);
        let transaction = self.connection.unchecked_transaction()?;
        let mut insert = Insert::new(&transaction, &mut self.dedupe, appended, wall);
        for (messages, _) in &mut group.publishes {
            let receipts = mem::take(messages).into_iter().map(|to| insert.message(to));
            answers.receipts.push(receipts.collect::<rusqlite::Result<_>>()?);
        }
        drop(insert);
        for (durable, journal) in journals {
            commit::journal(&transaction, &durable.config.name, journal)?;
        }
        for (purge, _) in &group.purges {
            answers.purged.push(match *purge {
                Purge::Stream { stream, before } => {
                    let size_max = self.engine.limits.of(stream).bytes.unwrap_or(u64::MAX);
                    let head = &mut appended.heads[stream.index()];
                    commit::purge(&transaction, stream, (before, size_max), head)?
                }
                Purge::Dead(from, through) => commit::purge_dead(&transaction, (from, through))?,
            });
        }
        for (consumer, _) in &group.forgets {
            commit::forget(&transaction, consumer)?;
        }
        commit::count(&transaction, &mut appended.heads, last)?;
        if !writes && (sync.is_needed || probes) {
            transaction.execute("INSERT OR REPLACE INTO syncs VALUES (1, ?1)", [wall])?;
        }
        transaction.commit()?;
        self.syncs.end(sync, now, &self.engine);
        self.checkpoints.written(group.size, journals.len());
        if mem::take(&mut self.failures) > 0 {
            self.engine.health.send_replace(Health::Up);
        }
        Ok(answers)
    }

    /// Takes note of a failed commit, and sees to it that the disk is tried again.
    fn failed(&mut self, error: rusqlite::Error) -> Error {
        self.failures = self.failures.saturating_add(1);
        if is_sync_failure(&error) {
            return self.give_up(error);
        }
        self.engine.health.send_replace(Health::after(self.failures));
        self.engine.unsynced();
        Error::backend("write to its database")(error)
    }

    /// Takes nothing more.
    fn give_up(&mut self, error: rusqlite::Error) -> Error {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "what the bus wrote may not be on the disk: it takes nothing more until it is opened again"
        );
        let attempts = self.failures.max(Health::ATTEMPTS_MAX);
        self.engine.health.send_replace(Health::after(attempts));
        let doing =
            "be sure that what it writes is kept, and takes nothing more until it is opened again";
        let error = Error::backend(doing)(error);
        self.broken = Some(error.clone());
        error
    }

    fn after_purges(&self, group: &Group) {
        for (purge, _) in &group.purges {
            if let Purge::Stream { stream, .. } = *purge {
                self.engine.log.forget(stream, self.heads[stream.index()].purged + 1);
            }
        }
    }

    /// Has the purger look when a stream has outgrown its size by so much that a step is worth it.
    fn limit(&self) {
        let exceeds = |stream: Stream| {
            let Some(size_max) = self.engine.limits.of(stream).bytes else { return false };
            self.heads[stream.index()].size > size_max + (size_max / 16).min(SLACK_MAX)
        };
        if Stream::ALL.into_iter().any(exceeds) {
            self.engine.exceeded();
        }
    }
}
