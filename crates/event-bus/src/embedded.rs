//! The embedded backend: an engine over one SQLite file, in this process.
//!
//! One thread writes, see `writer`; consumers take from memory, see `log` and `state`, and read the file only when they
//! are behind. It must stay true that sequences, ids and positions are those of one process: a lock file sees to it.

mod checkpoint;
mod commit;
mod cursor;
mod dedupe;
mod durable;
mod engine;
mod log;
mod open;
mod ranges;
mod readers;
mod schema;
mod state;
mod sync;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::spawn_blocking,
};

use self::{
    checkpoint::Checkpoints,
    durable::{Durable, sleep_until},
    engine::{Engine, flush_late},
    log::Log,
    readers::Readers,
    schema::Files,
    state::Taken,
    sync::Syncs,
    writer::{Command, Reply, Writer},
};
use crate::{
    Backend, ConsumerConfig, DeadLetter, EmbeddedOptions, Error, Message, Position, Pulled,
    Receipt, Settlement, Start, Stream, Sync,
};

/// Commands that may wait for the writer; then publishers wait for room.
const COMMANDS_MAX: usize = 4096;

/// How long a settlement may wait for a commit to ride in, when every commit is synced.
const SETTLE_LINGER: Duration = Duration::from_millis(50);

/// An open bus in this process.
#[derive(Debug)]
pub(crate) struct Embedded {
    engine: Arc<Engine>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    /// Held while a consumer is opened or moved, so that two members do not make two of it.
    opening: Mutex<()>,
}

impl Embedded {
    pub(crate) async fn open(directory: &Path, options: EmbeddedOptions) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        let directory = directory.to_owned();
        let linger = match options.sync {
            Sync::EveryCommit => SETTLE_LINGER,
            Sync::Interval(interval) => interval,
        };
        let commands = sender.downgrade();
        let opened = spawn_blocking(move || {
            let files = Files::in_directory(&directory)?;
            let lock = files.lock()?;
            let connection = files.writer()?;
            let now = options.clock.now().timestamp_micros();
            let heads = open::heads(&connection).map_err(Error::backend("read its streams"))?;
            let dedupe =
                open::dedupe(&connection, now).map_err(Error::backend("read its streams"))?;
            let log = Log::new(heads.map(|head| head.sequence));
            let readers = Readers::new(files.clone());
            let engine = Arc::new(Engine::new(log, readers, options.clock));
            let checkpoints = Checkpoints::new(files, commands);
            let syncs = Syncs::new(options.sync);
            let commands = receiver;
            let shared = Arc::clone(&engine);
            let writer =
                Writer { connection, engine, commands, heads, dedupe, syncs, checkpoints, lock };
            let thread = thread::Builder::new()
                .name("omni-bus-writer".into())
                .spawn(move || {
                    // However it ends, nobody must wait for it any longer.
                    let _closing = writer.engine.closing.clone().drop_guard();
                    writer.run();
                })
                .map_err(Error::backend("start its writer"))?;
            Ok((shared, thread))
        });
        let (engine, thread) = opened.await.map_err(Error::backend("open"))??;
        tokio::spawn(flush_late(Arc::clone(&engine), sender.downgrade(), linger));
        Ok(Self { engine, commands: Some(sender), thread: Some(thread), opening: Mutex::new(()) })
    }

    /// Asks the writer, and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(Error::Closed)?;
        commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn flush(&self) -> Result<(), Error> {
        self.ask(|reply| Command::Flush { reply: Some(reply) }).await
    }

    /// Reads the page that a consumer misses, unless another member was quicker.
    async fn read(
        &self,
        durable: &Durable,
        stream: Stream,
        range: (u64, u64),
    ) -> Result<(), Error> {
        let _reading = durable.reading.lock().await;
        if !durable.state().misses(&self.engine.log, stream, range.0) {
            return Ok(());
        }
        let filters = durable.config.filters.clone();
        let read = move |connection: &_| readers::page(connection, stream, range, &filters);
        let page = self.engine.readers.run(read).await?;
        durable.state().put(stream, page);
        Ok(())
    }
}

#[async_trait]
impl Backend for Embedded {
    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Receipt>, Error> {
        self.ask(|reply| Command::Publish { messages, reply }).await
    }

    async fn open_consumer(&self, config: &ConsumerConfig) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        if let Some(durable) = self.engine.find(&config.name) {
            if durable.accepts(config) {
                return Ok(());
            }
            let reason = "it is open here with other settings".to_owned();
            return Err(Error::Consumer { name: config.name.clone(), reason });
        }
        let streams = open::streams(&config.filters)?;
        // Taken before the positions are read: what is committed in between comes after a new consumer's start.
        let ends = open::ends(&self.engine.log, streams);
        let wanted = config.clone();
        let read = move |connection: &_| open::state(connection, &wanted, &ends);
        let state = self.engine.readers.run(read).await?;
        let durable = Arc::new(Durable::new(config.clone(), state));
        self.engine.insert(Arc::clone(&durable));
        // A new consumer must be stored before anything else happens, or a crash would lose where it began.
        self.engine.mark(&durable);
        self.flush().await
    }

    async fn pull(&self, consumer: &str, max: usize) -> Result<Vec<Pulled>, Error> {
        let engine = &self.engine;
        let clock = &*engine.clock;
        let durable = engine.durable(consumer)?;
        let mut watches = None;
        loop {
            if engine.closing.is_cancelled() {
                return Ok(Vec::new());
            }
            let until = match durable.take(&engine.log, clock, max) {
                Taken::Messages(pulled) => return Ok(pulled),
                Taken::Missing { stream, from, through } => {
                    self.read(&durable, stream, (from, through)).await?;
                    continue;
                }
                Taken::Nothing { until } => until,
            };
            if durable.state().is_stale() {
                engine.mark(&durable);
            }
            // Subscribed before the last look, so that nothing happens unseen between the look and the wait.
            let Some((commits, changes)) = &mut watches else {
                watches = Some((engine.log.subscribe(), durable.subscribe()));
                continue;
            };
            engine.durable(consumer)?;
            tokio::select! {
                () = engine.closing.cancelled() => {}
                _ = commits.changed() => {}
                _ = changes.changed() => {}
                () = sleep_until(clock, until) => {}
            }
        }
    }

    async fn settle(&self, consumer: &str, settlements: Vec<Settlement>) -> Result<(), Error> {
        let durable = self.engine.durable(consumer)?;
        if self.commands.as_ref().is_none_or(mpsc::Sender::is_closed) {
            return Err(Error::Closed);
        }
        durable.settle(settlements, &*self.engine.clock);
        self.engine.mark(&durable);
        Ok(())
    }

    async fn seek(&self, consumer: &str, start: Start) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        let durable = self.engine.durable(consumer)?;
        let ends = open::ends(&self.engine.log, open::streams(&durable.config.filters)?);
        let config = ConsumerConfig { start, ..durable.config.clone() };
        let read = move |connection: &_| {
            let place = |(stream, head)| open::start(connection, stream, head, &config);
            ends.into_iter().map(place).collect()
        };
        let cursors = self.engine.readers.run(read).await?;
        durable.state().seek(cursors);
        durable.wake();
        self.engine.mark(&durable);
        self.flush().await
    }

    async fn forget(&self, consumer: &str) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        self.engine.remove(consumer);
        let consumer = consumer.to_owned();
        self.ask(|reply| Command::Forget { consumer, reply }).await
    }

    async fn purge_expired(&self) -> Result<u64, Error> {
        let mut purged = 0;
        for stream in Stream::ALL {
            let retention = stream.retention().as_micros() as i64;
            let horizon = self.engine.clock.now().timestamp_micros() - retention;
            let read = move |connection: &_| readers::first_at(connection, stream, horizon);
            let Some(before) = self.engine.readers.run(read).await? else { continue };
            loop {
                let step = self.ask(|reply| Command::Purge { stream, before, reply }).await?;
                if step == 0 {
                    break;
                }
                purged += step;
            }
        }
        Ok(purged)
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.flush().await?;
        self.engine.readers.run(move |connection| readers::dead_letters(connection, limit)).await
    }

    fn positions(&self) -> Vec<Position> {
        self.engine.positions()
    }

    async fn drain(&self) -> Result<(), Error> {
        self.engine.closing.cancel();
        match self.ask(|reply| Command::Close { reply }).await {
            // It was drained before.
            Err(Error::Closed) => Ok(()),
            outcome => outcome,
        }
    }
}

impl Drop for Embedded {
    /// Lets the writer end, and waits for it, so that the lock is free and the files are at rest afterwards.
    fn drop(&mut self) {
        self.engine.closing.cancel();
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the bus has panicked");
        }
    }
}
