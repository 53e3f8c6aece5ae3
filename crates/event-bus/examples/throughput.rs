//! Measures what one event costs on the embedded bus: published in batches, delivered, read and acknowledged.
//!
//! `cargo run --release -p omni-event-bus --example throughput [events] [batch] [every-commit|interval]`

#![expect(clippy::print_stdout, reason = "a program that reports")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Start, Sync};
use omni_events::{Event, EventType, Metadata, Org, Payload, SubjectPattern};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |or: usize| arguments.next().map_or(or, |text| text.parse().unwrap());
    let (events, batch) = (number(300_000), number(100));
    let sync = match arguments.next().as_deref() {
        Some("every-commit") => Sync::EveryCommit,
        _ => Sync::Interval(Duration::from_millis(100)),
    };
    let directory = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random = Arc::new(Random::seeded(1));
    let options = EmbeddedOptions { sync, clock: Arc::clone(&clock), random: Arc::clone(&random) };
    let bus = EventBus::embedded(directory.path(), options).await.unwrap();

    let template = event(&clock, &random);
    let size = serde_json::to_vec(&template).unwrap().len();
    println!("{events} events of {size} bytes, batches of {batch}, {sync:?}");
    for round in ["publish, deliver, ack", "the same, and read each event"] {
        let reads = round.starts_with("the");
        let config = ConsumerConfig {
            start: Start::New,
            max_in_flight: 4096,
            ..ConsumerConfig::new(
                if reads { "reading" } else { "plain" },
                vec![SubjectPattern::parse("custom.>").unwrap()],
            )
        };
        let mut consumer = bus.consumer(config).await.unwrap();
        let (begin, cpu) = (Instant::now(), cpu_ms());
        let receiver = {
            let bus = bus.clone();
            tokio::spawn(async move {
                let mut left = events;
                while left > 0 {
                    let deliveries = consumer.next_batch(256).await;
                    left -= deliveries.len();
                    if reads {
                        assert!(deliveries.iter().all(|delivery| delivery.event().is_ok()));
                    }
                    bus.ack_all(deliveries).await;
                }
            })
        };
        let mut published = 0;
        while published < events {
            let batch: Vec<_> = (0..batch)
                .map(|_| Event { id: random.uuid_v7(clock.now()), ..template.clone() })
                .collect();
            published += bus.publish(&batch).await.unwrap().len();
        }
        receiver.await.unwrap();
        let (wall, cpu) = (begin.elapsed(), cpu_ms() - cpu);
        println!(
            "{round}: {:.2} us CPU per event, {:.0} events/s",
            cpu as f64 * 1000.0 / published as f64,
            published as f64 / wall.as_secs_f64()
        );
    }
    println!("{:?}", bus.stats());
    bus.drain().await.unwrap();
}

fn event(clock: &Arc<dyn Clock>, random: &Random) -> Event {
    let payload = format!(
        r#"{{"ref":"refs/heads/main","text":"{}","n":[1,2,3],"who":{{"a":1,"b":true}}}}"#,
        "lorem ipsum ".repeat(48)
    );
    Event {
        id: random.uuid_v7(clock.now()),
        event_type: EventType::parse("custom.webhook.github.push").unwrap(),
        source: "webhook:github".into(),
        time: clock.now(),
        received_at: clock.now(),
        payload: Payload::parse(payload.into()).unwrap(),
        schema_version: None,
        metadata: Metadata {
            org: Org::default(),
            correlation_id: "0190-correlation".into(),
            ..Metadata::default()
        },
    }
}

/// Processor time of this process so far, in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // User and system time in ticks of a hundredth of a second.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}
