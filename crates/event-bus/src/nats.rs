//! The NATS backend: streams and consumers of a JetStream server.

mod address;
mod connect;
mod consumers;
mod errors;
mod foreign;
mod health;
mod inbox;
mod names;
mod options;
mod probe;
mod publish;
mod publisher;
mod session;
mod streams;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use self::{connect::Recipe, consumers::Consumers, publisher::Publisher, session::Session};
pub use self::{
    foreign::Foreign,
    inbox::Inbox,
    options::{Credentials, NatsOptions, Tls},
};
use crate::{
    Addressed, Backend, ConsumerConfig, DeadLetter, Error, Health, Page, Position, Pulled, Read,
    Receipt, Settlement, Start, Stream,
};

/// A session with a server, and the consumers opened over it.
#[derive(Debug)]
pub(crate) struct Nats {
    session: Arc<Session>,
    publisher: Arc<Publisher>,
    consumers: Consumers,
    /// Ends what runs in the background when the bus is dropped without a drain.
    _closing: DropGuard,
}

impl Nats {
    pub(crate) async fn connect(options: NatsOptions) -> Result<Self, Error> {
        let recipe = Recipe::new(&options).await?;
        let session = Arc::new(Session::open(options, &recipe).await?);
        let closing = session.closing.clone();
        let publisher = Publisher::open(recipe, session.monitor.clone(), closing.clone()).await?;
        let publisher = Arc::new(publisher);
        let consumers = Consumers::new(Arc::clone(&session));
        Ok(Self { session, publisher, consumers, _closing: closing.drop_guard() })
    }
}

#[async_trait]
impl Backend for Nats {
    async fn publish(&self, messages: Vec<Addressed>) -> Result<Vec<Receipt>, Error> {
        publish::publish(&self.session, &self.publisher, messages).await
    }

    async fn open_consumer(&self, config: &ConsumerConfig) -> Result<(), Error> {
        self.consumers.open(config).await
    }

    async fn pull(&self, consumer: &str, max: usize) -> Result<Vec<Pulled>, Error> {
        self.consumers.pull(consumer, max).await
    }

    async fn settle(&self, consumer: &str, settlements: Vec<Settlement>) -> Result<(), Error> {
        self.consumers.settle(consumer, settlements)
    }

    async fn seek(&self, consumer: &str, start: Start) -> Result<(), Error> {
        self.consumers.seek(consumer, start).await
    }

    async fn forget(&self, consumer: &str) -> Result<(), Error> {
        self.consumers.forget(consumer).await
    }

    async fn purge_expired(&self) -> Result<u64, Error> {
        Ok(0)
    }

    async fn read(&self, read: &Read) -> Result<Page, Error> {
        self.consumers.read(read).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.consumers.dead_letters(limit).await
    }

    fn positions(&self) -> Vec<Position> {
        self.consumers.positions()
    }

    fn epoch(&self, consumer: &str) -> u64 {
        self.consumers.epoch(consumer)
    }

    async fn set_routed(&self, streams: &[Stream]) -> Result<(), Error> {
        self.consumers.set_routed(streams).await
    }

    async fn identity(&self) -> Result<String, Error> {
        streams::identity(&self.session).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.session.monitor.watch()
    }

    fn message_size_max(&self) -> usize {
        self.session.client.max_payload().saturating_sub(publish::HEADERS_SIZE)
    }

    async fn inbox(&self, name: &str) -> Result<Inbox, Error> {
        Inbox::open(&self.session, name).await
    }

    async fn drain(&self) -> Result<(), Error> {
        let drained = self.consumers.drain().await;
        self.session.close().await.and(drained)
    }
}
