//! The handle: publishing, opening consumers, and what concerns the bus as a whole.

use std::{path::Path, sync::Arc};

use omni_clock::{Clock, Random};
use omni_events::Event;

use crate::{
    Backend, Consumer, ConsumerConfig, DeadLetter, Delivery, EmbeddedOptions, Error, Message,
    Receipt, Retention, Settlement, Start, Stats, Stream, Verdict, embedded::Embedded,
    stats::Counters,
};

/// Largest message a stream takes, in bytes. It bounds what one commit holds in memory.
const MESSAGE_SIZE_MAX: usize = 16 << 20;

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
    /// Removed when the last handle is gone.
    #[cfg(feature = "testing")]
    directory: Option<tempfile::TempDir>,
}

impl EventBus {
    /// Opens the embedded bus in a directory, which is created when it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open.
    pub async fn embedded(directory: &Path, options: EmbeddedOptions) -> Result<Self, Error> {
        let (clock, random) = (Arc::clone(&options.clock), Arc::clone(&options.random));
        let backend = Embedded::open(directory, options).await?;
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
        let options =
            EmbeddedOptions { sync, clock: Arc::clone(&clock), random: Arc::clone(&random) };
        let backend = Embedded::open(directory.path(), options).await.expect("a new bus");
        let mut bus = Self::over(Box::new(backend), clock, random);
        if let Some(shared) = Arc::get_mut(&mut bus.shared) {
            shared.directory = Some(directory);
        }
        bus
    }

    /// Publishes events in order, all or none; returns one receipt for each.
    ///
    /// An event whose id came within the last two minutes is not published again: it gets the receipt of the first.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`EventBus::drain`]; otherwise the storage failed and nothing was published.
    pub async fn publish(&self, events: &[Event]) -> Result<Vec<Receipt>, Error> {
        self.publish_raw(events.iter().map(Message::of).collect::<Result<_, _>>()?).await
    }

    /// Publishes messages that are written already; otherwise like [`EventBus::publish`].
    ///
    /// # Errors
    /// Also [`Error::UnknownDomain`] and [`Error::TooLarge`]; then nothing was published.
    pub async fn publish_raw(&self, messages: Vec<Message>) -> Result<Vec<Receipt>, Error> {
        for message in &messages {
            Stream::of(&message.subject)?;
            if message.data.len() > MESSAGE_SIZE_MAX {
                return Err(Error::TooLarge {
                    subject: message.subject.as_ref().to_owned(),
                    size: message.data.len(),
                    max: MESSAGE_SIZE_MAX,
                });
            }
        }
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let receipts = self.shared.backend.publish(messages).await?;
        let duplicates = receipts.iter().filter(|receipt| receipt.duplicate).count();
        self.shared.counters.published.add(receipts.len() - duplicates);
        self.shared.counters.duplicates.add(duplicates);
        Ok(receipts)
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
        self.shared.backend.open_consumer(&config).await?;
        Ok(Consumer::new(Arc::clone(&self.shared), config))
    }

    /// Acknowledges many deliveries at once, also of several consumers, without waiting for the storage.
    pub async fn ack_all(&self, deliveries: Vec<Delivery>) {
        let mut deliveries = deliveries.into_iter().peekable();
        while let Some(first) = deliveries.next() {
            let member = Arc::clone(&first.member);
            let mut settlements = vec![first.settlement(Verdict::Ack)];
            while let Some(next) = deliveries.next_if(|next| Arc::ptr_eq(&next.member, &member)) {
                settlements.push(next.settlement(Verdict::Ack));
            }
            self.shared.counters.acked.add(settlements.len());
            self.shared.settle(&member.name, settlements).await;
        }
    }

    /// Moves a consumer to another position: to see messages again, or to skip some.
    ///
    /// # Errors
    /// [`Error::NoConsumer`] when none of that name is open.
    pub async fn seek(&self, consumer: &str, start: Start) -> Result<(), Error> {
        self.shared.backend.seek(consumer, start).await
    }

    /// Removes a consumer and its position. Its members get no more messages.
    ///
    /// # Errors
    /// When the storage failed.
    pub async fn forget(&self, consumer: &str) -> Result<(), Error> {
        self.shared.backend.forget(consumer).await
    }

    /// The newest messages that were given up, newest first.
    ///
    /// # Errors
    /// When the storage failed.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.shared.backend.dead_letters(limit).await
    }

    /// Removes what is older than the retention of its stream; returns how many messages.
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
        self.shared.counters.stats(self.shared.backend.positions())
    }

    /// Stops handing out messages, makes all settlements durable, and closes the bus.
    ///
    /// Settle what is in hand first: what is settled after this comes back after the next start. Consumers get `None`.
    ///
    /// # Errors
    /// When the last commit failed.
    pub async fn drain(&self) -> Result<(), Error> {
        self.shared.backend.drain().await
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
