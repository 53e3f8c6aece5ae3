//! The embedded backend: an engine over one SQLite file, in this process.
//!
//! One thread writes, see `writer`; consumers take from memory, see `log` and `state`, and read the file only when they
//! are behind. It must stay true that sequences, ids and positions are those of one process: a lock file sees to it.

mod checkpoint;
mod commands;
mod commit;
mod cursor;
mod dedupe;
mod durable;
mod engine;
mod log;
mod open;
mod purging;
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
    sync::{Mutex, mpsc, watch},
    task::spawn_blocking,
};

use self::{
    checkpoint::Checkpoints,
    commands::{Command, Reply, ask},
    durable::Durable,
    engine::{Engine, flush_late},
    log::Log,
    open::Streams,
    readers::Readers,
    schema::Files,
    state::Taken,
    sync::Syncs,
    writer::Writer,
};
use crate::{
    Addressed, Backend, ConsumerConfig, DeadLetter, EmbeddedOptions, Error, Health, Page, Position,
    Pulled, Read, Receipt, Settlement, Start, Stream, Sync, routes, sleeping::sleep_until,
};

/// Commands that may wait for the writer; then publishers wait for room.
const COMMANDS_MAX: usize = 4096;

/// How long a settlement may wait for a commit to ride in, when every commit is synced.
const SETTLE_LINGER: Duration = Duration::from_millis(50);

/// Largest message, in bytes. It bounds what one commit holds in memory.
const MESSAGE_SIZE_MAX: usize = 16 << 20;

/// An open bus in this process.
#[derive(Debug)]
pub(crate) struct Embedded {
    engine: Arc<Engine>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    identity: String,
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
            let now = options.clock.now();
            let connection = files.writer(&options.random.uuid_v7(now).to_string())?;
            let (identity, heads, dedupe) = open::bus(&connection, now.timestamp_micros())
                .map_err(Error::backend("read its streams"))?;
            let readers = Readers::new(files.clone());
            let engine =
                Arc::new(Engine::new(Log::new(&heads), readers, options.clock, options.limits));
            let checkpoints = Checkpoints::new(files, commands);
            let syncs = Syncs::new(options.sync);
            let shared = Arc::clone(&engine);
            let writer = Writer {
                connection,
                engine,
                commands: receiver,
                heads,
                dedupe,
                syncs,
                checkpoints,
                failures: 0,
                expected: 0,
                broken: None,
                lock,
            };
            let thread = thread::Builder::new()
                .name("omni-bus-writer".into())
                .spawn(move || {
                    // However it ends, nobody must wait for it any longer.
                    let _closing = writer.engine.closing.clone().drop_guard();
                    writer.run();
                })
                .map_err(Error::backend("start its writer"))?;
            Ok((shared, thread, identity))
        });
        let (engine, thread, identity) = opened.await.map_err(Error::backend("open"))??;
        tokio::spawn(flush_late(Arc::clone(&engine), sender.downgrade(), linger));
        tokio::spawn(purging::excess(Arc::clone(&engine), sender.downgrade()));
        let (commands, thread) = (Some(sender), Some(thread));
        Ok(Self { engine, commands, thread, identity, opening: Mutex::new(()) })
    }

    fn commands(&self) -> Result<&mpsc::Sender<Command>, Error> {
        self.commands.as_ref().ok_or(Error::Closed)
    }

    /// Asks the writer, and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        ask(self.commands()?, command).await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.ask(|reply| Command::Flush { reply: Some(reply) }).await
    }

    /// Has a consumer look for routed messages in more streams, if its filters may select such.
    async fn extend(&self, durable: &Arc<Durable>, routed: &[Stream]) -> Result<(), Error> {
        let known = durable.state().streams();
        let missing: Vec<_> =
            routed.iter().copied().filter(|stream| !known.contains(stream)).collect();
        if missing.is_empty()
            || !routes::may_select_routed(&routes::domains(&durable.config.filters)?)
        {
            return Ok(());
        }
        let name = durable.config.name.clone();
        let read = move |connection: &_| open::positions(connection, &name);
        let mut stored = self.engine.readers.run(read).await?;
        let cursor = |stream| stored.remove(&stream).unwrap_or_else(|| open::first(stream));
        let cursors = missing.into_iter().map(cursor).collect();
        durable.state().extend(cursors);
        durable.wake();
        self.engine.mark(durable);
        Ok(())
    }

    /// Reads the page that a consumer misses, unless another member was quicker.
    async fn read_page(
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
        let read = move |connection: &_| {
            readers::page(connection, stream, range, (&filters, readers::PAGE_MESSAGES_MAX))
        };
        let page = self.engine.readers.run(read).await?;
        durable.state().put(stream, page);
        Ok(())
    }
}

#[async_trait]
impl Backend for Embedded {
    async fn publish(&self, messages: Vec<Addressed>) -> Result<Vec<Receipt>, Error> {
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
        // Taken before the positions are read: what is committed in between comes after a new consumer's start.
        let streams = Streams::new(&config.filters, &self.engine.routed(), &self.engine.log)?;
        let wanted = config.clone();
        let read = move |connection: &_| open::state(connection, &wanted, &streams);
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
                    self.read_page(&durable, stream, (from, through)).await?;
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
        let (streams, heads) = (durable.state().streams(), open::heads_of(&self.engine.log));
        let config = ConsumerConfig { start, ..durable.config.clone() };
        let read = move |connection: &_| {
            let place =
                |stream: Stream| open::start(connection, stream, heads[stream.index()], &config);
            streams.into_iter().map(place).collect()
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
        purging::expired(&self.engine, self.commands()?).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.flush().await?;
        self.engine.readers.run(move |connection| readers::dead_letters(connection, limit)).await
    }

    async fn read(&self, read: &Read) -> Result<Page, Error> {
        let (read, ends) = (read.clone(), self.engine.log.ends(read.stream));
        self.engine.readers.run(move |connection| readers::read(connection, &read, ends)).await
    }

    fn positions(&self) -> Vec<Position> {
        self.engine.positions()
    }

    async fn set_routed(&self, streams: &[Stream]) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        for durable in self.engine.all() {
            self.extend(&durable, streams).await?;
        }
        self.engine.set_routed(streams);
        Ok(())
    }

    async fn identity(&self) -> Result<String, Error> {
        Ok(self.identity.clone())
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.engine.health.subscribe()
    }

    fn message_size_max(&self) -> usize {
        MESSAGE_SIZE_MAX
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
