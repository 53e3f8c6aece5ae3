//! Measures the group commit by hand: `cargo run --release -p omni-store --example commit -- [POSTGRES_URL]`.
//!
//! Each event has 1 KB of payload, a dedupe key and a capture row; batches of several sizes, one caller.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people who measure")]

use std::{
    fs,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use omni_events::{Event, EventType, Metadata, Payload};
use omni_store::{
    Store,
    events::{self, NewEvent, NewKey, NewPayload},
    executions::{self, Done, ExecutionRow, NewOutcome},
    outbox,
};
use uuid::Uuid;

#[tokio::main]
async fn main() {
    let store = match std::env::args().nth(1) {
        Some(url) => Store::temporary_postgres(&url).await,
        None => Store::temporary().await,
    };
    println!("{:?}: events with key and capture", store.kind());
    let mut first = 0;
    for (batch, rounds) in [(1, 2000), (10, 500), (100, 200), (500, 100), (500, 100), (1000, 50)] {
        commits(&store, first, batch, rounds).await;
        first += (batch * rounds) as u128;
    }
    paced(&store, first).await;
    first += 15_000;
    println!("{:?}: outcomes with one execution", store.kind());
    for (batch, rounds) in [(100, 200), (500, 100)] {
        dones(&store, first, batch, rounds).await;
        first += (batch * rounds) as u128;
    }
}

async fn commits(store: &Store, first: u128, batch: usize, rounds: usize) {
    let mut conn = store.write().await.expect("a connection");
    let writer = outbox::claim_writer(&mut conn, "bench", now()).await.expect("a writer");
    let mut clock = Clock::default();
    for round in 0..rounds {
        let from = first + (round * batch) as u128;
        let events: Vec<NewEvent> = (from..from + batch as u128).map(new_event).collect();
        clock.start();
        events::commit_batch(&mut conn, writer, 0, now(), &events).await.expect("a commit");
        clock.stop();
    }
    clock.tell(batch, rounds);
}

/// A thousand events per second, five at a time: what a commit takes when the machine is not saturated.
async fn paced(store: &Store, first: u128) {
    let mut conn = store.write().await.expect("a connection");
    let writer = outbox::claim_writer(&mut conn, "bench", now()).await.expect("a writer");
    let mut clock = Clock::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for round in 0..3000 {
        let from = first + round * 5;
        let events: Vec<NewEvent> = (from..from + 5).map(new_event).collect();
        ticks.tick().await;
        clock.start();
        events::commit_batch(&mut conn, writer, 0, now(), &events).await.expect("a commit");
        clock.stop();
    }
    println!("at 1,000 events/s:");
    clock.tell(5, 3000);
}

async fn dones(store: &Store, first: u128, batch: usize, rounds: usize) {
    let mut conn = store.write().await.expect("a connection");
    let mut clock = Clock::default();
    for round in 0..rounds {
        let from = first + (round * batch) as u128;
        let done: Vec<Done> = (from..from + batch as u128).map(new_done).collect();
        clock.start();
        executions::commit_batch(&mut conn, &done).await.expect("a commit");
        clock.stop();
    }
    clock.tell(batch, rounds);
}

/// Wall and processor time of the commits only.
#[derive(Default)]
struct Clock {
    started: Option<(Instant, f64)>,
    wall: f64,
    cpu: f64,
    commits: Vec<f64>,
}

impl Clock {
    fn start(&mut self) {
        self.started = Some((Instant::now(), cpu_seconds()));
    }

    fn stop(&mut self) {
        let Some((instant, cpu)) = self.started.take() else { return };
        let wall = instant.elapsed().as_secs_f64();
        self.wall += wall;
        self.cpu += cpu_seconds() - cpu;
        self.commits.push(wall);
    }

    fn tell(&mut self, batch: usize, rounds: usize) {
        let events = (batch * rounds) as f64;
        self.commits.sort_by(f64::total_cmp);
        let at = |share: f64| self.commits[((rounds - 1) as f64 * share) as usize] * 1e3;
        println!(
            "batch {batch:>5}: {:>7.0} events/s, {:>6.1} us wall and {:>6.1} us CPU per event, commit p50 {:>6.2} p99 {:>6.2} max {:>6.2} ms",
            events / self.wall,
            self.wall * 1e6 / events,
            self.cpu * 1e6 / events,
            at(0.5),
            at(0.99),
            at(1.0),
        );
    }
}

/// Processor time of all threads, from the scheduler's own count in nanoseconds.
fn cpu_seconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_795_255_200_123_456).expect("a time")
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn new_event(number: u128) -> NewEvent {
    let filler = "x".repeat(950);
    let payload = format!(r#"{{"ref":"refs/heads/main","n":{number},"filler":"{filler}"}}"#);
    let event = Event {
        id: id(number),
        event_type: EventType::parse("custom.webhook.github.push").expect("a type"),
        source: "webhook:github".into(),
        time: now(),
        received_at: now(),
        payload: Payload::parse(payload.into()).expect("JSON"),
        schema_version: None,
        metadata: Metadata {
            correlation_id: id(number).to_string(),
            provider: Some("github".into()),
            ..Metadata::default()
        },
    };
    // Delivery ids are random; multiplying by an odd number scatters them.
    let scattered = Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let dedupe = NewKey {
        scope: "webhook:github".into(),
        key: scattered.to_string(),
        body_hash: [7; 32],
        expires_at: now(),
    };
    let headers = format!(r#"{{"x-github-event":"push","user-agent":"{}"}}"#, "h".repeat(300));
    let capture = NewPayload::new("received", Some("application/json".into()), headers, None);
    NewEvent::new(event, Some(dedupe), Some(capture))
}

fn new_done(number: u128) -> Done {
    let outcome = NewOutcome {
        event_id: id(number),
        org: "default".into(),
        status: "completed".into(),
        retry_count: 0,
        processed_at: now(),
        executions: 1,
        error: None,
        received_at: now(),
    };
    let execution = ExecutionRow {
        id: id(number),
        org: "default".into(),
        automation_id: Uuid::from_u128(1),
        automation_version: 1,
        event_id: id(number),
        event_type: "custom.webhook.github.push".into(),
        status: "completed".into(),
        conditions_matched: true,
        actions: format!(r#"[{{"action":"log","status":"ok","result":"{}"}}]"#, "r".repeat(200)),
        error: None,
        execution_time_ms: 3,
        created_at: now(),
    };
    Done { outcome, executions: vec![execution], dead: Vec::new() }
}
