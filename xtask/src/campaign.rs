//! Hurting a server, and what it stands on, under load: `cargo xtask campaign`.
//!
//! The work is done by `omni-load`, which starts the release server as a process and a PostgreSQL or NATS of its own, and
//! ends with an error when anything was lost.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::bench;
use crate::error::Error;
use crate::process::{self, Progress};
use crate::services;

/// `cargo xtask campaign kill|postgres|bus|replicas`
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
        #[arg(long, default_value_t = 100)]
        rounds: u32,
        /// Where the server keeps its tables
        #[arg(long, value_enum, default_value_t = Database::Sqlite)]
        database: Database,
        #[command(flatten)]
        course: Course,
    },
    /// Restart PostgreSQL under load, in order and as after a crash in turns
    Postgres {
        /// How often it is restarted
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        #[command(flatten)]
        course: Course,
    },
    /// Kill three servers in turns that fire the same thousand schedules from one PostgreSQL
    Replicas {
        /// How often one of them is killed
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        #[command(flatten)]
        course: Course,
    },
    /// Kill NATS under load, every fifth time with its data; then kill the server and delete its embedded bus
    Bus {
        /// How often each of the two loses its bus
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        #[command(flatten)]
        course: Course,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// How a campaign is run.
#[derive(Args)]
struct Course {
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seed of the moments of the faults, to play a run again
    #[arg(long)]
    seed: Option<u64>,
    /// Handed to omni-load as they are, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

pub(crate) fn run(campaign: &Campaign, progress: &Progress) -> Result<(), Error> {
    let (name, rounds, course) = match &campaign.what {
        Fault::Kill { rounds, course, database: Database::Sqlite } => ("kill", rounds, course),
        Fault::Kill { rounds, course, database: Database::Postgres } => {
            services::provide_postgres(progress)?;
            ("kill", rounds, course)
        }
        Fault::Postgres { rounds, course } => {
            services::provide_postgres(progress)?;
            ("postgres", rounds, course)
        }
        Fault::Replicas { rounds, course } => {
            services::provide_postgres(progress)?;
            services::provide_nats(progress)?;
            ("replicas", rounds, course)
        }
        Fault::Bus { rounds, course } => {
            services::provide_nats(progress)?;
            ("bus", rounds, course)
        }
    };
    let mut load = bench::build_load(name, progress)?;
    load.arg("--rounds").arg(rounds.to_string());
    if let Fault::Kill { database: Database::Postgres, .. } = campaign.what {
        load.args(["--database", "postgres"]);
    }
    if let Some(file) = &course.json {
        load.arg("--json").arg(file);
    }
    if let Some(seed) = course.seed {
        load.arg("--seed").arg(seed.to_string());
    }
    progress.say(&format!("campaign {name}, {rounds} rounds"));
    process::run(load.args(&course.more))
}
