//! The handle: publishing, opening consumers, and what concerns the bus as a whole.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use omni_clock::{Clock, Random};
use omni_events::Event;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Addressed, Backend, Consumer, ConsumerConfig, DeadLetter, Delivery, EmbeddedOptions, Error,
    Health, Inbox, Message, NatsOptions, Page, Read, Receipt, Retention, Settlement, Start, Stats,
    Stream, delivery,
    embedded::Embedded,
    group::Groups,
    nats::Nats,
    ordered::{Ordered, tasks},
    ordering::widened,
    routes::{self, Routes},
    stats::Counters,
    subscription::Subscriptions,
};

/// How long a drain waits for handlers; as long as a message may be unsettled by default.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// A bus that carries events to those who asked for them, at least once. Clones are the same bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    pub(crate) shared: Arc<Shared>,
}

/// What every handle, consumer and delivery of one bus has in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) counters: Counters,
    pub(crate) routes: Routes,
    pub(crate) groups: Groups,
    pub(crate) subscriptions: Subscriptions,
    /// Set when nothing more is handed out.
    pub(crate) closing: CancellationToken,
    /// Removed when the last handle is gone.
    #[cfg(feature = "testing")]
    directory: Option<tempfile::TempDir>,
}

impl EventBus {
    /// Opens a bus by its address, with the usual settings: `embedded:PATH` for one inside this program that keeps its
    /// files in a directory, `nats://` or `tls://` for one on a server with JetStream.
    ///
    /// # Errors
    /// As for [`EventBus::embedded`] and [`EventBus::nats`]; [`Error::Connect`] when it is none of these.
    pub async fn open(address: &str) -> Result<Self, Error> {
        match address.split_once(':') {
            Some(("embedded", path)) if !path.is_empty() => {
                Self::embedded(Path::new(path), EmbeddedOptions::default()).await
            }
            Some(("nats" | "tls", _)) => Self::nats(NatsOptions::new(address)).await,
            // It is not repeated: there may be a password in it.
            _ => Err(Error::Connect {
                url: "the given address".into(),
                reason: "a bus is at embedded:PATH, nats://HOST:PORT or tls://HOST:PORT".into(),
            }),
        }
    }

    /// Opens the embedded bus in a directory, which is created when it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open.
    pub async fn embedded(directory: &Path, options: EmbeddedOptions) -> Result<Self, Error> {
        let (clock, random) = (Arc::clone(&options.clock), Arc::clone(&options.random));
        let backend = Embedded::open(directory, options).await?;
        Ok(Self::over(Box::new(backend), clock, random))
    }

    /// Connects to NATS with JetStream, and makes the streams there or brings their settings up to date.
    ///
    /// # Errors
    /// [`Error::Connect`] when the server cannot be reached or does not let us in, [`Error::Unsupported`] when it has
    /// no JetStream.
    pub async fn nats(options: NatsOptions) -> Result<Self, Error> {
        let (clock, random) = (Arc::clone(&options.clock), Arc::clone(&options.random));
        let backend = Nats::connect(options).await?;
        Ok(Self::over(Box::new(backend), clock, random))
    }

    /// A bus over another backend.
    pub fn over(backend: Box<dyn Backend>, clock: Arc<dyn Clock>, random: Arc<Random>) -> Self {
        let counters = Counters::default();
        let shared = Shared {
            backend,
            clock,
            random,
            counters,
            routes: Routes::default(),
            groups: Groups::default(),
            subscriptions: Subscriptions::default(),
            closing: CancellationToken::new(),
            #[cfg(feature = "testing")]
            directory: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// An embedded bus in a directory of its own, on the clock of the machine; gone with the last handle.
    #[cfg(feature = "testing")]
    #[expect(clippy::expect_used, reason = "a test that cannot have a directory cannot go on")]
    pub async fn temporary() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let clock: Arc<dyn Clock> = Arc::new(omni_clock::SystemClock::new());
        let random = Arc::new(Random::from_entropy());
        let sync = crate::Sync::Interval(std::time::Duration::from_millis(100));
        let options = EmbeddedOptions {
            sync,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            ..EmbeddedOptions::default()
        };
        let backend = Embedded::open(directory.path(), options).await.expect("a new bus");
        let mut bus = Self::over(Box::new(backend), clock, random);
        if let Some(shared) = Arc::get_mut(&mut bus.shared) {
            shared.directory = Some(directory);
        }
        bus
    }

    /// Publishes events in order; returns one receipt for each.
    ///
    /// An event whose id came within the last two minutes is not published again: it gets the receipt of the first. So
    /// after an error publish all of them again. On the embedded bus nothing of a failed call was published, on NATS
    /// some of it may have been.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at once while the server is away; [`Error::Closed`] after [`EventBus::drain`]; otherwise
    /// the storage failed.
    pub async fn publish(&self, events: &[Event]) -> Result<Vec<Receipt>, Error> {
        self.publish_raw(events.iter().map(Message::of).collect::<Result<_, _>>()?).await
    }

    /// Publishes messages that are written already; otherwise like [`EventBus::publish`].
    ///
    /// # Errors
    /// Also [`Error::UnknownDomain`] and [`Error::TooLarge`]; then nothing was published.
    pub async fn publish_raw(&self, messages: Vec<Message>) -> Result<Vec<Receipt>, Error> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let max = self.message_size_max();
        let address = |message: Message| {
            let (subject, size) = (&message.subject, message.data.len());
            let stream = self.shared.routes.of(subject)?;
            if size > max {
                return Err(Error::TooLarge { subject: subject.as_ref().to_owned(), size, max });
            }
            Ok(Addressed { stream, message })
        };
        let addressed = messages.into_iter().map(address).collect::<Result<_, _>>()?;
        let receipts = self.shared.backend.publish(addressed).await?;
        let duplicates = receipts.iter().filter(|receipt| receipt.duplicate).count();
        self.shared.counters.published.add(receipts.len() - duplicates);
        self.shared.counters.duplicates.add(duplicates);
        Ok(receipts)
    }

    /// Largest message that can be published, in bytes: the event as JSON.
    pub fn message_size_max(&self) -> usize {
        self.shared.backend.message_size_max()
    }

    /// Sends events of some types to other streams than that of their domain, from now on; replaces earlier routes.
    ///
    /// Use it to keep a type for longer or shorter than its domain. Consumers find its events wherever they are. What is
    /// in a stream already stays there, so say also to which streams events were routed `before`: consumers look there
    /// until it is named no more.
    ///
    /// # Errors
    /// When open consumers cannot be extended; then the old routes stay in force.
    pub async fn set_routes(
        &self,
        routes: HashMap<String, Stream>,
        before: &[Stream],
    ) -> Result<(), Error> {
        let streams = routes::sorted(routes.values().chain(before).copied().collect());
        self.shared.backend.set_routed(&streams).await?;
        self.shared.routes.set(routes, streams);
        Ok(())
    }

    /// Becomes a member of a consumer, which is created when there is none of that name.
    ///
    /// # Errors
    /// [`Error::Consumer`] when the settings do not make sense, or other members use different ones;
    /// [`Error::UnknownDomain`] when a filter could never select anything.
    pub async fn consumer(&self, config: ConsumerConfig) -> Result<Consumer, Error> {
        config.check()?;
        for filter in &config.filters {
            Stream::selected_by(filter)?;
        }
        let backend = &self.shared.backend;
        backend.open_consumer(&widened(&config)).await?;
        let epoch = backend.epoch(&config.name);
        let (group, new) = self.shared.groups.open(config, epoch)?;
        if new && group.ordered.is_some() {
            let shared = || Arc::downgrade(&self.shared);
            tokio::spawn(tasks::pull(shared(), Arc::clone(&group)));
            tokio::spawn(tasks::keep(shared(), Arc::clone(&group)));
        }
        Ok(Consumer::new(Arc::clone(&self.shared), group))
    }

    /// Acknowledges many deliveries at once, also of several consumers, without waiting for the storage.
    pub async fn ack_all(&self, deliveries: Vec<Delivery>) {
        let alike = |a: &Delivery, b: &Delivery| Arc::ptr_eq(&a.member.group, &b.member.group);
        for run in deliveries.chunk_by(alike) {
            delivery::ack_all(&run[0].member, run).await;
        }
    }

    /// Moves a consumer to another position: to see messages again, or to skip some.
    ///
    /// # Errors
    /// [`Error::NoConsumer`] when none of that name is open.
    pub async fn seek(&self, consumer: &str, start: Start) -> Result<(), Error> {
        let group = self.shared.groups.find(consumer);
        // What is kept back behind others is forgotten as well.
        let _moving = group.as_ref().and_then(|group| group.ordered.as_ref()).map(Ordered::moving);
        self.shared.backend.seek(consumer, start).await
    }

    /// Removes a consumer and its position. Its members get no more messages.
    ///
    /// # Errors
    /// When the storage failed.
    pub async fn forget(&self, consumer: &str) -> Result<(), Error> {
        self.shared.backend.forget(consumer).await?;
        if let Some(group) = self.shared.groups.find(consumer) {
            self.shared.groups.forget(&group);
        }
        Ok(())
    }

    /// The newest messages that were given up, newest first.
    ///
    /// # Errors
    /// When the storage failed.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.shared.backend.dead_letters(limit).await
    }

    /// Reads a stretch of a stream without being a consumer; for everything since a time use a replay.
    ///
    /// # Errors
    /// When the storage failed, or [`Error::Unavailable`].
    pub async fn read(&self, read: &Read) -> Result<Page, Error> {
        self.shared.backend.read(read).await
    }

    /// A text that stays the same for as long as the streams are the same.
    ///
    /// When it changes, streams were lost (a deleted directory, a new server): a publisher that keeps the truth
    /// elsewhere then publishes again what is not done yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the server is away.
    pub async fn identity(&self) -> Result<String, Error> {
        self.shared.backend.identity().await
    }

    /// Opens the inbox of this installation: messages that other systems publish under `in.`, each for one of those who
    /// open it under the same name. The stream behind it is made when it is missing and keeps messages for a week.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on the embedded bus, which other systems cannot reach.
    pub async fn inbox(&self, name: &str) -> Result<Inbox, Error> {
        self.shared.backend.inbox(name).await
    }

    /// Whether the bus can be reached, now and whenever that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.backend.health()
    }

    /// Removes what is beyond the limits of its stream; returns how many messages.
    ///
    /// # Errors
    /// When the storage failed.
    pub async fn purge_expired(&self) -> Result<u64, Error> {
        self.shared.backend.purge_expired().await
    }

    /// The loop that calls [`EventBus::purge_expired`] by the clock.
    pub fn retention(&self) -> Retention {
        Retention::new(self.clone())
    }

    /// What the bus has done so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats(self.shared.groups.stats(self.shared.backend.positions()))
    }

    /// Stops all subscriptions, makes all settlements durable, and closes the bus.
    ///
    /// Handlers that run are waited for, thirty seconds at most; see [`EventBus::drain_within`]. Settle what is in hand
    /// elsewhere first: what is settled after this comes back after the next start. Consumers get `None`. Draining
    /// again is fine.
    ///
    /// # Errors
    /// When the last commit failed.
    pub async fn drain(&self) -> Result<(), Error> {
        self.drain_within(DRAIN_MAX).await
    }

    /// Drains the bus like [`EventBus::drain`], and waits this long for handlers, by the clock of the bus. Those that
    /// take longer are given up: they are cancelled, and their messages come back after the next start.
    ///
    /// # Errors
    /// When the last commit failed.
    pub async fn drain_within(&self, grace: Duration) -> Result<(), Error> {
        self.shared.subscriptions.stop(&*self.shared.clock, grace).await;
        self.shared.closing.cancel();
        self.shared.backend.drain().await
    }
}

impl Drop for Shared {
    /// What runs beside the bus for its consumers ends with it.
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Shared {
    /// Hands settlements to the backend. A failure only means that the messages come back, so nobody is told.
    pub(crate) async fn settle(&self, consumer: &str, settlements: Vec<Settlement>) {
        if let Err(error) = self.backend.settle(consumer, settlements).await {
            tracing::debug!(consumer, %error, "settlements are lost, the messages will come back");
        }
    }
}
