//! Measures the bus beside the limits of what it stands on: both backends, in one run, in turns.
//!
//! `cargo xtask bench bus` builds and calls it. Whatever is compared is measured one directly after the other, and that
//! several times; a ratio is the median of the ratios of such pairs. What each part does is told where it does it.

#![expect(clippy::print_stdout, reason = "a program that reports")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

mod book;
mod embedded;
mod events;
mod latency;
mod machine;
mod meter;
mod nats;
mod raw_log;
mod raw_nats;
mod report;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use crate::{
    book::Book,
    machine::Machine,
    report::{Bar, Promise},
};

const BARS: [Promise; 5] = [
    ("embedded_publish_vs_raw_log", Bar::AtLeast(0.55, "")),
    ("nats_publish_vs_raw_client", Bar::AtLeast(0.85, "")),
    ("nats_consume_vs_raw_client", Bar::AtLeast(0.80, "")),
    ("embedded_publish_to_handler_p99", Bar::AtMost(3.0, "ms")),
    ("nats_publish_to_handler_p99", Bar::AtMost(3.0, "ms")),
];

#[derive(Parser)]
#[command(name = "bench", about = "The bus beside the limits of what it stands on")]
struct Options {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that each part runs in each round
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Events per second where latency is measured
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Where the embedded bus and the raw log lie; on the disk that is to be measured
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only one backend
    #[arg(long)]
    only: Option<Half>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    Embedded,
    Nats,
}

/// How much is measured.
struct Extent {
    /// How long a part runs, besides warming up.
    time: Duration,
    /// Events per second where latency is measured.
    rate: u32,
}

impl Extent {
    /// How many events there are where the time is the result.
    fn count(&self) -> usize {
        (self.time.as_secs() * 40_000) as usize
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let folder = options.folder.unwrap_or_else(std::env::temp_dir);
    let folder = TempDir::new_in(folder).unwrap();
    let extent = Extent { time: Duration::from_secs(options.seconds), rate: options.rate };
    let mut machine = Machine::look();
    let mut book = Book::default();
    let has = |half| options.only.is_none_or(|only| only == half);
    let nats = if has(Half::Nats) { Some(nats::Nats::start().await) } else { None };
    for round in 1..=options.rounds {
        println!("round {round} of {}, load {}", options.rounds, machine::load());
        // Waits first, before the disk is busy with what the other parts leave behind.
        machine::settle();
        machine::probe(folder.path(), &mut book);
        if has(Half::Embedded) {
            embedded::waits(folder.path(), &extent, &mut book).await;
        }
        if let Some(nats) = &nats {
            nats.waits(&extent, &mut book).await;
        }
        if has(Half::Embedded) {
            embedded::rates(folder.path(), &extent, &mut book).await;
        }
        if let Some(nats) = &nats {
            nats.rates(round, &extent, &mut book).await;
        }
    }
    machine.finish(nats.as_ref().map(nats::Nats::version));
    report::publish(&book, &BARS, &machine, options.json.as_deref());
}
