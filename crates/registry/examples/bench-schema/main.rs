//! Measures the registry of event types: what validation adds to publishing, what ten thousand types cost at the start and
//! at each look, and how long comparing, refusing, and checking against stored events take.
//!
//! `cargo xtask bench schema` builds and calls it. Book, machine and report are those of the bench of the bus, so that
//! figures of both mean the same.

#![expect(clippy::print_stdout, reason = "a program that reports")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/book.rs"]
mod book;
mod comparing;
mod hostile;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/machine.rs"]
mod machine;
mod many;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/meter.rs"]
mod meter;
#[expect(dead_code, reason = "shared with other benches")]
#[path = "../../../event-bus/examples/bench/report.rs"]
mod report;
mod samples;
mod stored;
mod validating;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::{
    book::Book,
    machine::Machine,
    report::{Bar, Promise},
};

const BARS: [Promise; 6] = [
    ("validate_us", Bar::AtMost(15.0, "us")),
    ("start_10k_ms", Bar::AtMost(1000.0, "ms")),
    ("lookup_ns", Bar::AtMost(1000.0, "ns")),
    ("compare_50_ms", Bar::AtMost(10.0, "ms")),
    ("refuse_worst_ms", Bar::AtMost(100.0, "ms")),
    ("check_100k_s", Bar::AtMost(5.0, "s")),
];

#[derive(Parser)]
#[command(
    name = "bench-schema",
    about = "The registry of event types beside the limits of what it stands on"
)]
struct Options {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// How often each part is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the databases lie
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::TempDir::new_in(folder).unwrap();
    let (mut machine, mut book) = (Machine::look(), Book::default());
    let (many, stored) = (folder.path().join("many.db"), folder.path().join("stored.db"));
    many::fill(&many).await;
    let stored = stored::fill(&stored).await;
    for round in 1..=options.rounds {
        println!("round {round} of {}, load {}", options.rounds, machine::load());
        validating::measure(&mut book).await;
        many::measure(&many, &mut book).await;
        comparing::measure(&mut book);
        hostile::measure(&mut book);
        stored::measure(&stored, &mut book).await;
    }
    machine.finish(None);
    report::publish(&book, &BARS, &machine, options.json.as_deref());
}

/// Processor time of one call, over about a second of calls. Others on the machine do not count.
fn cpu_of(mut call: impl FnMut()) -> Duration {
    const CALLS: u32 = 1000;
    let (before, started, mut calls) = (machine::cpu("self"), Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(1) {
        (0..CALLS).for_each(|_| call());
        calls += CALLS;
    }
    machine::cpu("self").saturating_sub(before) / calls
}

/// The shortest of three calls: what is longer was others on the machine.
fn shortest_of(mut call: impl FnMut()) -> Duration {
    let time = |_| {
        let started = Instant::now();
        call();
        started.elapsed()
    };
    (0..3).map(time).min().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
