//! Running other programs, and telling on standard error what happens when.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;

/// The clock of one call: every phase is printed with the seconds since the start.
pub(crate) struct Progress {
    start: Instant,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn say(&self, phase: &str) {
        eprintln!("[{:7.1}s] {phase}", self.elapsed().as_secs_f64());
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Runs a program with our own standard streams; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let shown = shown(command);
    eprintln!("           $ {shown}");
    let status = command.status().map_err(Error::io(format!("run `{shown}`")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::failed(format!("`{shown}` failed ({status})")))
}

/// Runs a program and returns what it printed; its standard error stays visible.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let shown = shown(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(Error::io(format!("run `{shown}`")))?;
    if !output.status.success() {
        return Err(Error::failed(format!("`{shown}` failed ({})", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there and answers with success, in silence.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
