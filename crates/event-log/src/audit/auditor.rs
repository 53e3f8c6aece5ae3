//! The agent that audits the log all the time, for the metrics.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{AUDIT_GRACE, Audit, Report, Severity};
use crate::{EventLog, delivery::chain};

/// The first audit, once everything has begun to run.
const FIRST: Duration = Duration::from_mins(1);
/// How often it audits.
const EVERY: Duration = Duration::from_mins(10);

/// What the last audit by the agent found, over all organisations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// By how many events the accounts of all organisations are wrong, more and less added up.
    pub difference: i64,
    /// Events that nobody has handled and nobody will.
    pub lost: i64,
}

/// Audits what is recent every ten minutes.
#[derive(Debug)]
pub struct Auditor {
    log: EventLog,
    consumer: &'static str,
}

impl EventLog {
    /// The agent that audits; `consumer` gives events their outcomes.
    pub fn auditor(&self, consumer: &'static str) -> Auditor {
        Auditor { log: self.clone(), consumer }
    }

    /// What the last audit by the agent found; `None` before the first.
    pub fn audited(&self) -> Option<Audited> {
        *self.counters.audited.borrow()
    }
}

impl Auditor {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        // Ends only when it is stopped.
        let _ = stop.run_until_cancelled(Box::pin(self.audits())).await;
    }

    async fn audits(&self) {
        let clock = self.log.parts.clock.clone();
        let mut pause = FIRST;
        loop {
            clock.sleep(pause).await;
            pause = EVERY;
            let audit =
                Audit { org: None, full: false, grace: AUDIT_GRACE, consumer: self.consumer };
            match self.log.audit(&audit).await {
                Ok(report) => self.note(&report),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the log cannot be audited now");
                }
            }
        }
    }

    fn note(&self, report: &Report) {
        let found = Audited {
            difference: report.orgs.iter().map(|org| org.difference.abs()).sum(),
            lost: report.orgs.iter().map(|org| org.lost).sum(),
        };
        self.log.counters.audited.send_replace(Some(found));
        for finding in &report.findings {
            let (check, org, count) = (finding.check, &finding.org, finding.count);
            let samples = finding.samples.join(", ");
            match finding.severity {
                Severity::Warn => tracing::debug!(check, org, count, samples, "audit"),
                Severity::Fail => {
                    tracing::error!(check, org, count, samples, hint = finding.hint, "audit");
                }
            }
        }
    }
}
