//! One automation and one event: which version counts, what stands against it, and the proof.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use omni_actions::Actions;
use omni_events::rfc3339_millis;
use omni_rules::Filter;
use omni_store::{
    automations::{AutomationRow, VersionRow},
    executions::ExecutionRow,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Explanation, Reason, ReasonKind, Recorded, Subject,
    past::{Past, VERSIONS_MAX},
};
use crate::{
    Definition, ExecutionStatus, automations::from_row, compiled::Compiled, compiled::filter,
    compiled::problems_of, replaying,
};

/// What is known of one automation.
pub(super) struct Case {
    /// As it is stored, or the id of one that was deleted.
    pub(super) current: Result<AutomationRow, Uuid>,
    pub(super) past: Past,
    pub(super) recorded: Option<ExecutionRow>,
    /// What this process has compiled, if it is on.
    pub(super) known: Option<Arc<Compiled>>,
}

/// The version that counts.
struct Judged {
    version: i32,
    name: String,
    definition: Result<Definition, String>,
    filter: Result<Arc<Filter>, String>,
}

/// Compares one automation with an event.
pub(super) fn judge(
    case: Case,
    subject: &Subject,
    document: &Value,
    actions: &Actions,
) -> Explanation {
    let (mut reasons, mut notes) = (Vec::new(), Vec::new());
    let judged = chosen(&case, subject, &mut reasons, &mut notes);
    match &case.current {
        Ok(row) => {
            about_switch(row, &case, subject, &mut reasons, &mut notes);
            about_change(row, judged.version, &mut notes);
        }
        Err(_) => reasons.push(Reason::new(ReasonKind::Deleted, "it was deleted")),
    }
    // Of a definition that cannot be read its filter says so.
    if let Ok(definition) = &judged.definition {
        about_type(definition, subject, &mut reasons);
        // What this process has compiled is valid.
        let is_known = |known: &Arc<Compiled>| known.automation.version == judged.version;
        if judged.filter.is_ok() && !case.known.as_ref().is_some_and(is_known) {
            about_validity(definition, actions, &mut reasons);
        }
    }
    let automation_id = case.current.as_ref().map_or_else(|id| *id, |row| row.id);
    if !replaying::is_for(&subject.event, automation_id) {
        let message = "the event was brought back for another automation alone";
        reasons.push(Reason::new(ReasonKind::OtherReplay, message));
    }
    let proof = match &judged.filter {
        Ok(filter) => Some(filter.explain(document)),
        Err(why) => {
            reasons.push(Reason::new(ReasonKind::Invalid, why.clone()));
            None
        }
    };
    let matched = reasons.is_empty() && proof.as_ref().is_some_and(|proof| proof.matched);
    let execution = case.recorded.map(recorded);
    let mut explanation = Explanation {
        automation_id,
        name: judged.name,
        version: judged.version,
        current_version: case.current.ok().map(|row| row.version),
        matched,
        summary: String::new(),
        reasons,
        notes,
        proof,
        execution,
    };
    explanation.summary = summary(&explanation, subject);
    explanation
}

/// The version that ran, else the one that was in force when the event was handled, else the current one.
fn chosen(
    case: &Case,
    subject: &Subject,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) -> Judged {
    let ran = case.recorded.as_ref().map(|row| row.automation_version);
    let Past { versions, unread } = &case.past;
    let oldest = versions.last();
    let wanted = match (ran, subject.processed_at) {
        (Some(version), _) => versions.iter().find(|row| row.version == version),
        (None, Some(at)) => versions.iter().find(|row| row.created_at <= at),
        (None, None) => None,
    };
    match (wanted, &case.current) {
        (Some(old), Ok(row)) if old.version == row.version => of_row(row, case),
        (Some(old), _) => of_version(old),
        (None, Ok(row)) => {
            if let (Some(at), Some(oldest), None) = (subject.processed_at, oldest, ran) {
                if *unread {
                    notes.push(format!(
                        "its newest {VERSIONS_MAX} versions were made after the event was handled, and older ones were not \
                         looked at; compared is its version {}",
                        row.version
                    ));
                } else if oldest.created_at > at {
                    let message = format!(
                        "it was made at {}, after the event was handled; compared is its version {}",
                        rfc3339_millis(oldest.created_at),
                        row.version
                    );
                    reasons.push(Reason::new(ReasonKind::CreatedLater, message));
                }
            } else if let Some(version) = ran.filter(|version| *version != row.version) {
                notes.push(format!(
                    "version {version} ran and is not kept; compared is version {}",
                    row.version
                ));
            }
            of_row(row, case)
        }
        (None, Err(_)) => {
            if *unread {
                notes.push(format!("only its newest {VERSIONS_MAX} versions were looked at"));
            }
            versions.first().map_or_else(nothing, of_version)
        }
    }
}

fn of_row(row: &AutomationRow, case: &Case) -> Judged {
    let is_same = |known: &&Arc<Compiled>| known.automation.version == row.version;
    if let Some(known) = case.known.as_ref().filter(is_same) {
        return Judged {
            version: row.version,
            name: row.name.clone(),
            definition: Ok(known.automation.definition.clone()),
            filter: Ok(known.filter.clone()),
        };
    }
    let definition = from_row(row.clone()).map(|automation| automation.definition);
    let definition = definition.map_err(|error| format!("it cannot be read: {error}"));
    of_definition(row.version, row.name.clone(), definition)
}

fn of_version(row: &VersionRow) -> Judged {
    let definition = serde_json::from_str(&row.definition);
    let definition = definition.map_err(|error| format!("it cannot be read: {error}"));
    of_definition(row.version, row.name.clone(), definition)
}

fn of_definition(version: i32, name: String, definition: Result<Definition, String>) -> Judged {
    let compiled = match &definition {
        Ok(definition) => filter(definition),
        Err(why) => return Judged { version, name, filter: Err(why.clone()), definition },
    };
    let filter = compiled.map(Arc::new).map_err(|problems| {
        let first =
            problems.first().map(|problem| format!("{}: {}", problem.pointer, problem.message));
        format!("it is not valid any more and does not run: {}", first.unwrap_or_default())
    });
    Judged { version, name, definition, filter }
}

fn nothing() -> Judged {
    let why = || "nothing of it is kept".to_owned();
    Judged { version: 0, name: String::new(), definition: Err(why()), filter: Err(why()) }
}

/// Whether it is off, and whether it was when the event was handled: switching is no new version, so that is not kept.
fn about_switch(
    row: &AutomationRow,
    case: &Case,
    subject: &Subject,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    let changed = subject.processed_at.is_some_and(|at| row.updated_at > at);
    let at = rfc3339_millis(row.updated_at);
    match (row.enabled, changed, case.recorded.is_some()) {
        (false, _, true) => notes.push("it is off now".to_owned()),
        (false, false, false) => reasons.push(Reason::new(ReasonKind::Disabled, "it is off")),
        (false, true, false) => reasons.push(Reason::new(
            ReasonKind::Disabled,
            format!("it is off, and may have been on when the event was handled: it was switched or changed at {at}"),
        )),
        (true, true, false) => notes.push(format!(
            "it was switched or changed at {at}, after the event was handled, and may have been off then"
        )),
        (true, ..) => {}
    }
}

fn about_change(row: &AutomationRow, version: i32, notes: &mut Vec<String>) {
    if row.version != version {
        notes.push(format!(
            "compared is version {version}, which was in force when the event was handled; now it has version {}",
            row.version
        ));
    }
}

fn about_type(definition: &Definition, subject: &Subject, reasons: &mut Vec<Reason>) {
    let (pattern, event_type) = (&definition.trigger_event_type, &subject.event.event_type);
    if !pattern.matches(event_type) {
        let near = super::near::is_near(pattern.as_str(), event_type.as_str());
        let near = if near { ", which is nearly the same" } else { "" };
        let message =
            format!("it listens to `{}`, and the event is `{event_type}`{near}", pattern.as_str());
        reasons.push(Reason::new(ReasonKind::WrongType, message));
    }
}

fn about_validity(definition: &Definition, actions: &Actions, reasons: &mut Vec<Reason>) {
    if let Some(problem) = problems_of(definition, actions).first() {
        let message = format!(
            "it is not valid any more and does not run: {}: {}",
            problem.pointer, problem.message
        );
        reasons.push(Reason::new(ReasonKind::Invalid, message));
    }
}

fn recorded(row: ExecutionRow) -> Recorded {
    Recorded { id: row.id, version: row.automation_version, status: row.status, error: row.error }
}

fn summary(explanation: &Explanation, subject: &Subject) -> String {
    let ran = explanation.execution.as_ref();
    let is_skipped = |one: &&Recorded| one.status == ExecutionStatus::Skipped.as_str();
    if let Some(execution) = ran.filter(|one| !is_skipped(one)) {
        let why = execution.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        return format!("it ran and ended with {}{why}", execution.status);
    }
    let held = |text: &str| match explanation.proof.as_ref() {
        Some(proof) if proof.matched => format!("{text}; its pattern and conditions hold"),
        Some(proof) => format!("{text}; besides, {}", proof.summary()),
        None => text.to_owned(),
    };
    if let Some(reason) = explanation.reasons.first() {
        return held(&reason.message);
    }
    let Some(proof) = &explanation.proof else { return "it cannot be compared".to_owned() };
    if !proof.matched {
        return proof.summary();
    }
    match (ran, subject.processed_at) {
        (Some(skipped), _) => format!(
            "it was skipped{}",
            skipped.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
        ),
        (None, Some(at)) => unrecorded(explanation, at),
        (None, None) => "it matches".to_owned(),
    }
}

fn unrecorded(explanation: &Explanation, at: DateTime<Utc>) -> String {
    let note = explanation.notes.first().map(|note| format!(": {note}")).unwrap_or_default();
    format!(
        "it matches, and yet no execution is recorded; the event was handled at {}{note}",
        rfc3339_millis(at)
    )
}
