//! A short script that publishes, takes and settles one message after the other, and writes down what it was told.
//!
//! The fault tests kill it at every sync, or let the disk fail under it, and compare the ledger with what is left:
//! `cargo run -p omni-event-bus --example crash DIRECTORY LEDGER`
//!
//! Each line of the ledger is written before the next step: `receipt N S` after a receipt (message number, sequence),
//! `refused N` after an error, `settle S` or `reject S` before that is done, `health H` when that has changed.

#![expect(clippy::unwrap_used, reason = "a script that fails may panic")]

use std::{fs::File, io::Write, path::Path, sync::Arc};

use omni_clock::{Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Health, Message, Start, Sync};
use omni_events::SubjectPattern;
use tokio::sync::watch;
use uuid::Uuid;

/// How many messages are published.
const MESSAGES: u64 = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, directory, ledger] = arguments.as_slice() else {
        panic!("give it a directory and the path of a ledger");
    };
    let mut ledger = File::options().create(true).append(true).open(ledger).unwrap();
    let options = EmbeddedOptions {
        sync: Sync::EveryCommit,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(Random::seeded(1)),
        ..EmbeddedOptions::default()
    };
    let bus = EventBus::embedded(Path::new(directory), options).await.unwrap();
    let mut health = bus.health();
    let filter = SubjectPattern::parse("custom.>").unwrap();
    let config =
        ConsumerConfig { start: Start::First, ..ConsumerConfig::new("script", vec![filter]) };
    let mut consumer = bus.consumer(config).await.unwrap();
    let mut held = Vec::new();
    for number in 1..=MESSAGES {
        let published = bus.publish_raw(vec![message(number)]).await;
        match &published {
            Ok(receipts) => writeln!(ledger, "receipt {number} {}", receipts[0].sequence).unwrap(),
            Err(_) => writeln!(ledger, "refused {number}").unwrap(),
        }
        note(&mut health, &mut ledger);
        if published.is_err() {
            continue;
        }
        let delivery = consumer.next().await.unwrap();
        match number % 10 {
            // Some are never settled, so that what comes after them is settled out of order.
            3 | 6 => held.push(delivery),
            0 => {
                writeln!(ledger, "reject {}", delivery.sequence).unwrap();
                delivery.reject("every tenth is").await;
            }
            _ => {
                writeln!(ledger, "settle {}", delivery.sequence).unwrap();
                delivery.ack().await;
            }
        }
    }
    let drained = bus.drain().await;
    writeln!(ledger, "{}", if drained.is_ok() { "drained" } else { "not drained" }).unwrap();
}

fn message(number: u64) -> Message {
    Message {
        id: Uuid::from_u128(number.into()),
        subject: "custom.a._._".into(),
        data: vec![b'x'; 1000].into(),
    }
}

fn note(health: &mut watch::Receiver<Health>, ledger: &mut File) {
    if health.has_changed().unwrap() {
        writeln!(ledger, "health {:?}", *health.borrow_and_update()).unwrap();
    }
}
