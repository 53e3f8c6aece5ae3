//! Conditions on one field that no value satisfies together.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;

use super::{Code, Finding, Severity};
use crate::{
    Condition, Conditions, Operator, conditions::question::Question, exact, explain::brief,
    fuel::Fuel, regular::Budget,
};

pub(super) fn lint(conditions: &Conditions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_field: BTreeMap<&str, Vec<(usize, &Condition)>> = BTreeMap::new();
    for (place, condition) in conditions.written().enumerate() {
        let same = by_field.entry(&condition.field).or_default();
        if same.iter().any(|(_, known)| *known == condition) {
            let message = format!("{} stands here twice", said(condition));
            findings.push(finding(Code::Duplicate, Severity::Note, place, message));
        }
        same.push((place, condition));
        if condition.operator == Operator::In && condition.value == Some(Value::Array(Vec::new())) {
            let message = format!("{} is in an empty list never", condition.field);
            findings.push(finding(Code::Unsatisfiable, Severity::Error, place, message));
        }
    }
    for (field, list) in by_field {
        // A JSONPath may select several values, and each condition be satisfied by another one.
        if !field.starts_with('$') {
            findings.extend(contradiction(&list));
        }
    }
    findings
}

fn finding(code: Code, severity: Severity, place: usize, message: String) -> Finding {
    Finding { code, severity, pointer: format!("/conditions/{place}"), message }
}

fn said(condition: &Condition) -> String {
    let value = condition.value.as_ref().map(brief).unwrap_or_default();
    format!("{} {} {value}", condition.field, condition.operator)
}

/// The first condition that the ones before it leave no value for.
fn contradiction(list: &[(usize, &Condition)]) -> Option<Finding> {
    let pairs = list
        .iter()
        .enumerate()
        .flat_map(|(place, one)| list[..place].iter().map(move |other| (*other, *one)));
    let (one, (place, other)) = pairs.into_iter().find(|((_, one), (_, other))| {
        excludes(one, other) || excludes(other, one) || crosses(one, other) || crosses(other, one)
    })?;
    let message = format!("no value satisfies both {} and {}", said(one.1), said(other));
    Some(finding(Code::Unsatisfiable, Severity::Error, place, message))
}

/// Whether one allows only some values, and the other none of them.
fn excludes(one: &Condition, other: &Condition) -> bool {
    let allowed = match (one.operator, &one.value) {
        (Operator::Eq, Some(value)) => std::slice::from_ref(value),
        (Operator::In, Some(Value::Array(values))) if !values.is_empty() => values,
        (Operator::Exists, Some(Value::Bool(false))) => {
            let absent = matches!(other.operator, Operator::Neq)
                || (other.operator == Operator::Exists && other.value == one.value);
            return !absent;
        }
        _ => return false,
    };
    let question = Question::compile(other.operator, other.value.as_ref(), &mut Budget::new());
    let Ok(question) = question else { return false };
    let mut fuel = Fuel::new();
    // What cannot be decided here may hold.
    allowed.iter().all(|value| question.holds(&[value], &mut fuel) == Ok(false))
}

/// Whether one asks for more than the other for less.
fn crosses(above: &Condition, below: &Condition) -> bool {
    let strict = match (above.operator, below.operator) {
        (Operator::Gte, Operator::Lte) => false,
        (Operator::Gt, Operator::Lt | Operator::Lte) | (Operator::Gte, Operator::Lt) => true,
        _ => return false,
    };
    let (Some(lower), Some(upper)) = (&above.value, &below.value) else { return false };
    match exact::order(lower, upper, &mut Fuel::new()) {
        Ok(Some(Ordering::Equal)) => strict,
        // Without an order, one is a number and the other a text.
        Ok(order) => order != Some(Ordering::Less),
        Err(_) => false,
    }
}
