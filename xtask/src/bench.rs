//! Measuring and hurting the release build.
//!
//! The work is done by `omni-load`, a program of its own beside the server, so that the generator
//! of load never shares a process with what it measures. Here both are built and the one is told
//! where the other lies. The bus is a library and is measured by an example of it.

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, Subcommand};

use crate::error::Error;
use crate::process::{self, Progress};
use crate::services;
use crate::workspace::{self, Metadata};

/// `cargo xtask bench ingest|e2e|bus`
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// Signed webhooks in, durable events out: cost, ceiling, latency at a fixed rate
    Ingest(Run),
    /// From the acknowledgement of an event to the start of the action it causes
    E2e(Run),
    /// The bus on both backends, beside a raw log and the NATS client used by hand
    Bus(Run),
}

#[derive(Args)]
struct Run {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that each part runs
    #[arg(long)]
    seconds: Option<u64>,
    /// Events per second of the part with a fixed rate
    #[arg(long)]
    rate: Option<u64>,
    /// Handed to the measuring program as they are, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

/// `cargo xtask campaign kill`
#[derive(Args)]
pub(crate) struct Campaign {
    #[command(subcommand)]
    what: Fault,
}

#[derive(Subcommand)]
enum Fault {
    /// Kill the server under load, restart it, and count what was lost
    Kill {
        /// How often the server is killed
        #[arg(long, default_value_t = 50)]
        rounds: u32,
        /// Handed to omni-load as they are, after `--`
        #[arg(last = true)]
        more: Vec<String>,
    },
}

pub(crate) fn bench(bench: &Bench, progress: &Progress) -> Result<(), Error> {
    let (name, run, mut load) = match &bench.what {
        Measurement::Ingest(run) => ("ingest", run, build("ingest", progress)?),
        Measurement::E2e(run) => ("e2e", run, build("e2e", progress)?),
        Measurement::Bus(run) => ("bus", run, build_bus(progress)?),
    };
    if let Some(file) = &run.json {
        load.arg("--json").arg(file);
    }
    for (option, value) in [("--seconds", run.seconds), ("--rate", run.rate)] {
        if let Some(value) = value {
            load.arg(option).arg(value.to_string());
        }
    }
    progress.say(&format!("bench {name}"));
    process::run(load.args(&run.more))
}

pub(crate) fn campaign(campaign: &Campaign, progress: &Progress) -> Result<(), Error> {
    let Fault::Kill { rounds, more } = &campaign.what;
    let mut load = build("kill", progress)?;
    progress.say(&format!("campaign kill, {rounds} rounds"));
    process::run(load.arg("--rounds").arg(rounds.to_string()).args(more))
}

/// Builds both programs and returns the call of `omni-load` so far. Two builds, so that what is
/// measured is the server as it is shipped, without features that only the generator asks for.
fn build(command: &str, progress: &Progress) -> Result<Command, Error> {
    progress.say("building omni and omni-load (release)");
    for (package, program) in [("omni", "omni"), ("omni-testing", "omni-load")] {
        let arguments = ["build", "--release", "--package", package, "--bin", program];
        process::run(workspace::cargo().args(arguments))?;
    }
    let programs = Metadata::read()?.programs("release");
    let mut load = Command::new(programs.join("omni-load"));
    load.arg(command).arg("--omni").arg(programs.join("omni"));
    Ok(load)
}

/// Builds the example that measures the bus, and sees to the server that it starts.
fn build_bus(progress: &Progress) -> Result<Command, Error> {
    services::provide_nats(progress)?;
    progress.say("building the bench of the bus (release)");
    let arguments = ["build", "--release", "--package", "omni-event-bus", "--example", "bench"];
    process::run(workspace::cargo().args(arguments))?;
    let metadata = Metadata::read()?;
    // Not in the folder for temporary files: on some systems that is no disk.
    let folder = metadata.target_directory.join("tmp");
    std::fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
    let mut bench = Command::new(metadata.programs("release").join("examples").join("bench"));
    bench.arg("--folder").arg(folder);
    Ok(bench)
}
