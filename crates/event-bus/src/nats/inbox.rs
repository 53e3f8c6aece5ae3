//! Messages from strangers: a stream that anybody may publish to, and who takes them from there.
//!
//! It must stay true that a message leaves the inbox only when it is acknowledged or kept as a dead letter.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, PullConsumer, pull},
};
use futures_util::TryStreamExt as _;
use tokio::time::timeout;

use super::{
    foreign::{Foreign, said},
    session::Session,
    streams,
};
use crate::Error;

/// How long a message may stay unsettled before it comes again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// What waits here for longer is left to come again: it may be with somebody else by then.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the server keeps a question for a message.
const ASK: Duration = Duration::from_secs(2);
/// Most messages taken at once.
const BATCH_MAX: usize = 256;
/// Longest name, as for consumers.
const NAME_LEN_MAX: usize = 128;
/// Takes messages that strangers publish under `in.`; everyone who opens one of the same name shares them.
///
/// Use it to bridge from other systems. Messages come at least once.
#[derive(Debug)]
pub struct Inbox {
    session: Arc<Session>,
    name: Arc<str>,
    open: Option<Open>,
    /// Taken and not handed out yet.
    waiting: VecDeque<Foreign>,
}

/// The consumer on the server.
#[derive(Debug)]
struct Open {
    consumer: PullConsumer,
    /// When the stream was made.
    made: Arc<str>,
}

impl Inbox {
    pub(crate) async fn open(session: &Arc<Session>, name: &str) -> Result<Self, Error> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(good) {
            return Err(Error::Consumer {
                name: name.to_owned(),
                reason: "its name must be 1 to 128 of A-Z, a-z, 0-9, `-` and `_`".into(),
            });
        }
        session.reachable()?;
        let open = Some(Open::new(session, name).await?);
        let (session, waiting) = (Arc::clone(session), VecDeque::new());
        Ok(Self { session, name: name.into(), open, waiting })
    }

    /// Waits until there are messages, and takes up to `max`. Empty means that the bus is drained.
    ///
    /// It waits as well while the server is away. Cancelling it may let what was on its way come 30 s later.
    ///
    /// # Errors
    /// When the server cannot give any; asking again after a while is right.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<Foreign>, Error> {
        let session = Arc::clone(&self.session);
        loop {
            let batch = self.hand_out(max.max(1));
            if !batch.is_empty() {
                return Ok(batch);
            }
            tokio::select! {
                biased;
                () = session.closing.cancelled() => return Ok(Vec::new()),
                // A question that was on its way is lost with the connection.
                () = session.monitor.lost() => {
                    tokio::select! {
                        () = session.closing.cancelled() => return Ok(Vec::new()),
                        () = session.monitor.back() => {}
                    }
                }
                taken = self.take(max.clamp(1, BATCH_MAX)) => {
                    if let Err(error) = taken {
                        // The consumer or its stream may be gone; both are made again with the next call.
                        self.open = None;
                        return Err(error);
                    }
                }
            }
        }
    }

    /// From what was taken already.
    fn hand_out(&mut self, max: usize) -> Vec<Foreign> {
        let now = self.session.clock.elapsed();
        self.waiting.retain(|foreign| now.saturating_sub(foreign.taken) < WAIT_MAX);
        if self.waiting.front().is_some_and(Foreign::is_suspect) {
            return self.waiting.pop_front().into_iter().collect();
        }
        let ready =
            self.waiting.iter().take(max).take_while(|foreign| !foreign.is_suspect()).count();
        self.waiting.drain(..ready).collect()
    }

    /// Takes what is there, or the next one that comes.
    async fn take(&mut self, max: usize) -> Result<(), Error> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::new(&self.session, &self.name).await?),
        };
        let messages = open.messages(max).await?;
        let made = Arc::clone(&open.made);
        for message in messages {
            let foreign = Foreign::read(&self.session, (&self.name, &made), message)?;
            if let Some(foreign) = foreign.unless_hopeless().await? {
                self.waiting.push_back(foreign);
            }
        }
        Ok(())
    }
}

impl Open {
    async fn new(session: &Session, name: &str) -> Result<Self, Error> {
        streams::ensure_inbox(session).await?;
        let stream = session.names.inbox();
        let made = streams::info(session, &stream).await?.map(|info| info.created);
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            ..pull::Config::default()
        };
        let consumer = session.jetstream.create_consumer_on_stream(config, stream).await;
        let consumer = consumer.map_err(Error::backend("open the inbox"))?;
        Ok(Self { consumer, made: made.unwrap_or_default().into() })
    }

    /// What is there, or the next message that comes, or nothing after a while.
    async fn messages(&self, max: usize) -> Result<Vec<jetstream::Message>, Error> {
        let failed = "take messages from the inbox";
        let there = async {
            let now = self.consumer.fetch().max_messages(max).messages().await;
            let now = now.map_err(Error::backend(failed))?;
            now.try_collect::<Vec<_>>().await.map_err(|error| said(failed, error))
        };
        let Ok(found) = timeout(ASK, there).await else {
            return self.check().await;
        };
        let found = found?;
        if !found.is_empty() {
            return Ok(found);
        }
        let next = self.consumer.batch().max_messages(1).expires(ASK).messages().await;
        let next = next.map_err(Error::backend(failed))?;
        let found: Vec<_> = next.try_collect().await.map_err(|error| said(failed, error))?;
        if found.is_empty() { self.check().await } else { Ok(found) }
    }

    /// Fails when the consumer is gone: nobody answers for it then, as if it had no messages.
    async fn check(&self) -> Result<Vec<jetstream::Message>, Error> {
        let info = self.consumer.get_info().await;
        info.map(|_| Vec::new()).map_err(Error::backend("find the consumer of the inbox"))
    }
}
