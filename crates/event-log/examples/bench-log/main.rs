//! Measures the event log on both databases: appends beside what the same engine does by hand, in turns, and then what a
//! full log answers, how large it is, how quickly it starts, and how much memory a replay takes.
//!
//! `cargo xtask bench log` builds and calls it. What each part does is told where it does it. Book, meter, machine and
//! report are those of the bench of the bus, so that figures of both mean the same.

#![expect(clippy::print_stdout, reason = "a program that reports")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

mod append;
#[path = "../../../event-bus/examples/bench/book.rs"]
mod book;
mod events;
mod fill;
#[path = "../../../event-bus/examples/bench/machine.rs"]
mod machine;
#[path = "../../../event-bus/examples/bench/meter.rs"]
mod meter;
mod payloads;
mod place;
mod probe;
mod product;
mod questions;
mod reads;
#[path = "../../../event-bus/examples/bench/report.rs"]
mod report;
mod words;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::{Parser, ValueEnum};
use mimalloc::MiMalloc;
use omni_store::testing::PostgresServer;
use tempfile::TempDir;

use crate::{
    append::{Drafts, Mix},
    book::Book,
    events::Events,
    machine::Machine,
    place::Database,
    probe::Probe,
    report::{Bar, Promise},
};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const BARS: [Promise; 8] = [
    ("sqlite_append_per_s", Bar::AtLeast(20_000.0, "events/s")),
    ("postgres_append_per_s", Bar::AtLeast(8_000.0, "events/s")),
    ("recent_page_p99", Bar::AtMost(10.0, "ms")),
    ("identity_timeline_p99", Bar::AtMost(10.0, "ms")),
    ("provider_lookup_p99", Bar::AtMost(10.0, "ms")),
    ("cold_start_ms", Bar::AtMost(300.0, "ms")),
    ("bytes_per_raw_byte", Bar::AtMost(1.4, "")),
    ("replay_extra_rss", Bar::AtMost(64.0, "MiB")),
];

#[derive(Parser)]
#[command(name = "bench-log", about = "The event log beside the limits of what it stands on")]
struct Options {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that each part with appends runs in each round
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often appends are measured
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Events of the full log
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    events: u64,
    /// Where SQLite and the bus lie; on the disk that is to be measured
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only one database
    #[arg(long)]
    only: Option<Database>,
    /// Only one half
    #[arg(long)]
    part: Option<Part>,
    /// What the events are made from
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// What a fresh process finds out at a location
    #[arg(long, hide = true, requires_all = ["location", "until"])]
    probe: Option<Probe>,
    #[arg(long, hide = true)]
    location: Option<String>,
    #[arg(long, hide = true)]
    until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Append,
    Reads,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(async {
        tokio::select! {
            () = run(&options) => ExitCode::SUCCESS,
            // A full log is large: an interrupted run leaves nothing behind either.
            _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        }
    });
    runtime.shutdown_background();
    code
}

async fn run(options: &Options) {
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    if let (Some(probe), Some(location)) = (options.probe, &options.location) {
        let events = Events::new(options.seed);
        return probe::run(probe, (location, &folder), &events, options.until.unwrap()).await;
    }
    let folder = TempDir::new_in(folder).unwrap();
    let server = match options.only {
        Some(Database::Sqlite) => None,
        _ => Some(PostgresServer::start().await),
    };
    measure(options, folder.path(), server.as_ref()).await;
}

async fn measure(options: &Options, folder: &Path, server: Option<&PostgresServer>) {
    let has_part = |part| options.part.is_none_or(|only| only == part);
    let databases: Vec<Database> = [Database::Sqlite, Database::Postgres]
        .into_iter()
        .filter(|database| options.only.is_none_or(|only| only == *database))
        .collect();
    let url = server.map(PostgresServer::url);
    let place = (folder, url.as_deref());
    let events = Events::new(options.seed);
    let (mut machine, mut book) = (Machine::look(), Book::default());
    if has_part(Part::Append) {
        let drafts = Mix::ALL.map(|mix| Arc::new(Drafts::new(&events, mix)));
        let time = Duration::from_secs(options.seconds);
        for round in 1..=options.rounds {
            println!("round {round} of {}, load {}", options.rounds, machine::load());
            machine::settle();
            machine::probe(folder, &mut book);
            for database in &databases {
                for drafts in &drafts {
                    append::round(*database, place, drafts, time, &mut book).await;
                }
            }
        }
    }
    if has_part(Part::Reads) {
        for database in &databases {
            println!("{} events on {}, load {}", options.events, database.name(), machine::load());
            reads::measure(*database, place, (&events, options.events), &mut book).await;
        }
        worst(&mut book);
    }
    machine.finish(None);
    if let Some(url) = place.1 {
        println!("PostgreSQL {}", place::server_version(url).await);
    }
    report::publish(&book, &BARS, &machine, options.json.as_deref());
}

/// The figures of both databases as one: the worse of the two.
fn worst(book: &mut Book) {
    let worse = |values: &[Option<f64>]| values.iter().flatten().copied().reduce(f64::max);
    for (figure, unit) in
        [("cold_start_ms", "ms"), ("bytes_per_raw_byte", "ratio"), ("replay_extra_rss", "MiB")]
    {
        let of = |name| {
            let name = format!("{name}_{figure}");
            book.series.iter().find(|series| series.name == name).map(book::Series::median)
        };
        if let Some(value) = worse(&[of("sqlite"), of("postgres")]) {
            book.note(figure, unit, value);
        }
    }
    for figure in ["recent_page", "identity_timeline", "provider_lookup"] {
        let of = |name| {
            let name = format!("{name}_{figure}");
            let latency = book.latencies.iter().find(|latency| latency.name == name);
            latency.map(|latency| book::median(&latency.p99s))
        };
        if let Some(value) = worse(&[of("sqlite"), of("postgres")]) {
            book.note(&format!("{figure}_p99"), "ms", value);
        }
    }
}
