//! Listens to the server on behalf of all members of a consumer: asks for messages before they are needed, and takes in
//! what comes.
//!
//! It must stay true that no more is asked for than the subscription can hold, and that what was asked for is counted
//! exactly: what is counted and never comes would be waited for in vain.

mod lines;

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Message, StatusCode, jetstream::AckKind};
use futures_util::FutureExt as _;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use self::lines::{Arrivals, Asked, Line, stamp};
use super::{
    super::session::Session,
    Consumers,
    arrival::{self, Facts, Found},
    durable::{Durable, Source},
    healing,
    pulling::AGAIN,
    records,
    server::nanos,
    state::{Delivered, State},
};
use crate::{Health, Pulled, sleeping::sleep_until};

/// How long the server waits for messages before it lets us ask again.
const EXPIRES: Duration = Duration::from_secs(10);
/// How often the server says that it is there when there is nothing to deliver.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A server that says nothing for so long has forgotten what it was asked.
const SILENCE: Duration = Duration::from_secs(5);
/// Most messages that are asked for at once of one consumer of the server; all of them fit into a subscription.
const BATCH_MAX: usize = 2048;
/// A message for a program of another release with wider filters is given back for so long.
const REFUSED: Duration = Duration::from_secs(1);

/// A question for messages.
#[derive(Serialize)]
struct Request {
    batch: usize,
    expires: u64,
    idle_heartbeat: u64,
}

/// Listens to the server.
#[derive(Debug)]
pub(super) struct Reader {
    /// What the subjects of all answers begin with.
    inbox: String,
    incoming: Option<mpsc::UnboundedReceiver<Arrivals>>,
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) lines: Vec<Line>,
    health: watch::Receiver<Health>,
    next_id: u64,
    resolve_at: Duration,
}

impl Reader {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            inbox: session.client.new_inbox(),
            incoming: None,
            sources: Vec::new(),
            lines: Vec::new(),
            health: session.monitor.watch(),
            next_id: 0,
            resolve_at: Duration::ZERO,
        }
    }

    /// Hears nothing more of what was asked before.
    pub(super) fn deafen(&mut self, session: &Session) {
        self.incoming = None;
        self.inbox = session.client.new_inbox();
        self.lines.iter_mut().for_each(Line::reset);
    }

    /// Takes in what is there, and hears nothing more.
    pub(super) fn finish(&mut self, consumers: &Consumers, durable: &Durable) {
        while let Some(Some(arrivals)) = self.arrivals().now_or_never() {
            self.take_in(consumers, durable, arrivals);
        }
        self.deafen(&consumers.session);
    }

    /// Waits until something happens, and takes it in.
    pub(super) async fn step(&mut self, consumers: &Consumers, durable: &Durable, max: usize) {
        let session = &consumers.session;
        let clock = &*session.clock;
        self.follow(durable);
        let now = clock.elapsed();
        if self.health.has_changed().unwrap_or(false)
            && *self.health.borrow_and_update() == Health::Up
        {
            for line in &mut self.lines {
                line.reset();
                (line.unsure, line.try_at) = (true, now);
            }
        }
        if session.monitor.is_up() && !self.prepare(consumers, durable, max).await {
            return;
        }
        let next = self.next_look(durable, clock.elapsed());
        let arrivals = if let Some(arrivals) = self.arrivals().now_or_never() {
            arrivals
        } else {
            let mut health = self.health.clone();
            tokio::select! {
                arrivals = self.arrivals() => arrivals,
                _ = health.changed() => return,
                () = sleep_until(clock, next) => {
                    self.miss(clock.elapsed());
                    return;
                }
            }
        };
        match arrivals {
            Some(arrivals) => self.take_in(consumers, durable, arrivals),
            // The subscription has ended.
            None => self.deafen(session),
        }
        self.resolve(session, durable).await;
    }

    /// Makes sure that messages are on their way. False when that must be tried again.
    async fn prepare(&mut self, consumers: &Consumers, durable: &Durable, max: usize) -> bool {
        let session = &consumers.session;
        if durable.lease.is_some()
            && !durable.state().is_active(session.clock.elapsed())
            && !healing::take_over(self, session, durable).await
        {
            session.clock.sleep(AGAIN * 4).await;
            return false;
        }
        for at in 0..self.lines.len() {
            if self.lines[at].unsure && self.lines[at].try_at <= session.clock.elapsed() {
                healing::look(self, session, durable, at).await;
                if durable.forgotten.is_cancelled() {
                    return false;
                }
            }
        }
        self.resolve(session, durable).await;
        self.ask(session, durable, max).await;
        true
    }

    /// Knows all places that the consumer looks in.
    pub(super) fn follow(&mut self, durable: &Durable) {
        if self.lines.len() < durable.state().sources.len() {
            self.sources = durable.sources();
            self.lines.resize_with(self.sources.len(), Line::default);
        }
    }

    /// Asks for messages where few are on their way: for those that are wanted now, and for as many after them.
    async fn ask(&mut self, session: &Session, durable: &Durable, max: usize) {
        let now = session.clock.elapsed();
        let (room, buffered) = {
            let mut state = durable.state();
            let buffered: Vec<_> = state.sources.iter().map(|source| source.buffered).collect();
            (state.room(now), buffered)
        };
        let wanted = max.saturating_mul(2).min(BATCH_MAX);
        if room == 0 || buffered.iter().sum::<usize>() >= wanted {
            return;
        }
        let target = (wanted / self.lines.len().max(1)).max(1).min(room);
        for (at, here) in buffered.into_iter().enumerate() {
            // One that was added this moment is asked next time.
            let Some(line) = self.lines.get(at) else { break };
            let have = line.outstanding + here;
            if line.unsure || line.try_at > now || have * 2 > target || have >= target {
                continue;
            }
            self.ask_one(session, at, target - have, now).await;
        }
    }

    async fn ask_one(&mut self, session: &Session, at: usize, batch: usize, now: Duration) {
        if self.incoming.is_none() {
            match session.client.subscribe(format!("{}.*.*", self.inbox)).await {
                Ok(subscription) => {
                    let (sender, incoming) = mpsc::unbounded_channel();
                    tokio::spawn(stamp(subscription, sender, Arc::clone(&session.clock)));
                    self.incoming = Some(incoming);
                }
                Err(error) => {
                    tracing::warn!(%error, "could not listen to the server");
                    self.lines[at].try_at = now + AGAIN;
                    return;
                }
            }
        }
        let target = &self.sources[at].target;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", target.stream, target.name);
        let id = self.next_id;
        let reply = format!("{}.{at}.{id}", self.inbox);
        let (expires, idle_heartbeat) = (nanos(EXPIRES), nanos(HEARTBEAT));
        let request = serde_json::to_vec(&Request { batch, expires, idle_heartbeat });
        let request = request.unwrap_or_default().into();
        // Counted when it is sent: if this is cancelled before, nothing was asked.
        if session.client.publish_with_reply(subject, reply, request).await.is_ok() {
            let line = &mut self.lines[at];
            if line.outstanding == 0 {
                line.heard = now;
            }
            line.outstanding += batch;
            line.asked.push_back(Asked { id, left: batch });
            self.next_id += 1;
        }
    }

    /// What came; nothing when the subscription has ended.
    async fn arrivals(&mut self) -> Option<Arrivals> {
        match &mut self.incoming {
            Some(incoming) => incoming.recv().await,
            None => std::future::pending().await,
        }
    }

    /// When to look though nothing comes.
    fn next_look(&self, durable: &Durable, now: Duration) -> Duration {
        let unresolved = !durable.state().unresolved().is_empty();
        let lines = self.lines.iter().filter_map(|line| {
            if line.unsure || line.try_at > now {
                Some(line.try_at)
            } else {
                (line.outstanding > 0).then_some(line.heard + SILENCE)
            }
        });
        let next = lines.chain(unresolved.then_some(self.resolve_at)).min();
        next.unwrap_or(now + EXPIRES)
    }

    /// Takes note of what is silent.
    fn miss(&mut self, now: Duration) {
        for line in &mut self.lines {
            if line.outstanding > 0 && line.heard + SILENCE <= now {
                (line.unsure, line.try_at) = (true, now);
            }
        }
    }

    /// Takes in what came.
    fn take_in(
        &mut self,
        consumers: &Consumers,
        durable: &Durable,
        Arrivals { messages, at }: Arrivals,
    ) {
        let now = consumers.session.clock.elapsed();
        let (mut passed, mut refused) = (Vec::new(), Vec::new());
        let mut state = durable.state();
        for message in messages {
            if message.status.is_some_and(|status| status != StatusCode::OK) {
                self.note(&message, now);
                continue;
            }
            let Some(reply) = message.reply.clone() else { continue };
            match self.read(&consumers.session, durable, &state, (message, now)) {
                Some(Read::Wanted(delivered)) => state.arrive(delivered, at),
                Some(Read::Passed) => passed.push(reply),
                Some(Read::Refused) => refused.push(reply),
                None => {}
            }
        }
        drop(state);
        consumers.settler.tell(passed, AckKind::Ack);
        consumers.settler.tell(refused, AckKind::Nak(Some(REFUSED)));
    }

    fn read(
        &mut self,
        session: &Session,
        durable: &Durable,
        state: &State,
        (message, now): (Message, Duration),
    ) -> Option<Read> {
        let reply = message.reply?;
        let facts = Facts::parse(&reply)?;
        let source = self.sources.iter().position(|source| {
            source.target.name == facts.consumer && source.target.stream == facts.stream
        })?;
        let line = &mut self.lines[source];
        line.hear(now);
        let (standing, from) = (&state.sources[source], &self.sources[source]);
        let stream = from.place.stream;
        let found = Found { stream, sequence: facts.sequence, made: &standing.made };
        let content = (message.headers.as_ref(), message.payload);
        let Some(content) = arrival::message(&session.names, found, &message.subject, content)
        else {
            return Some(Read::Passed);
        };
        if facts.sequence < standing.first || !from.place.holds(&content.subject) {
            return Some(Read::Passed);
        }
        let wanted = |subject: &str| durable.config.filters.iter().any(|f| f.matches(subject));
        if !wanted(&content.subject) {
            // The server's filter is ours, or somebody has made it wider and wants this.
            return Some(if from.selection.exact { Read::Refused } else { Read::Passed });
        }
        let pulled = Pulled {
            message: content,
            stream,
            sequence: facts.sequence,
            published_at: facts.published_at,
            attempt: 1,
        };
        let (count, pending) = (facts.count, facts.pending);
        let reply = reply.clone();
        Some(Read::Wanted(Delivered { pulled, source, reply, count, pending }))
    }

    /// Takes note of what the server says instead of a message.
    fn note(&mut self, message: &Message, now: Duration) {
        let mut ends = message.subject.as_str().rsplit('.');
        let id = ends.next().and_then(|id| id.parse::<u64>().ok());
        let at = ends.next().and_then(|at| at.parse::<usize>().ok());
        let (Some(id), Some(at)) = (id, at) else { return };
        let Some(line) = self.lines.get_mut(at) else { return };
        line.heard = now;
        let status = message.status.unwrap_or(StatusCode::OK);
        if status == StatusCode::IDLE_HEARTBEAT {
            return;
        }
        let asked = line.asked.iter().position(|asked| asked.id == id);
        let asked = asked.and_then(|at| line.asked.remove(at)).map_or(0, |asked| asked.left);
        let rest = pending(message.headers.as_ref()).unwrap_or(asked);
        line.outstanding = line.outstanding.saturating_sub(rest);
        if line.asked.is_empty() {
            line.outstanding = 0;
        }
        let said = message.description.as_deref().unwrap_or_default();
        if status == StatusCode::TIMEOUT {
            return;
        }
        tracing::debug!(%status, said, "the server does not deliver");
        line.unsure = true;
        let deleted = status == StatusCode::REQUEST_TERMINATED && said == "Consumer Deleted";
        line.try_at = if deleted { now } else { now + AGAIN };
    }

    /// Reads the stories of messages that have come before.
    async fn resolve(&mut self, session: &Session, durable: &Durable) {
        let now = session.clock.elapsed();
        let unresolved = durable.state().unresolved();
        if unresolved.is_empty() || self.resolve_at > now {
            return;
        }
        let (keys, names): (Vec<_>, Vec<_>) = unresolved.into_iter().unzip();
        match records::read_all(session, names).await {
            Ok(stories) => durable.state().resolve(keys.into_iter().zip(stories).collect()),
            Err(error) => {
                tracing::debug!(%error, "what went wrong before could not be read");
                self.resolve_at = now + AGAIN;
            }
        }
    }
}

/// What a delivery is for us.
enum Read {
    Wanted(Delivered),
    /// Nothing: it is done.
    Passed,
    /// Not for us.
    Refused,
}

/// How many messages the server does not deliver that it was asked for.
fn pending(headers: Option<&HeaderMap>) -> Option<usize> {
    headers?.get("Nats-Pending-Messages")?.as_str().parse().ok()
}
