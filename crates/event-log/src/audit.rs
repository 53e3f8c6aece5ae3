//! The conservation audit: what was accepted is done, failed, under way or dropped on purpose, and every row that belongs
//! to an event has one.
//!
//! It must stay true that the audit only reads, in parts that are small, so that it may run at any time on a store of any
//! size. It errs on the side of silence: what may be under way is not called lost.

mod auditor;
mod checks;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_event_bus::{EventBus, Health};
use omni_events::Org;
use omni_store::{
    Error,
    audit::{self, Stray, WINDOW},
    bus,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{EventLog, log::Parts};

pub use auditor::{Audited, Auditor};

/// For so long an event may be on its way without the bus or the store knowing: longer than a delivery and its retries take.
pub const AUDIT_GRACE: TimeDelta = TimeDelta::minutes(10);

/// How far a quick audit looks for rows that point at nothing.
const RECENT: TimeDelta = TimeDelta::hours(24);
/// How long a quick audit takes at most; then it says that it is not complete.
const QUICK_MAX: Duration = Duration::from_secs(10);
/// What looks lost is looked at again after so long.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// The status of an event that is done.
const COMPLETED: &str = "completed";
/// The status of an event that failed.
const FAILED: &str = "failed";

/// What is audited, and how.
#[derive(Clone, Debug)]
pub struct Audit {
    /// One organisation; all of them when absent.
    pub org: Option<Org>,
    /// Everything, however long that takes, instead of what is not known to be settled and what is recent.
    pub full: bool,
    /// Events that were received later may be under way without anybody knowing.
    pub grace: TimeDelta,
    /// The consumer that gives events their outcomes.
    pub consumer: &'static str,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything adds up and nothing points at nothing.
    pub ok: bool,
    /// Whether everything was looked at, and not only what is not known to be settled.
    pub full: bool,
    /// Whether the audit came to its end; a quick one gives up after ten seconds.
    pub complete: bool,
    /// Events after this place were counted: all before have an outcome, as was seen earlier.
    pub after: i64,
    /// Up to this place.
    pub through: i64,
    /// Messages that the bus has not handed on or has not got back; null when that cannot be told now.
    pub backlog: Option<u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The counts of each organisation.
    pub orgs: Vec<OrgCounts>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What became of the events of one organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrgCounts {
    /// The organisation.
    pub org: String,
    /// Events in the log.
    pub accepted: i64,
    /// Events that were handled.
    pub done: i64,
    /// Events of which something failed; dead letters tell of those.
    pub failed: i64,
    /// Events on their way.
    pub in_flight: i64,
    /// Events that a policy dropped, by its name.
    pub dropped: BTreeMap<String, i64>,
    /// Events that nobody has handled and nobody will.
    pub lost: i64,
    /// Accepted less everything that has become of events. It is 0 unless something is lost (more), or events were taken out
    /// of the log that have an outcome (less).
    pub difference: i64,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should know.
    Warn,
    /// Something is lost or broken.
    Fail,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Names the check.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The organisation.
    pub org: String,
    /// How many rows; 100 of each part of a table are counted.
    pub count: i64,
    /// Some of their ids.
    pub samples: Vec<String>,
    /// What it means and what to do.
    pub hint: &'static str,
}

/// An audit under way.
struct Run<'a> {
    parts: &'a Parts,
    audit: &'a Audit,
    org: Option<&'a str>,
    /// When it gives up, on the clock of durations.
    until: Option<Duration>,
    complete: bool,
    orgs: BTreeMap<String, OrgCounts>,
    findings: Vec<Finding>,
}

impl EventLog {
    /// Audits the log. It reads in small parts, each some hundredths of a second long, and holds up nobody. A full audit takes about four
    /// seconds for a million events in memory, and longer where they have to be read from the disk.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit(&self, audit: &Audit) -> Result<Report, Error> {
        let parts = &self.parts;
        let began = parts.clock.elapsed();
        let mut conn = parts.store.read().await?;
        let settled = bus::get(&mut conn).await?.settled_through;
        let through = bus::last_sequence(&mut conn).await?;
        drop(conn);
        let after = if audit.full { 0 } else { settled };
        let mut run = Run {
            parts,
            audit,
            org: audit.org.as_ref().map(Org::as_str),
            until: (!audit.full).then_some(began + QUICK_MAX),
            complete: true,
            orgs: audit.org.iter().map(|org| counts(org.as_str())).collect(),
            findings: Vec::new(),
        };
        let now = parts.clock.now();
        let (suspects, first) = run.count(after, through, now - audit.grace).await?;
        let backlog = run.confirm(suspects, first).await?;
        let since = if audit.full { DateTime::UNIX_EPOCH } else { now - RECENT };
        run.check(since, now - audit.grace).await?;
        let took = parts.clock.elapsed().saturating_sub(began);
        let ok = run.orgs.values().all(|org| org.difference == 0 && org.lost == 0)
            && run.findings.iter().all(|finding| finding.severity < Severity::Fail);
        Ok(Report {
            ok,
            full: audit.full,
            complete: run.complete,
            after,
            through,
            backlog,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            orgs: run.orgs.into_values().collect(),
            findings: run.findings,
        })
    }
}

fn counts(org: &str) -> (String, OrgCounts) {
    (org.to_owned(), OrgCounts { org: org.to_owned(), ..OrgCounts::default() })
}

impl Run<'_> {
    fn org_counts(&mut self, org: &str) -> &mut OrgCounts {
        let (name, new) = counts(org);
        self.orgs.entry(name).or_insert(new)
    }

    /// Whether there is time for one more part.
    fn goes_on(&mut self) -> bool {
        let over = self.until.is_some_and(|until| self.parts.clock.elapsed() >= until);
        self.complete &= !over;
        !over
    }

    /// Counts what became of the events, and answers those that look lost, with the backlog of the bus from before.
    async fn count(
        &mut self,
        mut after: i64,
        through: i64,
        before: DateTime<Utc>,
    ) -> Result<(Vec<Stray>, Option<u64>), Error> {
        let backlog = backlog(&self.parts.bus, self.audit.consumer);
        let mut suspects = Vec::new();
        while after < through && self.goes_on() {
            let end = after.saturating_add(WINDOW).min(through);
            // A connection for each part, so that others get theirs in between.
            let mut conn = self.parts.store.read().await?;
            let found = audit::count(&mut conn, self.org, after, end).await?;
            let mut pending = false;
            for (org, status, count) in found {
                let counts = self.org_counts(&org);
                counts.accepted += count;
                match status.as_deref() {
                    Some(COMPLETED) => counts.done += count,
                    Some(FAILED) => counts.failed += count,
                    Some(policy) => *counts.dropped.entry(policy.to_owned()).or_default() += count,
                    None => {
                        counts.in_flight += count;
                        pending = true;
                    }
                }
            }
            if pending {
                suspects.extend(audit::unhandled(&mut conn, self.org, (after, end), before).await?);
            }
            after = end;
        }
        Ok((suspects, backlog))
    }

    /// Looks a second time at what looks lost: what the bus has, or somebody has handled meanwhile, is not.
    async fn confirm(
        &mut self,
        suspects: Vec<Stray>,
        before: Option<u64>,
    ) -> Result<Option<u64>, Error> {
        if suspects.is_empty() {
            return Ok(before);
        }
        self.parts.clock.sleep(SECOND_LOOK).await;
        let after = backlog(&self.parts.bus, self.audit.consumer);
        let mut conn = self.parts.store.read().await?;
        let still = audit::still_unhandled(&mut conn, suspects).await?;
        drop(conn);
        let (Some(before), Some(after)) = (before, after) else {
            return Ok(None);
        };
        // Which of them the bus has cannot be told, only how many at most; the oldest are lost first.
        let backlog = before.max(after);
        let lost = still.len().saturating_sub(usize::try_from(backlog).unwrap_or(usize::MAX));
        let lost: Vec<Stray> = still.into_iter().take(lost).collect();
        for stray in &lost {
            let counts = self.org_counts(&stray.org);
            counts.in_flight -= 1;
            counts.lost += 1;
            counts.difference += 1;
        }
        self.found("events_lost", Severity::Fail, checks::LOST, lost);
        Ok(Some(backlog))
    }

    /// Adds a finding for each organisation.
    fn found(
        &mut self,
        check: &'static str,
        severity: Severity,
        hint: &'static str,
        strays: Vec<Stray>,
    ) {
        for stray in strays {
            let known = |finding: &Finding| finding.check == check && finding.org == stray.org;
            let place = self.findings.iter().position(known).unwrap_or(self.findings.len());
            if place == self.findings.len() {
                let (org, samples) = (stray.org.clone(), Vec::new());
                self.findings.push(Finding { check, severity, org, count: 0, samples, hint });
            }
            let Some(finding) = self.findings.get_mut(place) else { continue };
            finding.count += 1;
            if finding.samples.len() < checks::SAMPLES_MAX {
                finding.samples.push(stray.id.to_string());
            }
        }
    }
}

/// Messages that a consumer has not got or not given back; `None` when that cannot be told: the bus is away, or nobody
/// consumes in this process.
fn backlog(bus: &EventBus, consumer: &str) -> Option<u64> {
    if *bus.health().borrow() != Health::Up {
        return None;
    }
    let stats = bus.stats();
    let own = stats.consumers.iter().find(|stats| stats.name == consumer)?;
    Some(own.in_flight.saturating_add(own.behind))
}
