//! Subscribing: a handler for each event, several side by side, settled by what it returns.
//!
//! It must stay true that a message whose handler runs is kept alive, and that a subscription ends only after its
//! handlers, unless it is told to give them up.

mod failure;
mod handling;
mod subscriptions;
mod worker;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use omni_events::Event;

pub use self::failure::Failure;
pub(crate) use self::subscriptions::Subscriptions;
use self::{handling::Handling, subscriptions::Control, worker::Worker};
use crate::{ConsumerConfig, Error, EventBus, Stream};

/// An event as it is given to a handler.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The event.
    pub event: Event,
    /// The stream it is in.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// How often it has been handed out, this time included.
    pub attempt: u32,
}

/// Why a subscription has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped, or the bus was drained.
    Stopped,
    /// Its consumer was removed, here or elsewhere: subscribe again if that was not meant.
    Forgotten,
}

/// A handler at work. It goes on when this is dropped, and keeps the bus open: stop it, or drain the bus.
#[derive(Clone, Debug)]
pub struct Subscription {
    control: Arc<Control>,
}

impl Subscription {
    /// The durable name of its consumer.
    pub fn name(&self) -> &str {
        &self.control.name
    }

    /// Takes no more messages, and waits until the handlers that run have ended and their messages are settled.
    ///
    /// Stopping it again only waits. The next one of its name goes on from there.
    pub async fn stop(&self) -> Ended {
        self.control.stop.cancel();
        self.ended().await
    }

    /// Waits until it has ended, and says why. It ends by itself only when its consumer is removed.
    pub async fn ended(&self) -> Ended {
        self.control.ended().await
    }
}

impl EventBus {
    /// Calls the handler with every event that the consumer selects, up to `max_in_flight` at a time.
    ///
    /// What the handler returns settles the message: `Ok` acknowledges it, a [`Failure`] has it tried again or makes it
    /// a dead letter, and a panic is a failure too. While the handler runs the message is kept alive, however long it
    /// takes. What is no event is a dead letter. At least once holds: the handler must bear to see an event twice.
    ///
    /// Use a [`Consumer`](crate::Consumer) instead to settle many messages at once, or in another place.
    ///
    /// # Errors
    /// As [`EventBus::consumer`].
    pub async fn subscribe<H, F>(
        &self,
        config: ConsumerConfig,
        handler: H,
    ) -> Result<Subscription, Error>
    where
        H: Fn(Received) -> F + Send + std::marker::Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.subscribe_validated(config, |_: &Event| Vec::new(), handler).await
    }

    /// Like [`EventBus::subscribe`], for events without violations only: others are dead letters that name them.
    ///
    /// `check` says what is wrong with an event; it must be quick, and answer alike each time.
    ///
    /// # Errors
    /// As [`EventBus::consumer`].
    pub async fn subscribe_validated<C, H, F>(
        &self,
        config: ConsumerConfig,
        check: C,
        handler: H,
    ) -> Result<Subscription, Error>
    where
        C: Fn(&Event) -> Vec<String> + Send + std::marker::Sync + 'static,
        H: Fn(Received) -> F + Send + std::marker::Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let control = Arc::new(Control::new(config.name.clone()));
        let consumer = self.consumer(config).await?;
        self.shared.subscriptions.insert(&control);
        let handling = Handling::new(check, handler, Arc::clone(&control));
        tokio::spawn(Worker::new(Arc::clone(&self.shared), consumer, handling).run());
        Ok(Subscription { control })
    }
}
