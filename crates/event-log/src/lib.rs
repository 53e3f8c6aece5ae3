#![doc = include_str!("../README.md")]

mod appender;
mod audit;
mod capture;
mod check;
mod closing;
mod content;
mod dead_letters;
mod definitions;
mod delivery;
mod draft;
mod error;
mod healer;
mod log;
mod publisher;
mod recovery;
mod repeats;
mod replay;
mod scheduled;
mod together;
mod trace;

pub use appender::Appender;
pub use audit::{AUDIT_GRACE, Audit, Audited, Auditor, Finding, OrgCounts, Report, Severity};
pub use capture::{
    Capture, CaptureAgent, CapturePolicy, Captures, Failure, PolicyError, PolicyFault, Stage,
    StoredPolicy, UnknownStage, kept_headers,
};
pub use closing::Closing;
pub use dead_letters::{
    DeadLetterAgent, DeadLetterError, DeadLetters, RetryFilter, Story as DeadLetterStory,
};
pub use definitions::DEFINITION_CHANGED;
pub use draft::{Dedupe, Draft};
pub use error::AppendError;
pub use log::{Appended, Config, EventLog, Parts, Stats, open};
pub use publisher::Publisher;
pub use repeats::Repeats;
pub use replay::{
    IDS_MAX as REPLAY_IDS_MAX, Job as ReplayJob, Plan as ReplayPlan,
    RATE_DEFAULT as REPLAY_RATE_DEFAULT, RATE_MAX as REPLAY_RATE_MAX, ReplayError, Replays,
    Runner as ReplayRunner, Selection as ReplaySelection, Spec as ReplaySpec,
};
pub use scheduled::{Cancelled, SCHEDULE_DAYS_MAX, ScheduleError, Timer};
pub use together::CheckedDraft;
pub use trace::{Node, NodeKind, TRACE_NODES_MAX, Trace};

#[cfg(test)]
mod tests;
