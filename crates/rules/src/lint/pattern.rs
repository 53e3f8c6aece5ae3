//! What is odd about the pattern of a filter: its fields one by one, and those that cannot hold together.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Code, Finding, Severity,
    covers::covered_branches,
    implies::{disjoint, implies},
    in_pattern, leaf,
};
use crate::{
    Filter,
    filter::{Branch, Leaf, Whole},
    limits::{BRANCHES_MAX, VALUES_MAX, VERIFY_STEPS_MAX},
    predicate::Predicate,
};

/// Comparisons of fields of one branch.
const PAIRS_MAX: usize = 10_000;

/// Alternatives of one field that are compared with those of another.
const ALTERNATIVES_MAX: usize = 64;

pub(super) fn lint(filter: &Filter) -> Vec<Finding> {
    let written = serde_json::from_str(&filter.written).unwrap_or(Value::Null);
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    for leaf in filter.branches.iter().flat_map(leaves) {
        if seen.insert(leaf.pointer.as_str()) {
            leaf::lint(leaf, &written, &mut findings);
        }
    }
    // Fields beside an `$or` are in many branches.
    let mut said = HashSet::new();
    for branch in &filter.branches {
        for conflict in conflicts(branch) {
            if said.insert((conflict.pointer.clone(), conflict.message.clone())) {
                findings.push(conflict);
            }
        }
    }
    findings.extend(covered_branches(&filter.branches));
    findings.extend(costs(filter));
    findings
}

fn leaves(branch: &Branch) -> impl Iterator<Item = &Leaf> {
    branch.groups.iter().flat_map(|group| &group.leaves)
}

/// What takes more than half of a limit.
fn costs(filter: &Filter) -> Vec<Finding> {
    let cost = filter.cost();
    let parts = [
        (
            cost.branches,
            BRANCHES_MAX,
            "ways to match, since the alternatives of several `$or` multiply",
        ),
        (cost.predicates, VALUES_MAX, "questions in all ways to match"),
        (
            cost.steps,
            VERIFY_STEPS_MAX,
            "steps to ask all of it, most of them for wildcards and regular expressions",
        ),
    ];
    let dear = parts.into_iter().filter(|(taken, limit, _)| *taken > limit / 2);
    dear.map(|(taken, limit, what)| {
        let message = format!(
            "the pattern has {taken} {what}; {limit} are the limit: several rules are cheaper"
        );
        in_pattern(Code::Expensive, Severity::Note, "", message)
    })
    .collect()
}

/// Fields that cannot hold together.
fn conflicts(branch: &Branch) -> Vec<Finding> {
    let fields: Vec<(usize, &Leaf)> = branch
        .groups
        .iter()
        .enumerate()
        .flat_map(|(group, leaves)| leaves.leaves.iter().map(move |leaf| (group, leaf)))
        .collect();
    let pairs = fields
        .iter()
        .enumerate()
        .flat_map(|(place, one)| fields[..place].iter().map(move |other| (*other, *one)));
    pairs.take(PAIRS_MAX).filter_map(|(one, other)| conflict(one, other)).collect()
}

fn conflict(
    (one_group, one): (usize, &Leaf),
    (other_group, other): (usize, &Leaf),
) -> Option<Finding> {
    let (field, together) = (leaf::name(other), one_group == other_group);
    if one.path == other.path {
        if never_both(one, other) || never_both(other, one) {
            let message = format!("{field} can never hold here and at /pattern{}", one.pointer);
            return Some(in_pattern(Code::Unsatisfiable, Severity::Error, &other.pointer, message));
        }
        if both_need_a_value(one, other) && all_disjoint(&one.any, &other.any) {
            let message = format!(
                "no single value satisfies {field} here and at /pattern{}: only an array with a value for each does",
                one.pointer
            );
            let (code, severity) = (Code::NeedsSeveralValues, Severity::Warning);
            return Some(in_pattern(code, severity, &other.pointer, message));
        }
        return None;
    }
    let (outer, inner) =
        if one.path.len() < other.path.len() { (one, other) } else { (other, one) };
    if inner.path.starts_with(&outer.path) && both_need_a_value(one, other) {
        let (outer_name, inner_name) = (leaf::name(outer), leaf::name(inner));
        let (code, severity, what) = if together {
            (Code::Unsatisfiable, Severity::Error, "a value and an object at once")
        } else {
            (
                Code::NeedsSeveralValues,
                Severity::Warning,
                "an array with both a value and an object",
            )
        };
        let message =
            format!("{inner_name} and {outer_name} hold together only if {outer_name} is {what}");
        return Some(in_pattern(code, severity, &inner.pointer, message));
    }
    None
}

fn both_need_a_value(one: &Leaf, other: &Leaf) -> bool {
    let by_value = |leaf: &Leaf| leaf.whole.is_empty() && !leaf.any.is_empty();
    by_value(one) && by_value(other)
}

/// Whether whatever satisfies `one`, which asks all values, keeps any value from satisfying `other`.
fn never_both(one: &Leaf, other: &Leaf) -> bool {
    if one.whole.is_empty() || !one.any.is_empty() {
        return false;
    }
    let needs_a_value = |whole: &Whole| matches!(whole, Whole::AllOf(_));
    one.whole.iter().all(|whole| match whole {
        Whole::Absent => other.whole.iter().all(needs_a_value),
        Whole::NoneOf(denied) => {
            let refused = |wanted: &Predicate| denied.iter().any(|denied| implies(wanted, denied));
            other.any.iter().all(refused)
                && other.whole.iter().all(|whole| match whole {
                    Whole::AllOf(all) => all.iter().any(refused),
                    Whole::Absent | Whole::NoneOf(_) => false,
                })
        }
        Whole::AllOf(_) => false,
    })
}

fn all_disjoint(one: &[Predicate], other: &[Predicate]) -> bool {
    one.len() <= ALTERNATIVES_MAX
        && other.len() <= ALTERNATIVES_MAX
        && one.iter().all(|one| other.iter().all(|other| disjoint(one, other)))
}
