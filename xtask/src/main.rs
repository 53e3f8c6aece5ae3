//! The project's own commands, one file each: `cargo xtask <command>`.
//!
//! They run what a person would type, in the same order, and nothing that a person could not
//! type: the continuous build calls `cargo xtask ci` and adds nothing of its own.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks on its standard streams"
)]

mod bench;
mod campaign;
mod ci;
mod error;
mod graph;
mod process;
mod services;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::process::Progress;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test, on private NATS and PostgreSQL servers started for the run
    Test {
        /// Handed to the test runner, after `--`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run every gate: format, lints, docs, tidy, crate graph, tests
    Ci,
    /// Check the rules that no compiler checks
    Tidy,
    /// Check the graph of our own crates against the checked-in one, and its tiers
    Graph {
        /// Write the checked-in graph anew instead
        #[arg(long, conflicts_with = "check")]
        write: bool,
        /// Check only (what happens without an option, too)
        #[arg(long)]
        check: bool,
    },
    /// Measure the release build
    Bench(bench::Bench),
    /// Hurt the release build and see whether its promises hold
    Campaign(campaign::Campaign),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command, &Progress::start()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, progress: &Progress) -> Result<(), Error> {
    match command {
        Command::Test { arguments } => test::run(&arguments, progress),
        Command::Ci => ci::run(progress),
        Command::Tidy => tidy::run(),
        Command::Graph { write: true, .. } => graph::write(),
        Command::Graph { write: false, .. } => graph::check(),
        Command::Bench(bench) => bench::run(&bench, progress),
        Command::Campaign(campaign) => campaign::run(&campaign, progress),
    }
}
