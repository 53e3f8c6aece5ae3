//! Load and faults from outside: a generator that shares no process with the server it measures.
//!
//! `ingest`, `e2e` and `schedules` measure and exit 0 even when a bar is missed (the report says so); `kill`, `postgres`, `bus` and
//! `replicas` count what was lost when the server, its database or its bus failed. Every run checks its own truth, answer by answer
//! and count by count, and exits 1 when that fails: a fast wrong run is no figure.

#![expect(clippy::print_stdout, reason = "a program whose result is what it prints")]
#![expect(clippy::print_stderr, reason = "a program whose result is what it prints")]

mod audit;
mod campaign;
mod disk;
mod drive;
mod e2e;
mod error;
mod fault;
mod hostile;
mod http;
mod ingest;
mod ledger;
mod outcome;
mod receiver;
mod replicas;
mod report;
mod schedules;
mod server;
mod target;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::error::Error;
use crate::load::fault::{Database, Fault};

/// Loads and hurts an `omni` server and reports what came of it.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Signed webhooks in, durable events out: ceiling, CPU per event, latency at a fixed rate
    Ingest(Options),
    /// From the acknowledgement of an event to the start of the action it causes
    E2e(Options),
    /// Ten thousand schedules: what they cost while none is due, how late they fire when all are
    Schedules(Options),
    /// What an honest sender notices while others attack the listener
    Hostile(Options),
    /// Kill the server under load again and again, and count what was lost
    Kill {
        #[command(flatten)]
        options: CampaignOptions,
        /// Where the server keeps its tables
        #[arg(long, value_enum, default_value_t = Database::Sqlite)]
        database: Database,
    },
    /// Restart the PostgreSQL of the server under load: it sends its clients away, or crashes
    Postgres(CampaignOptions),
    /// Kill three servers in turns that fire the same thousand schedules
    Replicas(CampaignOptions),
    /// Kill the NATS of the server under load, sometimes with its data; then delete its embedded bus
    Bus {
        #[command(flatten)]
        options: CampaignOptions,
        /// Only one kind of bus
        #[arg(long, value_enum)]
        only: Option<Bus>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bus {
    Nats,
    Embedded,
}

#[derive(Args)]
struct Options {
    /// The omni program to start
    #[arg(long)]
    omni: PathBuf,
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that each part runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Events per second of the part with a fixed rate [default: 2000 for ingest, 500 for e2e]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: Option<u64>,
    /// What the server logs, into a file that failures quote
    #[arg(long, default_value = "warn")]
    log: String,
    /// Connections kept open
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    connections: u64,
}

#[derive(Args)]
struct CampaignOptions {
    #[command(flatten)]
    options: Options,
    /// How often the fault happens
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Seed of the moments of the faults, to play a run again
    #[arg(long)]
    seed: Option<u64>,
}

/// The program: reads the command line, runs, reports.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread: the generator leaves the other core to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(async {
            match cli.command {
                Command::Ingest(options) => ingest::run(&options).await,
                Command::E2e(options) => e2e::run(&options).await,
                Command::Hostile(options) => hostile::run(&options).await,
                Command::Schedules(options) => schedules::run(&options).await,
                Command::Kill { options, database } => {
                    campaigns(&options, database, &[Fault::Kill]).await
                }
                Command::Postgres(options) => {
                    campaigns(&options, Database::Postgres, &[Fault::PostgresRestarted]).await
                }
                Command::Replicas(options) => replicas::run(&options).await,
                Command::Bus { options, only } => {
                    let all = [(Bus::Nats, Fault::NatsGone), (Bus::Embedded, Fault::BusDeleted)];
                    let wanted = all.iter().filter(|(bus, _)| only.is_none_or(|only| only == *bus));
                    let faults: Vec<_> = wanted.map(|(_, fault)| *fault).collect();
                    campaigns(&options, Database::Sqlite, &faults).await
                }
            }
        }),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs campaigns one after the other and reports all of them; an error if any of them broke a promise.
async fn campaigns(
    options: &CampaignOptions,
    database: Database,
    faults: &[Fault],
) -> Result<(), Error> {
    let mut outcomes = Vec::new();
    for fault in faults {
        outcomes.push(campaign::run(options, *fault, database).await?);
    }
    let figures: Vec<_> = outcomes.iter().flat_map(outcome::Outcome::figures).collect();
    report::publish(&figures, options.options.json.as_deref())?;
    for outcome in &outcomes {
        println!("{}: {}", outcome.name, outcome.line());
    }
    if outcomes.iter().all(outcome::Outcome::is_clean) {
        return Ok(());
    }
    Err(Error::new("the server broke a promise, see above"))
}
