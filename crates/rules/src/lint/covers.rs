//! Alternatives of `$or` that others cover.

use super::{
    Code, Finding, Severity,
    follows::{self, Steps},
    in_pattern,
};
use crate::filter::Branch;

/// So many branches are compared with each other.
const BRANCHES_COMPARED_MAX: usize = 64;

/// Comparisons of fields among them.
const STEPS: usize = 1_000_000;

/// So many are listed.
const LISTED_MAX: usize = 5;

pub(super) fn covered_branches(branches: &[Branch]) -> Vec<Finding> {
    let mut steps = Steps(STEPS);
    let compared = &branches[..branches.len().min(BRANCHES_COMPARED_MAX)];
    let mut findings = Vec::new();
    for (place, one) in compared.iter().enumerate() {
        let cover = compared.iter().enumerate().find(|(other_place, other)| {
            // Of two that say the same, the second can be left out.
            place != *other_place
                && follows::branch(one, other, &mut steps)
                && (*other_place < place || !follows::branch(other, one, &mut steps))
        });
        let Some((_, other)) = cover else { continue };
        if findings.len() == LISTED_MAX {
            break;
        }
        let pointer = one.choices.last().map_or("", String::as_str);
        let message = format!(
            "the alternative {} can be left out: {} holds whenever it does",
            one.choices.join(" with "),
            other.choices.join(" with ")
        );
        findings.push(in_pattern(Code::Covered, Severity::Note, pointer, message));
    }
    findings
}
