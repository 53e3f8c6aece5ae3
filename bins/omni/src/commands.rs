//! One file per command. Each asks the server and prints the answer.

pub(crate) mod apply;
mod automation;
mod capture;
mod dead_letter;
mod doctor;
mod event;
pub(crate) mod execution;
mod explain;
mod follow;
mod listen;
mod replay;
mod schedule;
mod schema;
mod source;
mod stats;
mod tail;
mod trace;
mod trial;
mod up;
mod version;
mod when;

use crate::cli::{Cli, Command, Page};
use crate::client::Client;
use crate::error::Error;
use crate::output::Out;

/// Runs what was typed.
pub(crate) async fn run(cli: Cli) -> Result<(), Error> {
    let out = Out::new(cli.global.output);
    let client = || Client::new(&cli.global.server, &cli.global.org);
    match &cli.command {
        Command::Up(up) => up::run(up, &cli.global.org, out).await,
        Command::Apply(files) => apply::run(files, &client()?, out).await,
        Command::Event(event) => event::run(event, &client()?, out).await,
        Command::Schema(schema) => schema::run(schema, &client()?, out).await,
        Command::Automation(automation) => automation::run(automation, &client()?, out).await,
        Command::Source(source) => source::run(source, &client()?, out).await,
        Command::Listen(listen) => listen::run(listen, &client()?, out).await,
        Command::Schedule(schedule) => schedule::run(schedule, &client()?, out).await,
        Command::Execution(execution) => execution::run(execution, &client()?, out).await,
        Command::DeadLetter(letter) => dead_letter::run(letter, &client()?, out).await,
        Command::Replay(replay) => replay::run(replay, &client()?, out).await,
        Command::Capture(capture) => capture::run(capture, &client()?, out).await,
        Command::Doctor(doctor) => doctor::run(doctor, &client()?, out).await,
        Command::Stats => stats::run(&client()?, out).await,
        Command::Version => version::run(out),
    }
}

/// The query of a list: the page and those filters that are set.
fn query<'a>(
    page: &'a Page,
    limit: &'a str,
    filters: &[(&'a str, &'a Option<String>)],
) -> Vec<(&'a str, &'a str)> {
    let mut query = vec![("limit", limit)];
    let cursor = [("cursor", &page.cursor)];
    for (name, value) in filters.iter().chain(&cursor) {
        if let Some(value) = value {
            query.push((name, value));
        }
    }
    query
}
