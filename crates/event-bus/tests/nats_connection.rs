//! The NATS bus on real servers: finding one, getting in, making the streams, publishing, and outages.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "nats_connection/certificates.rs"]
mod certificates;
#[path = "nats_connection/inbox.rs"]
mod inbox;
#[path = "nats_connection/logins.rs"]
mod logins;
#[path = "nats_connection/outages.rs"]
mod outages;
#[path = "nats_connection/publishing.rs"]
mod publishing;
#[path = "nats_connection/streams.rs"]
mod streams;

use std::time::Duration;

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{Error, EventBus, Health, Message, NatsOptions, testing::NatsServer};
use tokio::time::timeout;

/// A wait that only a failure spends.
const PATIENCE: Duration = Duration::from_secs(20);

async fn open(server: &NatsServer) -> EventBus {
    EventBus::nats(NatsOptions::new(server.url())).await.unwrap()
}

/// A client without our code.
async fn stranger(server: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

fn message(subject: &str, data: impl Into<Vec<u8>>) -> Message {
    let id = Random::from_entropy().uuid_v7(SystemClock::new().now());
    Message { id, subject: subject.into(), data: data.into().into() }
}

fn orders(count: usize) -> Vec<Message> {
    (0..count).map(|n| message("custom.order.paid._._", format!("{{\"n\":{n}}}"))).collect()
}

/// The state of the bus once it is what is waited for.
async fn healthy(bus: &EventBus, wanted: impl FnMut(&Health) -> bool) -> Health {
    let mut health = bus.health();
    *timeout(PATIENCE, health.wait_for(wanted)).await.unwrap().unwrap()
}

/// What the bus says when it cannot be opened.
async fn refusal(options: NatsOptions) -> (Error, String) {
    let error = timeout(PATIENCE, EventBus::nats(options)).await.unwrap().unwrap_err();
    let text = format!("{error} {error:?}");
    (error, text)
}
