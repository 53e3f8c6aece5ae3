//! Measuring the release build: `cargo xtask bench`.
//!
//! The work is done by `omni-load`, a program of its own beside the server, so that the generator
//! of load never shares a process with what it measures. Here both are built and the one is told
//! where the other lies. The bus, the event log, the registry and the rules are libraries, each
//! measured by an example of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};

use crate::error::Error;
use crate::process::{self, Progress};
use crate::services;
use crate::workspace::{self, Metadata};

/// `cargo xtask bench ingest|e2e|schedules|bus|log|schema|rules`
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
    /// Ten thousand schedules: what they cost while none is due, how late they fire when all are
    Schedules(Run),
    /// What an honest sender notices while ten thousand sockets say nothing, trickle or throw bombs
    Hostile(Run),
    /// The bus on both backends, beside a raw log and the NATS client used by hand
    Bus(Run),
    /// The event log on both databases: appends beside what the engine does by hand, and what a full log answers
    Log(LogRun),
    /// The registry of event types: validation, ten thousand types, comparing, refusing, checking stored events
    Schema(RoundsRun),
    /// Which rules hold for an event: beside another matcher, with up to 100,000 rules, while they change, under attack
    Rules(RoundsRun),
}

#[derive(Args)]
struct LogRun {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that each part with appends runs in each round
    #[arg(long)]
    seconds: Option<u64>,
    /// Events of the full log [default: 10 million, which take some 30 GB and an hour]
    #[arg(long)]
    events: Option<u64>,
    /// Handed to the measuring program as they are, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

#[derive(Args)]
struct RoundsRun {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// How often each part is measured
    #[arg(long)]
    rounds: Option<u64>,
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

pub(crate) fn run(bench: &Bench, progress: &Progress) -> Result<(), Error> {
    let (name, run, mut load) = match &bench.what {
        Measurement::Ingest(run) => ("ingest", run, build_load("ingest", progress)?),
        Measurement::E2e(run) => ("e2e", run, build_load("e2e", progress)?),
        Measurement::Schedules(run) => ("schedules", run, build_load("schedules", progress)?),
        Measurement::Hostile(run) => ("hostile", run, build_load("hostile", progress)?),
        Measurement::Bus(run) => {
            services::provide_nats(progress)?;
            ("bus", run, build_example("omni-event-bus", "bench", progress)?)
        }
        Measurement::Log(run) => return log(run, progress),
        Measurement::Schema(run) => return library("schema", "omni-registry", run, progress),
        Measurement::Rules(run) => return library("rules", "omni-rules", run, progress),
    };
    options(&mut load, run.json.as_deref(), &[("--seconds", run.seconds), ("--rate", run.rate)]);
    progress.say(&format!("bench {name}"));
    process::run(load.args(&run.more))
}

fn log(run: &LogRun, progress: &Progress) -> Result<(), Error> {
    services::provide_postgres(progress)?;
    let mut bench = build_example("omni-event-log", "bench-log", progress)?;
    options(
        &mut bench,
        run.json.as_deref(),
        &[("--seconds", run.seconds), ("--events", run.events)],
    );
    progress.say("bench log");
    process::run(bench.args(&run.more))
}

/// Runs the bench of a library that measures in rounds and needs no service.
fn library(name: &str, package: &str, run: &RoundsRun, progress: &Progress) -> Result<(), Error> {
    let mut bench = build_example(package, &format!("bench-{name}"), progress)?;
    options(&mut bench, run.json.as_deref(), &[("--rounds", run.rounds)]);
    progress.say(&format!("bench {name}"));
    process::run(&mut bench)
}

fn options(program: &mut Command, json: Option<&Path>, numbers: &[(&str, Option<u64>)]) {
    if let Some(file) = json {
        program.arg("--json").arg(file);
    }
    for (option, value) in numbers {
        if let Some(value) = value {
            program.arg(option).arg(value.to_string());
        }
    }
}

/// Builds both programs and returns the call of `omni-load` so far. Two builds, so that what is
/// measured is the server as it is shipped, without features that only the generator asks for.
pub(crate) fn build_load(command: &str, progress: &Progress) -> Result<Command, Error> {
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

/// Builds an example that measures its library, and returns the call of it so far.
fn build_example(package: &str, example: &str, progress: &Progress) -> Result<Command, Error> {
    progress.say(&format!("building the bench of {package} (release)"));
    let arguments = ["build", "--release", "--package", package, "--example", example];
    process::run(workspace::cargo().args(arguments))?;
    let metadata = Metadata::read()?;
    // Not in the folder for temporary files: on some systems that is no disk.
    let folder = metadata.target_directory.join("tmp");
    std::fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
    let mut bench = Command::new(metadata.programs("release").join("examples").join(example));
    bench.arg("--folder").arg(folder);
    Ok(bench)
}
