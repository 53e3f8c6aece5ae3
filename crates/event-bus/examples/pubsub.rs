//! Publishes events and handles them, on either backend: `cargo run -p omni-event-bus --example pubsub -- URL` with
//! `embedded:PATH` or `nats://127.0.0.1:4222`.

#![expect(clippy::print_stdout, reason = "a program that talks")]

use omni_clock::{Clock as _, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EventBus};
use omni_events::{Event, SubjectPattern};
use serde_json::{from_value, json};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say where: embedded:PATH or nats://HOST:PORT")?;
    let bus = EventBus::open(&url).await?;
    let (say, mut said) = mpsc::channel(16);
    let orders = ConsumerConfig::new("shop", vec![SubjectPattern::parse("custom.order.>")?]);
    bus.subscribe(orders, move |received| {
        let say = say.clone();
        async move { Ok(say.send((received.sequence, received.event)).await?) }
    })
    .await?;
    let random = Random::from_entropy();
    let order = |number| order(number, &random);
    let orders: Vec<Event> = (1..=3).map(order).collect::<Result<_, _>>()?;
    for receipt in bus.publish(&orders).await? {
        println!("published as {} {}", receipt.stream, receipt.sequence);
    }
    for _ in &orders {
        let (sequence, event) = said.recv().await.ok_or("the subscription ended")?;
        println!("handled {sequence}: {} {}", event.event_type, event.payload.as_str());
    }
    Ok(bus.drain().await?)
}

fn order(number: u32, random: &Random) -> serde_json::Result<Event> {
    let now = SystemClock::new().now();
    from_value(json!({
        "id": random.uuid_v7(now), "type": "custom.order.paid", "source": "example",
        "time": now, "receivedAt": now,
        "payload": { "order": number }, "metadata": { "org": "default", "correlationId": "example" },
    }))
}
