//! The time that was signed: too old, in the future, or in another unit.

use chrono::TimeDelta;

use super::{Diagnosis, trial::Trial};
use crate::{
    definition::{TimeUnit, Verifier},
    webhook::Fault,
};

/// Says what is wrong with the time, moves the trial to the time that was signed, and answers what is wrong besides.
pub(super) fn diagnose(
    trial: &mut Trial<'_>,
    fault: Fault,
    found: &mut Vec<Diagnosis>,
) -> Option<Fault> {
    let (seconds, tolerance, is_old) = match fault {
        Fault::Stale { age_seconds, tolerance_seconds } => (age_seconds, tolerance_seconds, true),
        Fault::Future { ahead_seconds, tolerance_seconds } => {
            (ahead_seconds, tolerance_seconds, false)
        }
        Fault::MalformedTime(_) => {
            return if unit(trial, found) { None } else { Some(fault) };
        }
        other => return Some(other),
    };
    if unit(trial, found) {
        return None;
    }
    let shift = TimeDelta::try_seconds(if is_old { -seconds } else { seconds });
    let signed_at = shift.and_then(|shift| trial.at.checked_add_signed(shift));
    let Some(signed_at) = signed_at else {
        found.push(diagnosis(seconds, tolerance, is_old, ""));
        return None;
    };
    trial.at = signed_at;
    let besides = trial.verify().err();
    let apart = match besides {
        None => "; apart from that the signature is right",
        Some(_) => "; the signature is wrong, too",
    };
    found.push(diagnosis(seconds, tolerance, is_old, apart));
    besides
}

fn diagnosis(seconds: i64, tolerance: u32, is_old: bool, apart: &str) -> Diagnosis {
    if is_old {
        let detail = format!(
            "it was signed {seconds} s before it came, and {tolerance} s are allowed{apart}"
        );
        let fix = "if it was sent just now, set the clocks of both machines (NTP); if a queue or proxy held it back, send \
                   it again or raise `toleranceSeconds`; if you try out an older request, say with `at` when it came";
        Diagnosis::certain("timestamp-too-old", detail, fix)
    } else {
        let detail = format!(
            "it was signed {seconds} s after it came, and {tolerance} s are allowed{apart}"
        );
        let fix = "set the clocks of both machines (NTP): one of them is wrong";
        Diagnosis::certain("timestamp-in-future", detail, fix)
    }
}

/// Whether the time is right in another unit.
fn unit(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) -> bool {
    let Verifier::Signature(signature) = trial.case.definition.verifier() else { return false };
    let Some(timestamp) = &signature.timestamp else { return false };
    for (other, word) in [
        (TimeUnit::Seconds, "seconds"),
        (TimeUnit::Milliseconds, "milliseconds"),
        (TimeUnit::Rfc3339, "rfc3339"),
    ] {
        if other == timestamp.unit {
            continue;
        }
        let mut altered = signature.clone();
        if let Some(timestamp) = &mut altered.timestamp {
            timestamp.unit = other;
        }
        if trial.fits_as(&Verifier::Signature(altered), None) {
            let detail = format!("the time that was signed is written as {word}");
            let fix = format!("set `verifier.signature.timestamp.unit` to `{word}`");
            found.push(Diagnosis::certain("timestamp-unit", detail, fix));
            return true;
        }
    }
    false
}
