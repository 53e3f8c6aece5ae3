//! What is odd about one field of a pattern by itself.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Code, Finding, Severity,
    follows::{Steps, covered},
    implies::{implies, is_impossible},
    in_pattern,
    words::{several, words},
};
use crate::{
    explain::{brief, dotted},
    filter::{Leaf, Whole},
    predicate::{Literal, Predicate},
};

/// Comparisons of alternatives of one field: a list of some hundred patterns is compared in full.
const STEPS: usize = 100_000;

/// So many findings of a kind are listed for one field.
const LISTED_MAX: usize = 5;

pub(super) fn lint(leaf: &Leaf, written: &Value, findings: &mut Vec<Finding>) {
    let field = name(leaf);
    let mut find = |code, severity, message| {
        findings.push(in_pattern(code, severity, &leaf.pointer, message));
    };
    if is_unsatisfiable(leaf) {
        let message = format!("{field} {} can never hold", several(&leaf.any, " or "));
        return find(Code::Unsatisfiable, Severity::Error, message);
    }
    for never in leaf.any.iter().filter(|one| is_impossible(one)).take(LISTED_MAX) {
        let message = format!("the alternative {} of {field} can never hold", words(never));
        find(Code::Unsatisfiable, Severity::Warning, message);
    }
    if let Some(message) = always(leaf, &field) {
        return find(Code::AlwaysTrue, Severity::Warning, message);
    }
    for twice in duplicates(written.pointer(&leaf.pointer)).into_iter().take(LISTED_MAX) {
        let message = format!("{field} has the alternative {} twice", brief(twice));
        find(Code::Duplicate, Severity::Note, message);
    }
    for (one, other) in covers(&leaf.any) {
        let message = format!(
            "of {field}, the alternative {} can be left out: {} holds whenever it does",
            words(one),
            words(other)
        );
        find(Code::Covered, Severity::Note, message);
    }
}

pub(super) fn name(leaf: &Leaf) -> String {
    dotted(leaf.path.iter().map(AsRef::as_ref))
}

/// Whether no values of the field satisfy it.
pub(super) fn is_unsatisfiable(leaf: &Leaf) -> bool {
    let never = |whole: &Whole| match whole {
        Whole::AllOf(all) => all.iter().any(is_impossible),
        Whole::Absent | Whole::NoneOf(_) => false,
    };
    leaf.any.iter().all(is_impossible) && leaf.whole.iter().all(never)
}

/// Why the field holds for every event, or for every event that has it.
fn always(leaf: &Leaf, field: &str) -> Option<String> {
    let exists = leaf.any.contains(&Predicate::Exists);
    if exists && leaf.whole.contains(&Whole::Absent) {
        return Some(format!("{field} holds whether it is there or not: leave it out"));
    }
    let none_of = leaf.whole.iter().find_map(|whole| match whole {
        Whole::NoneOf(denied) if all_covered(denied, &leaf.any) => Some(denied),
        _ => None,
    });
    if let Some(denied) = none_of {
        return Some(format!(
            "{field} always holds: none-of {} stands beside what it excludes",
            several(denied, ", ")
        ));
    }
    if exists && leaf.any.len() + leaf.whole.len() > 1 {
        return Some(format!(
            "{field} holds for every value, since one alternative is {{\"exists\": true}}: the others say nothing"
        ));
    }
    let denied = leaf.any.iter().find_map(|one| match one {
        Predicate::AnythingBut(denied) if all_covered(denied, &leaf.any) => Some(denied),
        _ => None,
    })?;
    Some(format!(
        "{field} holds for every value: anything-but {} stands beside what it excludes",
        several(denied, ", ")
    ))
}

fn all_covered(denied: &[Predicate], any: &[Predicate]) -> bool {
    let mut steps = Steps(STEPS);
    denied.iter().all(|denied| covered(denied, any, &mut steps))
}

fn duplicates(written: Option<&Value>) -> Vec<&Value> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let alternatives = written.and_then(Value::as_array).into_iter().flatten();
    let second = alternatives.filter(|alternative| {
        let times = seen.entry(alternative.to_string()).or_default();
        *times += 1;
        *times == 2
    });
    second.collect()
}

/// Alternatives that another one covers. Two that cover each other are the same, and said to be so elsewhere.
fn covers(any: &[Predicate]) -> Vec<(&Predicate, &Predicate)> {
    let mut steps = Steps(STEPS);
    // A plain value covers nothing but itself.
    let plain =
        |one: &&Predicate| !matches!(one, Predicate::Equals(Literal::Text(_) | Literal::Number(_)));
    let broad: Vec<&Predicate> = any.iter().filter(plain).collect();
    let mut found = Vec::new();
    for one in any {
        if found.len() >= LISTED_MAX || !steps.take(broad.len()) {
            break;
        }
        let cover = |other: &&&Predicate| **other != one && implies(one, other);
        if let Some(other) = broad.iter().find(cover).filter(|other| !implies(other, one)) {
            found.push((one, *other));
        }
    }
    found
}
