//! Every gate of the project, in one command: what is green here is green everywhere.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{self, Progress};
use crate::{graph, test, tidy, workspace};

/// One gate: its name, how long it took, and why it failed if it did.
struct Outcome {
    name: &'static str,
    took: Duration,
    result: Result<(), Error>,
}

type Gate = (&'static str, fn(&Progress) -> Result<(), Error>);

/// The cheap gates first; all run even when one fails, so that one call tells everything.
const GATES: [Gate; 7] = [
    ("fmt", |_| cargo(&["fmt", "--all", "--check"])),
    ("tidy", |_| tidy::run()),
    ("graph", |_| graph::check()),
    ("deny", |_| deny()),
    ("clippy", |_| {
        cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
    }),
    ("doc", |_| doc()),
    ("test", |progress| test::run(&[], progress)),
];

pub(crate) fn run(progress: &Progress) -> Result<(), Error> {
    let outcomes: Vec<Outcome> = GATES.iter().map(|gate| pass(gate, progress)).collect();
    eprintln!();
    for outcome in &outcomes {
        let verdict = match &outcome.result {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("FAILED: {error}"),
        };
        eprintln!("{:<8}{:>8.1}s  {verdict}", outcome.name, outcome.took.as_secs_f64());
    }
    eprintln!("{:<8}{:>8.1}s", "total", progress.elapsed().as_secs_f64());
    let failed: Vec<&str> =
        outcomes.iter().filter(|outcome| outcome.result.is_err()).map(|o| o.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("not green: {}", failed.join(", "))))
}

fn pass((name, gate): &Gate, progress: &Progress) -> Outcome {
    progress.say(&format!("gate {name}"));
    let start = Instant::now();
    let result = gate(progress);
    let took = start.elapsed();
    match &result {
        Ok(()) => progress.say(&format!("gate {name}: ok after {:.1}s", took.as_secs_f64())),
        Err(error) => progress.say(&format!("gate {name}: FAILED: {error}")),
    }
    Outcome { name, took, result }
}

fn cargo(arguments: &[&str]) -> Result<(), Error> {
    process::run(workspace::cargo().args(arguments))
}

fn doc() -> Result<(), Error> {
    let mut command = workspace::cargo();
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    process::run(&mut command)
}

/// The policy on dependencies needs a tool that not everyone has; without it the gate says so
/// loudly and passes, because the policy changes only when dependencies do.
fn deny() -> Result<(), Error> {
    if !process::works(workspace::cargo().args(["deny", "--version"])) {
        eprintln!("WARNING: cargo-deny is not installed, so deny.toml is NOT checked in this run.");
        eprintln!("         `cargo install --locked cargo-deny` installs it.");
        return Ok(());
    }
    cargo(&["deny", "--workspace", "check", "bans", "licenses", "sources"])
}
