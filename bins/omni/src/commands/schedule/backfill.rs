//! `omni schedule backfill`: what would be filled in, or the filling in, page by page.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use omni_clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::{Value, json};

use super::{given, show};
use crate::cli::BackfillSchedule;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean};

/// Instants that one request asks for.
const PAGE: u64 = 1_000;
/// Instants that a dry run shows; the rest is counted.
const SHOWN: usize = 20;
/// How often what waits is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// All pages of a backfill together.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    dry_run: bool,
    /// Instants that got a fire, or would.
    count: u64,
    /// Instants that have one already.
    present: u64,
    /// The first of the instants.
    instants: Vec<Value>,
    /// Where to go on after `--max`.
    next_from: Option<String>,
}

pub(super) async fn run(
    backfill: &BackfillSchedule,
    client: &Client,
    out: Out,
) -> Result<(), Error> {
    let now = SystemClock::new().now();
    let from = given::past("--from", &backfill.from, now)?;
    let to = given::past("--to", backfill.to.as_deref().unwrap_or("-0s"), now)?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let done = all(backfill, (from, &to), client, &bar).await;
    let done = match done {
        Ok(report) if backfill.watch => {
            follow(&backfill.name, report.count, client, &bar).await.map(|()| report)
        }
        done => done,
    };
    bar.finish_and_clear();
    out.document(&done?, |report| people(&backfill.name, report))
}

async fn all(
    backfill: &BackfillSchedule,
    (mut from, to): (String, &str),
    client: &Client,
    bar: &ProgressBar,
) -> Result<Report, Error> {
    let mut report = Report { dry_run: backfill.dry_run, ..Report::default() };
    let mut left = backfill.max.unwrap_or(u64::MAX);
    loop {
        let max = left.min(PAGE);
        let body = json!({ "from": from, "to": to, "dryRun": backfill.dry_run, "max": max });
        let url = ["api", "schedules", backfill.name.as_str(), "backfill"];
        let page = client.post(&url, body.to_string().into()).await?.value()?;
        let count = page["count"].as_u64().unwrap_or(0);
        report.count += count;
        report.present += page["present"].as_u64().unwrap_or(0);
        let room = SHOWN.saturating_sub(report.instants.len());
        report
            .instants
            .extend(page["instants"].as_array().into_iter().flatten().take(room).cloned());
        report.next_from = page["nextFrom"].as_str().map(str::to_owned);
        bar.set_message(format!("{} times", report.count));
        left = left.saturating_sub(count);
        match &report.next_from {
            Some(next) if left > 0 && *next != from => from.clone_from(next),
            _ => return Ok(report),
        }
    }
}

/// Looks until nothing of a backfill waits, with a bar on a terminal.
async fn follow(name: &str, total: u64, client: &Client, bar: &ProgressBar) -> Result<(), Error> {
    let clock = SystemClock::new();
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_length(total);
    loop {
        let waiting = waiting(name, client).await?;
        bar.set_position(total.saturating_sub(waiting));
        if waiting == 0 {
            return Ok(());
        }
        clock.sleep(LOOK_EVERY).await;
    }
}

/// How many fires of backfills wait.
async fn waiting(name: &str, client: &Client) -> Result<u64, Error> {
    let (mut waiting, mut cursor) = (0, None::<String>);
    loop {
        let mut query = vec![("status", "pending"), ("limit", "500")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.get(&["api", "schedules", name, "fires"], &query).await?.value()?;
        let fires = page["items"].as_array().into_iter().flatten();
        waiting += fires.filter(|fire| fire["reason"] == "backfill").count() as u64;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(waiting),
        }
    }
}

fn people(name: &str, report: &Report) -> String {
    let mut lines = Vec::new();
    let instants = json!({ "items": report.instants });
    if !report.instants.is_empty() {
        lines.extend(show::instants(&instants, "/items"));
    }
    let unshown = report.count.saturating_sub(report.instants.len() as u64);
    if unshown > 0 {
        lines.push(format!("  and {unshown} more").dimmed().to_string());
    }
    let (count, present) = (report.count, report.present);
    if report.dry_run {
        lines.push(format!("{count} times have no fire, {present} have one"));
        let next = "nothing was done; the same with --yes fires for them";
        lines.push(next.dimmed().to_string());
    } else {
        lines.push(format!("{count} times fire now, {present} had a fire already"));
        let next = format!("next: omni schedule fires {}", clean(name));
        lines.push(next.dimmed().to_string());
    }
    if let Some(next) = &report.next_from {
        lines.push(format!("there may be more: --from {}", clean(next)).dimmed().to_string());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_in_words() {
        let instant = json!({ "time": "2026-01-01T00:00:00.000Z", "local": "l", "jitterMs": 0 });
        let report = Report {
            dry_run: true,
            count: 30,
            present: 2,
            instants: vec![instant; SHOWN],
            next_from: None,
        };
        let told = anstream::adapter::strip_str(&people("a", &report)).to_string();
        assert!(told.contains("  and 10 more\n30 times have no fire, 2 have one\n"), "{told}");
        assert!(told.ends_with("--yes fires for them"), "{told}");
    }
}
