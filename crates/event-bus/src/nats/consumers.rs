//! Consumers over JetStream: each of ours is a durable pull consumer of the server in every stream that it looks in.
//!
//! What is in flight is bounded in this process over all streams; the server bounds it for each stream over all
//! processes, so that several processes together may have more in flight than the number says, up to once in each
//! stream.
//!
//! It must stay true that a message that came here is settled, or comes again after its ack wait, whatever becomes of
//! this process; and that the server's record of a consumer is never removed without a way back.

mod arrival;
mod dead_letters;
mod durable;
mod fetch;
mod healing;
mod lease;
mod pulling;
mod reader;
mod reading;
mod records;
mod selection;
mod server;
mod settling;
mod state;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::AckKind;
use futures_util::future::try_join_all;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use self::{
    durable::{Durable, Source},
    healing::standing,
    records::Record,
    selection::Place,
    server::{Begin, Missing, Target},
    settling::Settler,
    state::Standing,
};
use super::session::Session;
use crate::{
    ConsumerConfig, DeadLetter, Error, Page, Position, Pulled, Read, Settlement, Start, Stream,
};

/// Longest wait until everything that was settled has been told the server.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// The consumers that are open in this process.
#[derive(Debug)]
pub(crate) struct Consumers {
    session: Arc<Session>,
    settler: Settler,
    /// Ends all pulls.
    closing: CancellationToken,
    open: Mutex<HashMap<String, Arc<Durable>>>,
    routed: Mutex<Vec<Stream>>,
    /// Held while a consumer is opened, moved or removed, so that two members do not make two of it.
    opening: AsyncMutex<()>,
}

impl Consumers {
    /// No consumer yet.
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            settler: Settler::start(Arc::clone(&session)),
            closing: session.closing.child_token(),
            open: Mutex::default(),
            routed: Mutex::default(),
            opening: AsyncMutex::default(),
            session,
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Durable>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Option<Arc<Durable>> {
        self.all().get(name).filter(|durable| !durable.forgotten.is_cancelled()).cloned()
    }

    fn durable(&self, name: &str) -> Result<Arc<Durable>, Error> {
        self.find(name).ok_or_else(|| Error::NoConsumer { name: name.to_owned() })
    }

    fn routed(&self) -> Vec<Stream> {
        self.routed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closing.is_cancelled() { Err(Error::Closed) } else { self.session.reachable() }
    }

    /// Makes sure that a consumer exists and can be pulled from.
    pub(crate) async fn open(&self, config: &ConsumerConfig) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        if let Some(durable) = self.find(&config.name) {
            if durable.accepts(config) {
                return Ok(());
            }
            let reason = "it is open here with other settings".to_owned();
            return Err(Error::Consumer { name: config.name.clone(), reason });
        }
        self.check_open()?;
        let durable = Arc::new(Durable::new(&self.session, config.clone()));
        let mut existed = false;
        for place in Place::of(config, &self.routed())? {
            let source = Source::new(&self.session, config, place);
            // An old consumer has missed what was routed before it knew.
            let start = if place.routed && existed { Start::First } else { config.start };
            let (standing, old) = self.prepare(&source, start).await?;
            existed |= old;
            durable.add(source, standing);
        }
        if durable.lease.is_some() {
            tokio::spawn(lease::keep(Arc::clone(&self.session), Arc::downgrade(&durable)));
        }
        self.all().insert(config.name.clone(), durable);
        Ok(())
    }

    /// Makes one of the server's consumers, or brings it up to date. Says whether it was there.
    async fn prepare(&self, source: &Source, start: Start) -> Result<(Standing, bool), Error> {
        let (session, target) = (&*self.session, &source.target);
        let settings = source.settings.clone();
        let seen = session.healed();
        let (info, old) = match server::info(session, target).await? {
            Ok(info) => (server::update(session, target, info, settings).await?, true),
            Err(missing) => {
                if missing == Missing::Stream {
                    session.heal(seen).await?;
                }
                if let Some(info) = server::finish(session, target).await? {
                    (server::update(session, target, info, settings).await?, true)
                } else {
                    let begin = server::begin(session, target, &source.selection, start).await?;
                    (server::create(session, target, settings, begin).await?, false)
                }
            }
        };
        let made = server::made(session, &target.stream).await?.unwrap_or_default();
        Ok((standing(&info, made), old))
    }

    /// Waits until the consumer has a message, and takes up to `max`.
    pub(crate) async fn pull(&self, name: &str, max: usize) -> Result<Vec<Pulled>, Error> {
        if self.closing.is_cancelled() {
            return Ok(Vec::new());
        }
        let durable = self.durable(name)?;
        pulling::pull(self, &durable, max.max(1)).await
    }

    /// Takes note of what became of messages. The server is told in the background.
    pub(crate) fn settle(&self, name: &str, settlements: Vec<Settlement>) -> Result<(), Error> {
        if self.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        let durable = self.durable(name)?;
        let clock = &self.session.clock;
        let now = (clock.elapsed(), clock.now());
        let mut actions = Vec::with_capacity(settlements.len());
        let mut wake = false;
        {
            let mut state = durable.state();
            for settlement in settlements {
                let (action, room) = state.settle(settlement, now);
                actions.extend(action);
                wake |= room;
            }
        }
        self.settler.settle(actions);
        if wake {
            durable.wake();
        }
        Ok(())
    }

    /// Moves a consumer to another position.
    pub(crate) async fn seek(&self, name: &str, start: Start) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        let durable = self.durable(name)?;
        self.check_open()?;
        let session = &*self.session;
        // What was settled before must not be taken for the consumer that comes after.
        self.settler.flush(session, FLUSH_MAX).await;
        let _moving = durable.moving();
        let mut reader = durable.reader.lock().await;
        reader.follow(&durable);
        reader.deafen(session);
        durable.state().forget_all();
        durable.begin_epoch();
        records::remove(session, &format!("{name}.>")).await?;
        for (at, source) in durable.sources().iter().enumerate() {
            let target = &source.target;
            let begin = match server::begin(session, target, &source.selection, start).await? {
                // Written down as a number, so that it means the same when it is done later.
                Begin::New => Begin::Sequence(server::end(session, &target.stream).await?),
                begin => begin,
            };
            let old = server::info(session, target).await?.ok();
            let config = server::beginning(source.settings.clone(), begin);
            let info = server::replace(session, target, old.as_ref(), config).await?;
            let made = server::made(session, &target.stream).await?.unwrap_or_default();
            durable.state().sources[at] = standing(&info, made);
        }
        Ok(())
    }

    /// A number that changes when all that was handed out here is forgotten.
    pub(crate) fn epoch(&self, name: &str) -> u64 {
        self.find(name).map_or(0, |durable| durable.epoch())
    }

    /// Removes a consumer and its position, whether it is open here or not.
    pub(crate) async fn forget(&self, name: &str) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        self.check_open()?;
        let open = self.all().remove(name);
        if let Some(durable) = &open {
            durable.forgotten.cancel();
        }
        let session = &*self.session;
        let removals = Place::all().map(|place| async move {
            server::forget(session, &Target::new(session, place, name)).await
        });
        try_join_all(removals).await?;
        records::remove(session, &format!("{name}.>")).await?;
        if let Some(lease) = open.as_ref().and_then(|durable| durable.lease.as_ref()) {
            lease.release(session).await;
        }
        Ok(())
    }

    /// Looks for messages of any domain in these streams from now on, also on behalf of consumers that are open.
    pub(crate) async fn set_routed(&self, streams: &[Stream]) -> Result<(), Error> {
        let _opening = self.opening.lock().await;
        *self.routed.lock().unwrap_or_else(PoisonError::into_inner) = streams.to_vec();
        let open: Vec<_> = self.all().values().cloned().collect();
        for durable in open {
            let known: Vec<_> = durable.sources().iter().map(|source| source.place).collect();
            for place in Place::of(&durable.config, streams)? {
                if !known.contains(&place) {
                    self.check_open()?;
                    let source = Source::new(&self.session, &durable.config, place);
                    let (standing, _) = self.prepare(&source, Start::First).await?;
                    durable.add(source, standing);
                }
            }
        }
        Ok(())
    }

    /// Where each open consumer stands.
    pub(crate) fn positions(&self) -> Vec<Position> {
        let now = self.session.clock.elapsed();
        let all = self.all();
        let mut positions: Vec<_> = all
            .values()
            .filter(|durable| !durable.forgotten.is_cancelled())
            .map(|durable| {
                let (in_flight, behind) = durable.state().counts(now);
                Position { consumer: durable.config.name.clone(), in_flight, behind }
            })
            .collect();
        positions.sort_by(|a, b| a.consumer.cmp(&b.consumer));
        positions
    }

    /// Reads a stretch of a stream.
    pub(crate) async fn read(&self, read: &Read) -> Result<Page, Error> {
        reading::read(&self.session, read).await
    }

    /// The newest dead letters, those of messages settled before included.
    pub(crate) async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.session.reachable()?;
        self.settler.flush(&self.session, FLUSH_MAX).await;
        dead_letters::newest(&self.session, limit).await
    }

    /// Ends all pulls, gives back what was not handed out, and tells the server everything.
    pub(crate) async fn drain(&self) -> Result<(), Error> {
        if self.closing.is_cancelled() {
            return Ok(());
        }
        self.closing.cancel();
        let session = &*self.session;
        let open: Vec<_> = self.all().values().cloned().collect();
        if !session.monitor.is_up() {
            // What cannot be told brings the messages back.
            return Ok(());
        }
        for durable in &open {
            let back = {
                let mut reader = durable.reader.lock().await;
                reader.finish(self, durable);
                durable.state().give_back()
            };
            let untried = back.iter().filter_map(|(_, key)| key.clone());
            let untried = untried.map(|key| (key, Record::default())).collect();
            if let Err(error) = records::write_all(session, untried).await {
                tracing::debug!(%error, "messages that were not handed out lose an attempt");
            }
            let replies = back.into_iter().map(|(reply, _)| reply).collect();
            self.settler.tell(replies, AckKind::Nak(None));
        }
        self.settler.flush(session, FLUSH_MAX).await;
        for durable in open {
            if let Some(lease) = &durable.lease {
                lease.release(session).await;
            }
        }
        Ok(())
    }
}
