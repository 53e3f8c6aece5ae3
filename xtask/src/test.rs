//! `cargo xtask test`: every test of the project, with a real PostgreSQL beside it.
//!
//! The server is private to the run: a free port, a temporary directory, stopped and removed at the end however the run
//! ends. Tests find it, and the program under test, in two variables; those that need NATS start one of their own.

use std::process::Command;

use crate::error::Error;
use crate::process::{self, Progress};
use crate::services::{self, Services};
use crate::workspace::{self, Metadata};

/// `postgres://…`, a server on which a test may create databases.
const DATABASE_URL: &str = "OMNI_TEST_DATABASE_URL";
/// The path of the `omni` program built from this tree.
const BINARY: &str = "OMNI_TEST_BINARY";

/// Runs everything, or with `arguments` what they select for the test runner.
pub(crate) fn run(arguments: &[String], progress: &Progress) -> Result<(), Error> {
    services::provide(progress)?;
    build(arguments, progress)?;
    let binary = Metadata::read()?.programs("debug").join("omni");
    let services = Services::start(progress)?;
    let with_services = |command: &mut Command| {
        command.env(DATABASE_URL, &services.database_url).env(BINARY, &binary);
        process::run(command)
    };

    // The examples run first so that the runner's summary is the last thing on the screen.
    let examples = if arguments.is_empty() {
        progress.say("running the examples in the documentation");
        with_services(workspace::cargo().args(["test", "--quiet", "--doc", "--workspace"]))
    } else {
        Ok(())
    };
    progress.say("running the tests");
    let tests = with_services(&mut runner(arguments));

    progress.say("stopping PostgreSQL");
    drop(services);
    progress.say("done");
    examples.and(tests)
}

/// One build for what follows, so that its time is told apart from the tests' own.
fn build(arguments: &[String], progress: &Progress) -> Result<(), Error> {
    progress.say("building omni and the tests");
    let mut command = workspace::cargo();
    if selects_packages(arguments) {
        command.args(["build", "--package", "omni", "--bins"]);
    } else {
        command.args(["build", "--workspace", "--bins", "--tests"]);
    }
    process::run(&mut command)
}

/// cargo-nextest where it is installed, otherwise cargo's own runner.
fn runner(arguments: &[String]) -> Command {
    let mut command = workspace::cargo();
    if process::works(workspace::cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run"]);
    } else {
        eprintln!("cargo-nextest is not installed; using `cargo test` (slower, same tests).");
        command.args(["test", "--tests"]);
    }
    if !selects_packages(arguments) {
        command.arg("--workspace");
    }
    command.args(arguments);
    command
}

fn selects_packages(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}
