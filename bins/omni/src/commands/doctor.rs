//! `omni doctor`: whether the server is well, line by line, with what to do where it is not.

mod disk;

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::{Clock as _, SystemClock};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Doctor;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean, text};

/// Clocks that differ by more make schedules and signatures fail.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);
/// Where `omni up` keeps its data when nothing else is said.
const DATA_DIR: &str = "omni-data";

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Line {
    check: String,
    verdict: Verdict,
    found: String,
    /// What to do, where something is to be done.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct Findings {
    verdict: Verdict,
    checks: Vec<Line>,
}

pub(super) async fn run(doctor: &Doctor, client: &Client, out: Out) -> Result<(), Error> {
    let mut lines = Vec::new();
    if reachable(client, &mut lines).await {
        audit(doctor.full, client, &mut lines).await;
    }
    let given = doctor.data_dir.as_deref();
    let data_dir = given.or_else(|| Some(Path::new(DATA_DIR)).filter(|path| path.is_dir()));
    lines.extend(data_dir.map(disk::line));
    let verdict = lines.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Ok);
    out.document(&Findings { verdict, checks: lines }, people)?;
    match verdict {
        Verdict::Fail => Err(Error::Unwell),
        Verdict::Ok | Verdict::Warn => Ok(()),
    }
}

/// Whether the server answers and is ready, and how its bus is. `false` when it cannot be asked more.
async fn reachable(client: &Client, lines: &mut Vec<Line>) -> bool {
    let answer = client.get(&["readyz"], &[]).await.and_then(|answer| answer.value());
    match answer {
        Ok(ready) => {
            lines.push(line("server", Verdict::Ok, "reachable and ready", None));
            lines.push(match text(&ready, "/bus").as_str() {
                "up" => line("bus", Verdict::Ok, "up", None),
                bus => {
                    let next =
                        "events are taken and wait in the store; look at the bus and its address";
                    line("bus", Verdict::Warn, bus, Some(next))
                }
            });
            true
        }
        Err(error) => {
            let told = error.to_string();
            let mut told = told.lines();
            let found = told.next().unwrap_or_default();
            let next = told.find_map(|line| line.strip_prefix("next: "));
            lines.push(line("server", Verdict::Fail, found, next));
            matches!(error, Error::Problem(_))
        }
    }
}

async fn audit(full: bool, client: &Client, lines: &mut Vec<Line>) {
    let before = SystemClock::new().now();
    let full = full.then_some(("full", "true"));
    let answer = client.get_slowly(&["api", "audit"], full.as_slice()).await;
    let report = match answer.and_then(|answer| answer.value()) {
        Ok(report) => report,
        Err(error) => {
            let found = error.to_string();
            let found = found.lines().next().unwrap_or_default();
            let next = "look at the log of the server";
            lines.push(line("audit", Verdict::Fail, found, Some(next)));
            return;
        }
    };
    let after = SystemClock::new().now();
    lines.push(version(&report));
    lines.push(line("store", Verdict::Ok, &text(&report, "/server/store"), None));
    lines.extend(skew(&report, before, after));
    lines.extend(accounts(&report));
}

fn version(report: &Value) -> Line {
    let (theirs, ours) = (text(report, "/server/version"), env!("CARGO_PKG_VERSION"));
    if theirs == ours {
        return line("version", Verdict::Ok, &theirs, None);
    }
    let found = format!("the server is {theirs}, this program is {ours}");
    line("version", Verdict::Warn, &found, Some("use the same version of both"))
}

/// How much the clock of the server differs; it was read between the two times.
fn skew(report: &Value, before: DateTime<Utc>, after: DateTime<Utc>) -> Option<Line> {
    let time = report.pointer("/server/time")?.as_str()?;
    let time = DateTime::parse_from_rfc3339(time).ok()?.to_utc();
    let skew = (before - time).max(time - after).max(TimeDelta::zero());
    let found = format!("{:.1} s apart", skew.as_seconds_f64());
    Some(if skew <= SKEW_MAX {
        line("clocks", Verdict::Ok, &found, None)
    } else {
        line("clocks", Verdict::Warn, &found, Some("set the clocks of both machines, by NTP"))
    })
}

fn accounts(report: &Value) -> Vec<Line> {
    let list = |name| report.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for org in list("orgs") {
        let number = |name| org.get(name).and_then(Value::as_i64).unwrap_or_default();
        let dropped = org.get("dropped").and_then(Value::as_object);
        let dropped: i64 = dropped.into_iter().flatten().filter_map(|(_, n)| n.as_i64()).sum();
        let [accepted, done, failed, waiting, lost, difference] =
            ["accepted", "done", "failed", "inFlight", "lost", "difference"].map(number);
        let found = format!(
            "accepted {accepted} = done {done} + failed {failed} + in flight {waiting} + dropped {dropped}, difference {difference}"
        );
        let next = "the checks below say what is missing";
        lines.push(match (difference, lost) {
            (0, 0) => line("events", Verdict::Ok, &found, None),
            _ => line("events", Verdict::Fail, &found, Some(next)),
        });
    }
    for finding in list("findings") {
        let is_fail = finding.get("severity").and_then(Value::as_str) == Some("fail");
        let verdict = if is_fail { Verdict::Fail } else { Verdict::Warn };
        let samples = finding.get("samples").and_then(Value::as_array).cloned().unwrap_or_default();
        let samples: Vec<&str> = samples.iter().filter_map(Value::as_str).collect();
        let found = format!("{}, such as {}", text(&finding, "/count"), samples.join(", "));
        let hint = text(&finding, "/hint");
        lines.push(line(&text(&finding, "/check"), verdict, &found, Some(&hint)));
    }
    let took = text(report, "/tookMs");
    let places =
        format!("places {} to {} in {took} ms", text(report, "/after"), text(report, "/through"));
    lines.push(if report.get("complete").and_then(Value::as_bool) == Some(false) {
        let found = format!("{places}, not all in time");
        line("audit", Verdict::Warn, &found, Some("run `omni doctor --full` at a quiet time"))
    } else {
        line("audit", Verdict::Ok, &places, None)
    });
    lines
}

fn line(check: &str, verdict: Verdict, found: &str, next: Option<&str>) -> Line {
    let (check, found) = (check.to_owned(), clean(found));
    Line { check, verdict, found, next: next.map(clean) }
}

fn people(findings: &Findings) -> String {
    let width = findings.checks.iter().map(|line| line.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Line { check, verdict, found, next } in &findings.checks {
        let verdict = match verdict {
            Verdict::Ok => "ok  ".green().to_string(),
            Verdict::Warn => "warn".yellow().to_string(),
            Verdict::Fail => "fail".red().to_string(),
        };
        lines.push(format!("{verdict}  {check:width$}  {found}"));
        lines.extend(next.as_ref().map(|next| format!("      {:width$}  → {next}", "")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_lost_fails_and_says_what_to_do() {
        let org = json!({ "org": "default", "accepted": 3, "done": 1, "failed": 1, "inFlight": 0,
                          "dropped": {}, "lost": 1, "difference": 1 });
        let finding = json!({ "check": "events_lost", "severity": "fail", "org": "default",
                              "count": 1, "samples": ["0193"], "hint": "replay them" });
        let report = json!({ "complete": true, "after": 0, "through": 3, "tookMs": 2,
                             "orgs": [org], "findings": [finding] });
        let checks = accounts(&report);
        let verdicts: Vec<_> = checks.iter().map(|line| line.verdict).collect();
        assert_eq!(verdicts, [Verdict::Fail, Verdict::Fail, Verdict::Ok]);
        let findings = Findings { verdict: Verdict::Fail, checks };
        let told = anstream::adapter::strip_str(&people(&findings)).to_string();
        assert!(told.contains("fail  events_lost  1, such as 0193"), "{told}");
        assert!(told.contains("→ replay them"), "{told}");
    }

    #[test]
    fn clocks_may_differ_by_what_the_answer_took() {
        let at = |seconds: i64| DateTime::from_timestamp(1_795_255_200 + seconds, 0).unwrap();
        let report = json!({ "server": { "time": "2026-11-21T10:00:30.000Z" } });
        assert_eq!(skew(&report, at(0), at(60)).unwrap().verdict, Verdict::Ok);
        assert_eq!(skew(&report, at(0), at(10)).unwrap().verdict, Verdict::Warn);
        assert_eq!(skew(&report, at(50), at(60)).unwrap().verdict, Verdict::Warn);
    }
}
