//! The server under load: a process of its own, its CPU time, its counts, its end.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use omni_clock::{Clock, SystemClock};
use serde_json::Value;

use crate::load::Options;
use crate::load::error::Error;
use crate::load::http::rest;

/// Starting includes taking up what a killed server left.
const READY_MAX: Duration = Duration::from_mins(1);
/// Between two questions to a server that is not ready.
const PAUSE: Duration = Duration::from_millis(2);
/// The kernel counts CPU time in hundredths of a second (`USER_HZ`).
const MICROS_PER_TICK: u64 = 10_000;

/// A running `omni up`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    pub(crate) started: Instant,
    /// From the start of the process to its first "ready".
    pub(crate) ready_after: Duration,
    log: PathBuf,
}

impl Server {
    /// Starts the program on `folder/data` with these variables and waits until it is ready. Settings of the caller's
    /// environment hold for it too.
    pub(crate) async fn start(
        options: &Options,
        folder: &Path,
        variables: &[(&str, String)],
    ) -> Result<Self, Error> {
        let addr = free_address()?;
        let omni = options.omni.canonicalize().map_err(|error| {
            Error::new(format!("--omni {}: {error}; build it first", options.omni.display()))
        })?;
        let log = folder.join("server.log");
        let output = File::options().create(true).append(true).open(&log)?;
        let started = Instant::now();
        let child = Command::new(omni)
            .arg("up")
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--listen")
            .arg(addr.to_string())
            // No omni.toml of the caller's folder is meant for this server.
            .current_dir(folder)
            .env("OMNI_EGRESS_ALLOW_LOOPBACK", "true")
            .env("OMNI_LOG", &options.log)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()?;
        let mut server = Self { child, addr, started, ready_after: Duration::ZERO, log };
        server.wait_ready(started).await?;
        server.ready_after = started.elapsed();
        Ok(server)
    }

    async fn wait_ready(&mut self, started: Instant) -> Result<(), Error> {
        let clock = SystemClock::new();
        while started.elapsed() < READY_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("omni up ended with {status}")));
            }
            if is_ready(self.addr).await {
                return Ok(());
            }
            clock.sleep(PAUSE).await;
        }
        Err(self.failure(&format!("omni up was not ready after {} s", READY_MAX.as_secs())))
    }

    /// An error with the end of the server's log.
    pub(crate) fn failure(&self, what: &str) -> Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        let tail: Vec<_> = lines.into_iter().rev().collect();
        Error::new(format!("{what}; the end of its log:\n{}", tail.join("\n")))
    }

    /// CPU time that the process has used, in microseconds, in steps of 10 ms.
    pub(crate) fn cpu_micros(&self) -> Result<u64, Error> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        cpu_ticks(&stat)
            .map(|ticks| ticks * MICROS_PER_TICK)
            .ok_or_else(|| Error::new("cannot read the CPU time from /proc"))
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the process to drain and expects it to end well.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(self.failure(&format!("omni up ended with {status} after SIGTERM")))
    }

    /// Events held and events with an outcome.
    pub(crate) async fn counts(&self) -> Result<Counts, Error> {
        let stats = rest(self.addr, "/api/stats", None).await?;
        let events = stats.get("events").and_then(Value::as_u64);
        let by_status = stats.get("outcomes").and_then(Value::as_array);
        let outcomes = by_status.map(|rows| {
            rows.iter().filter_map(|row| row.get("count").and_then(Value::as_u64)).sum()
        });
        match (events, outcomes) {
            (Some(events), Some(outcomes)) => Ok(Counts { events, outcomes }),
            _ => Err(Error::new(format!("/api/stats has no events and outcomes: {stats}"))),
        }
    }

    /// Waits until every event has an outcome, and returns the last counts: equal if it came to
    /// rest in the given time.
    pub(crate) async fn settle(&self, within: Duration) -> Result<Counts, Error> {
        let clock = SystemClock::new();
        let started = Instant::now();
        loop {
            let counts = self.counts().await?;
            if counts.events == counts.outcomes || started.elapsed() >= within {
                return Ok(counts);
            }
            // Counting reads whole tables, so it is not asked often.
            clock.sleep(Duration::from_millis(250)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.kill();
    }
}

/// How far the server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) outcomes: u64,
}

async fn is_ready(addr: SocketAddr) -> bool {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    match crate::load::http::Connection::open(addr).await {
        Ok(mut connection) => {
            connection.ask(request.as_bytes()).await.is_ok_and(|answer| answer.success().is_ok())
        }
        Err(_) => false,
    }
}

/// A port that was free a moment ago. Another process could take it in between; then the start
/// fails and says so.
fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// `utime` and `stime` of `/proc/PID/stat`. The name in brackets may hold anything, so the count
/// begins behind its last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_any_name() {
        let stat = "71 (o) m (ni) S 1 71 71 0 -1 4194560 900 0 0 0 123 45 0 0 20 0 9 0 100 1 1";
        assert_eq!(cpu_ticks(stat), Some(168));
        assert_eq!(cpu_ticks("nonsense"), None);
    }
}
