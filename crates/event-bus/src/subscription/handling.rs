//! One event and its handler: what the handler returns, or that it panicked, settles the message.

use std::{
    any::Any,
    collections::{HashMap, hash_map::Entry},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use omni_events::Event;
use tokio::sync::OwnedSemaphorePermit;

use super::{Control, Failure, Received, failure::chain};
use crate::{Delivery, Message, Settlement, Stream, Verdict, backend::decode, lanes::Place};

/// Most violations that a dead letter names, and how long each may be, in bytes: events come from strangers.
const VIOLATIONS_MAX: usize = 16;
const VIOLATION_LEN_MAX: usize = 200;

/// What the handlers of one subscription have in common.
pub(super) struct Handling<C, H> {
    check: C,
    handler: H,
    pub(super) control: Arc<Control>,
    /// The messages whose handlers run.
    running: Mutex<HashMap<Place, Delivery>>,
}

impl<C, H> Handling<C, H> {
    pub(super) fn new(check: C, handler: H, control: Arc<Control>) -> Arc<Self> {
        Arc::new(Self { check, handler, control, running: Mutex::default() })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Place, Delivery>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message; `None` when its handler runs already. Then the newer delivery stands for it when it is settled.
    pub(super) fn take(&self, mut delivery: Delivery) -> Option<Work> {
        let Delivery { stream, sequence, published_at, attempt, .. } = delivery;
        let message = delivery.message.clone();
        match self.running().entry(delivery.place()) {
            Entry::Occupied(mut running) => {
                delivery.since = running.get().since;
                running.insert(delivery);
                None
            }
            Entry::Vacant(free) => {
                free.insert(delivery);
                Some(Work { message, stream, sequence, published_at, attempt })
            }
        }
    }

    /// What keeps alive the messages whose handlers run.
    pub(super) fn alive(&self) -> Vec<Settlement> {
        self.running().values().map(|delivery| delivery.settlement(Verdict::InProgress)).collect()
    }
}

/// A message that is to be handled.
pub(super) struct Work {
    message: Message,
    stream: Stream,
    sequence: u64,
    published_at: chrono::DateTime<chrono::Utc>,
    attempt: u32,
}

impl<C, H, F> Handling<C, H>
where
    C: Fn(&Event) -> Vec<String>,
    H: Fn(Received) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    /// Calls the handler and settles the message; or leaves it to come back, when it is given up.
    pub(super) async fn handle(self: Arc<Self>, work: Work, _slot: OwnedSemaphorePermit) {
        let place = (work.stream, work.sequence);
        let outcome = tokio::select! {
            biased;
            () = self.control.give_up.cancelled() => return,
            outcome = AssertUnwindSafe(self.work(work)).catch_unwind() => outcome,
        };
        let Some(delivery) = self.running().remove(&place) else { return };
        match outcome {
            Ok(Ok(())) => delivery.ack().await,
            Ok(Err(Failure::Retry { reason, after })) => delivery.again(after, &reason).await,
            Ok(Err(Failure::Reject { reason })) => delivery.reject(&reason).await,
            Err(panic) => delivery.again(None, &format!("panicked: {}", text(&*panic))).await,
        }
    }

    async fn work(&self, work: Work) -> Result<(), Failure> {
        let Work { message, stream, sequence, published_at, attempt } = work;
        let event =
            decode(&message, stream, sequence).map_err(|error| Failure::reject(chain(&error)))?;
        let violations = (self.check)(&event);
        if !violations.is_empty() {
            return Err(Failure::reject(list(&violations)));
        }
        (self.handler)(Received { event, stream, sequence, published_at, attempt }).await
    }
}

/// All violations as one text of bounded length.
fn list(violations: &[String]) -> String {
    let clip = |text: &String| text[..text.floor_char_boundary(VIOLATION_LEN_MAX)].to_owned();
    let named: Vec<_> = violations.iter().take(VIOLATIONS_MAX).map(clip).collect();
    let text = format!("the event is not valid: {}", named.join("; "));
    match violations.len() - named.len() {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use omni_clock::{ManualClock, Random};
    use omni_events::SubjectPattern;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{ConsumerConfig, EmbeddedOptions, EventBus, Start};

    #[test]
    fn all_violations_are_named_in_a_bounded_text() {
        let list = |count: usize| list(&vec!["é".repeat(500); count]);
        assert_eq!(list(1).len(), "the event is not valid: ".len() + VIOLATION_LEN_MAX);
        assert!(list(20).ends_with("; and 4 more"));
        assert!(list(10_000).len() < 4096);
    }

    /// As after a suspended machine: the bus gave up waiting, the handler never noticed.
    #[tokio::test]
    async fn a_message_that_comes_again_while_it_is_handled_is_not_handled_twice() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::at_unix(1_800_000_000);
        let random = Arc::new(Random::seeded(1));
        let options = EmbeddedOptions {
            clock: Arc::new(clock.clone()),
            random,
            ..EmbeddedOptions::default()
        };
        let bus = EventBus::embedded(directory.path(), options).await.unwrap();
        let all = vec![SubjectPattern::all()];
        let config = ConsumerConfig { start: Start::First, ..ConsumerConfig::new("a", all) };
        let mut consumer = bus.consumer(config).await.unwrap();
        let (id, data) = (uuid::Uuid::from_u128(1), "{}".into());
        bus.publish_raw(vec![Message { id, subject: "custom.a._._".into(), data }]).await.unwrap();

        let control = Arc::new(Control::new("a".into()));
        let handler = |_| std::future::ready(Ok(()));
        let handling = Handling::new(|_: &Event| Vec::new(), handler, control);
        let work = handling.take(consumer.next().await.unwrap()).unwrap();
        clock.advance(Duration::from_mins(1));
        let again = consumer.next().await.unwrap();
        assert_eq!(again.attempt, 2);
        assert!(handling.take(again).is_none(), "it is handled twice");
        assert_eq!(handling.alive()[0].attempt, 2, "the claim is the newer one");

        let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        handling.clone().handle(work, slot).await;
        assert_eq!(handling.alive().len(), 0);
        let dead = bus.dead_letters(2).await.unwrap();
        assert_eq!((dead.len(), dead[0].attempts), (1, 2), "the newer one was settled");
    }
}
