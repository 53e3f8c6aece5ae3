//! The events that this process has in hand, from the moment the bus hands them out until what was done is recorded.
//!
//! It must stay true that an event is in hand once: whoever finds it handed out again while it is worked on goes on with
//! the work that has begun, and only renews its claim on the message. An event that was published twice has two messages;
//! both are settled when it is done, and neither before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use omni_clock::Clock;
use omni_event_bus::Delivery;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the bus is told that events are still in hand; a third of the time after which it would deliver again.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Bounded by what the bus hands out at once.
#[derive(Debug, Default)]
pub(crate) struct InHand(Mutex<HashMap<Uuid, Vec<Delivery>>>);

impl InHand {
    /// Takes a message into hand. `false` when its event is in hand already; then the newest of one message stands for it.
    pub(crate) async fn take(&self, event: Uuid, delivery: Delivery) -> bool {
        let mut all = self.0.lock().await;
        let held = all.entry(event).or_default();
        let known = !held.is_empty();
        if known {
            delivery.in_progress().await;
        }
        held.retain(|old| (old.stream, old.sequence) != (delivery.stream, delivery.sequence));
        held.push(delivery);
        !known
    }

    /// Lets an event go, newest message last; what happens to its messages is the caller's business.
    pub(crate) async fn release(&self, event: Uuid) -> Vec<Delivery> {
        self.0.lock().await.remove(&event).unwrap_or_default()
    }

    /// Lets events go whose messages are to be settled.
    pub(crate) async fn release_all(&self, events: impl Iterator<Item = Uuid>) -> Vec<Delivery> {
        let mut all = self.0.lock().await;
        events.filter_map(|event| all.remove(&event)).flatten().collect()
    }

    /// Tells the bus by the clock that everything in hand is still worked on.
    pub(crate) async fn keep(self: Arc<Self>, clock: Arc<dyn Clock>, stop: CancellationToken) {
        while stop.run_until_cancelled(clock.sleep(HEARTBEAT)).await.is_some() {
            for delivery in self.0.lock().await.values().flatten() {
                delivery.in_progress().await;
            }
        }
    }
}
