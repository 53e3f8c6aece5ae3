//! Running the script of `examples/crash.rs` while its calls to the system fail or kill it.

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use omni_clock::Random;
use omni_event_bus::{EmbeddedOptions, EventBus};
use tempfile::TempDir;

/// Chooses the points that are tried when not all are.
const SEED: u64 = 20_261_121;

/// One run of the script.
pub(crate) struct Run {
    /// Where its bus is.
    pub(crate) bus: PathBuf,
    /// What it wrote down.
    pub(crate) lines: Vec<String>,
    /// Whether it came to its end.
    pub(crate) finished: bool,
}

impl Run {
    /// Runs the script in a directory; `prepared` means on a bus that exists.
    pub(crate) async fn new(directory: &Path, prepared: bool, inject: &str) -> Self {
        let bus = directory.join("bus");
        if prepared {
            prepare(&bus).await;
        }
        let call = inject.split(':').next().unwrap();
        let (trace, inject) = (format!("trace={call}"), format!("inject={inject}"));
        let status = strace(directory, &["-e", &trace, "-e", &inject]);
        // Killed before it had one.
        let ledger = fs::read_to_string(directory.join("ledger")).unwrap_or_default();
        let lines = ledger.lines().map(str::to_owned).collect();
        Self { bus, lines, finished: status.success() }
    }
}

/// Makes a bus, so that the script is counted without the making of its tables.
async fn prepare(bus: &Path) {
    let bus = EventBus::embedded(bus, EmbeddedOptions::default()).await.unwrap();
    bus.drain().await.unwrap();
}

/// How often some thread of the script makes a call.
pub(crate) async fn points(call: &str, prepared: bool) -> usize {
    let directory = TempDir::new().unwrap();
    let trace = format!("trace={call}");
    if prepared {
        prepare(&directory.path().join("bus")).await;
    }
    assert!(strace(directory.path(), &["-e", &trace]).success());
    let trace = fs::read_to_string(directory.path().join("trace")).unwrap();
    let mut counts = HashMap::new();
    for line in trace.lines().filter(|line| line.contains(&format!("{call}("))) {
        *counts.entry(line.split(' ').next()).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

/// The points to try: all of them when `OMNI_TEST_FAULTS` is `all`, else a tenth, always the same.
#[expect(clippy::disallowed_methods, reason = "a test may be asked to try more")]
pub(crate) fn chosen(points: usize) -> Vec<usize> {
    if std::env::var("OMNI_TEST_FAULTS").is_ok_and(|faults| faults == "all") {
        return (1..=points).collect();
    }
    println!("seed {SEED}: a tenth of {points} points; all with OMNI_TEST_FAULTS=all");
    let first = 1 + Random::seeded(SEED).next_u64() as usize % 10;
    (first..=points).step_by(10).collect()
}

/// The script, which is built with the tests and lies beside them.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let program = path.join("examples/crash");
    let build = "cargo build -p omni-event-bus --example crash";
    assert!(program.exists(), "{} is missing: {build}", program.display());
    program
}

fn strace(directory: &Path, options: &[&str]) -> ExitStatus {
    let outcome = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(directory.join("trace"))
        .args(options)
        .arg(program())
        .arg(directory.join("bus"))
        .arg(directory.join("ledger"))
        .status();
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("strace is missing: apt-get install strace, or the package of that name")
        }
        outcome => outcome.unwrap(),
    }
}
