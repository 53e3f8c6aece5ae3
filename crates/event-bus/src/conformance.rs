//! What every backend must do, as functions that fail by panicking.
//!
//! A backend's tests call [`run_all`], or the checks one by one, with a [`Suite`] that opens a bus over it. Where time
//! must pass, a backend that counts in this process gets a clock that is moved by hand; one that counts elsewhere gets
//! the real one. No check sleeps to see that something does *not* happen: it lets something else happen first.

#![expect(clippy::expect_used, reason = "a failed expectation is what a check is for")]

pub mod consuming;
mod events;
pub mod lifecycle;
pub mod ordering;
pub mod publishing;
pub mod reading;
pub mod routing;
pub mod settling;
pub mod subscribing;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use omni_clock::{Clock, ManualClock, SystemClock};
use omni_events::SubjectPattern;
use uuid::Uuid;

use crate::{Consumer, ConsumerConfig, Delivery, EventBus, Message, Start};

/// Longest that anything may take. Only a failing check waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a clock that is moved by hand goes at once, and how long it stands still before: ten times as fast as the
/// machine's leaves room for a busy machine.
const STEP: Duration = Duration::from_millis(50);
const STEP_PAUSE: Duration = Duration::from_millis(5);

type Opening = Pin<Box<dyn Future<Output = EventBus> + Send>>;

/// Which clock the bus under test runs on.
#[derive(Clone, Debug)]
pub enum Time {
    /// One that is moved by hand.
    Manual(ManualClock),
    /// The machine's, for a backend whose server keeps the time.
    Real(SystemClock),
}

impl Time {
    /// Lets time pass.
    pub async fn pass(&self, duration: Duration) {
        match self {
            Self::Manual(clock) => clock.advance(duration),
            Self::Real(clock) => clock.sleep(duration).await,
        }
    }

    /// Lets time pass until something has happened: in small steps, so that nothing is late that is done by the clock.
    pub async fn until<T>(&self, happening: impl Future<Output = T>) -> T {
        tokio::pin!(happening);
        loop {
            let Self::Manual(clock) = self else { return happening.await };
            match tokio::time::timeout(STEP_PAUSE, &mut happening).await {
                Ok(happened) => return happened,
                Err(_) => clock.advance(STEP),
            }
        }
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Manual(clock) => Arc::new(clock.clone()),
            Self::Real(clock) => Arc::new(*clock),
        }
    }
}

/// A place where a bus can be opened, closed, and opened again.
pub struct Suite {
    open: Box<dyn Fn(Arc<dyn Clock>) -> Opening + Send + Sync>,
    /// The clock of the bus.
    pub time: Time,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Suite {
    /// A suite whose `open` opens the bus at a place that was empty at first, and is the same at every call.
    pub fn new<F, Fut>(time: Time, open: F) -> Self
    where
        F: Fn(Arc<dyn Clock>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = EventBus> + Send + 'static,
    {
        Self { open: Box::new(move |clock| Box::pin(open(clock))), time }
    }

    /// Opens the bus.
    pub async fn open(&self) -> EventBus {
        (self.open)(self.time.clock()).await
    }

    /// Closes the bus and opens it again.
    pub async fn reopen(&self, bus: EventBus) -> EventBus {
        bus.drain().await.expect("the bus drains");
        drop(bus);
        self.open().await
    }
}

/// Hands the list of all checks, as `module::check` one after the other, to a macro: the one place where they are named.
///
/// With it a backend's tests make a test of each check, so that no list falls behind.
#[macro_export]
macro_rules! for_every_check {
    ($then:ident) => {
        $then! {
            publishing::sequences_ascend
            publishing::repeats_are_recognised
            publishing::unknown_domains_are_refused
            publishing::events_arrive_unchanged
            consuming::filters_select
            consuming::waiting_consumers_are_woken
            consuming::members_share
            consuming::consumers_are_independent
            consuming::consumers_start_where_asked
            consuming::in_flight_is_bounded
            consuming::a_backlog_comes_in_order
            settling::retries_wait
            settling::the_unsettled_comes_back
            settling::progress_extends_the_wait
            settling::late_acks_count
            settling::failures_end_as_dead_letters
            settling::silence_ends_as_dead_letter
            settling::the_rejected_is_dead_at_once
            subscribing::handlers_run_side_by_side
            subscribing::failures_are_tried_again
            subscribing::handlers_decide_what_becomes_of_an_event
            subscribing::panics_and_nonsense_are_survived
            subscribing::slow_handlers_are_kept_alive
            subscribing::only_valid_events_are_handled
            subscribing::a_drain_finishes_handlers
            subscribing::a_removed_consumer_ends_its_subscription
            ordering::keys_go_one_at_a_time
            ordering::a_blocked_key_parks_alone
            ordering::what_is_parked_is_kept_alive
            ordering::a_dropped_message_comes_before_its_followers
            ordering::members_share_lanes
            ordering::order_outlives_a_restart
            ordering::moving_forgets_what_is_parked
            ordering::handlers_keep_the_order_of_each_key
            lifecycle::consumers_resume
            lifecycle::an_idle_consumer_misses_nothing
            lifecycle::consumers_can_be_moved
            lifecycle::consumers_can_be_removed
            lifecycle::old_messages_are_removed
            lifecycle::drain_ends_everything
            reading::pages_are_read
            reading::replays_merge_streams
            reading::replays_keep_their_bounds
            reading::replays_keep_their_rate
            reading::odd_replays_are_refused
            reading::the_identity_stays
            routing::open_consumers_find_routed_messages
            routing::other_consumers_find_routed_messages
            routing::replays_find_routed_messages
        }
    };
}

/// Runs every check, each at a place of its own.
pub async fn run_all(place: impl Fn() -> Suite) {
    macro_rules! run {
        ($($module:ident::$check:ident)*) => {
            $($module::$check(&place()).await;)*
        };
    }
    for_every_check!(run);
}

/// A message with a number in it.
fn message(subject: &str, number: u64) -> Message {
    let id = Uuid::from_u128(u128::from(number) << 64);
    Message { id, subject: subject.into(), data: format!(r#"{{"number":{number}}}"#).into() }
}

/// Several of them on one subject.
fn messages(subject: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<Message> {
    numbers.into_iter().map(|number| message(subject, number)).collect()
}

/// A consumer of everything that some patterns select, from the first message on.
fn config(name: &str, filters: &[&str]) -> ConsumerConfig {
    let parse = |filter: &&str| SubjectPattern::parse(filter).expect("a pattern");
    ConsumerConfig {
        start: Start::First,
        ack_wait: Duration::from_secs(2),
        ..ConsumerConfig::new(name, filters.iter().map(parse).collect())
    }
}

async fn publish(bus: &EventBus, messages: Vec<Message>) -> Vec<u64> {
    let receipts = bus.publish_raw(messages).await.expect("messages are published");
    receipts.into_iter().map(|receipt| receipt.sequence).collect()
}

async fn consumer(bus: &EventBus, config: ConsumerConfig) -> Consumer {
    bus.consumer(config).await.expect("the consumer opens")
}

/// Does not wait for ever.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens before patience ends")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    within(consumer.next()).await.expect("there is a next message")
}

/// Takes this many, in batches as they come.
async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let batch = within(consumer.next_batch(count - deliveries.len())).await;
        assert!(!batch.is_empty(), "the bus ended after {} of {count}", deliveries.len());
        deliveries.extend(batch);
    }
    deliveries
}

fn number(delivery: &Delivery) -> u64 {
    (delivery.message.id.as_u128() >> 64) as u64
}

fn numbers(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(number).collect()
}
