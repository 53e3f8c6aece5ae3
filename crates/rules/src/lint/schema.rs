//! A filter against the schema of what it looks at. It must stay true that only what is certain is said: where a schema
//! leaves something open, or says more than is read here, nothing is found.

mod place;
mod values;

use std::cmp::Reverse;

use serde_json::Value;

use self::place::{Below, Place};
use super::{
    Code, Finding, Severity,
    leaf::name,
    words::{several, words},
};
use crate::{
    Condition, Filter, Operator,
    conditions::reads::{Step, reads},
    explain::{dotted, near::nearest},
    filter::{Leaf, Whole},
    predicate::Predicate,
};

/// So many values are named for one field.
const LISTED_MAX: usize = 5;

/// Fields and values of the filter that the schema of a part of the event rules out: names that it does not have, values of
/// another type or beside its `enum`. The part is the member `prefix` of the event, or the whole event if that is empty.
/// Local references are followed; `not`, `if` and what else a schema may say is taken as leaving everything open.
pub fn lint_against(filter: &Filter, prefix: &str, schema: &Value) -> Vec<Finding> {
    let checked = Checked { root: Place::of(schema), prefix };
    let mut findings: Vec<Finding> = Vec::new();
    for leaf in filter.branches.iter().flat_map(|b| &b.groups).flat_map(|g| &g.leaves) {
        let pointer = format!("/pattern{}", leaf.pointer);
        if findings.iter().any(|known| known.pointer == pointer) {
            continue;
        }
        checked.leaf(leaf, &pointer, &mut findings);
    }
    for (index, condition) in filter.conditions.written().enumerate() {
        checked.condition(condition, &format!("/conditions/{index}"), &mut findings);
    }
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings
}

/// The names below the prefix.
fn within<'n, 's>(prefix: &str, names: &'n [&'s str]) -> Option<&'n [&'s str]> {
    if prefix.is_empty() {
        return Some(names);
    }
    let (first, rest) = names.split_first()?;
    (*first == prefix && !rest.is_empty()).then_some(rest)
}

struct Checked<'s> {
    root: Place<'s>,
    prefix: &'s str,
}

impl<'s> Checked<'s> {
    fn leaf(&self, leaf: &Leaf, pointer: &str, findings: &mut Vec<Finding>) {
        let names: Vec<&str> = leaf.path.iter().map(AsRef::as_ref).collect();
        let Some(names) = within(self.prefix, &names) else { return };
        let mut find = |code, severity, message| {
            findings.push(Finding { code, severity, pointer: pointer.to_owned(), message });
        };
        let place = match self.walk(names, true) {
            Ok(place) => place,
            Err((severity, message)) => {
                let by_absence = |whole: &Whole| !matches!(whole, Whole::AllOf(_));
                return if severity < Severity::Error || !leaf.whole.iter().any(by_absence) {
                    find(Code::UnknownField, severity, message);
                } else {
                    let message = format!("{message}, so {} always holds here", name(leaf));
                    find(Code::AlwaysTrue, Severity::Warning, message);
                };
            }
        };
        let never = |one: &&Predicate| !values::may_hold(&place, one);
        let field = name(leaf);
        let what = values::allowed(&place);
        let impossible: Vec<&Predicate> = leaf.any.iter().filter(never).collect();
        if !impossible.is_empty() && impossible.len() == leaf.any.len() && leaf.whole.is_empty() {
            let asked = several(&leaf.any, " or ");
            let message = format!("{field} {asked} never holds: by the schema it is {what}");
            return find(Code::ImpossibleValue, Severity::Error, message);
        }
        let denied = leaf.any.iter().filter_map(|one| match one {
            Predicate::AnythingBut(denied) => Some(denied),
            _ => None,
        });
        let of_all = leaf.whole.iter().filter_map(|whole| match whole {
            Whole::NoneOf(list) | Whole::AllOf(list) => Some(list),
            Whole::Absent => None,
        });
        let inner = denied.chain(of_all).flatten().filter(never);
        for one in impossible.into_iter().chain(inner).take(LISTED_MAX) {
            let message = format!("{field} is never {}: by the schema it is {what}", words(one));
            find(Code::ImpossibleValue, Severity::Warning, message);
        }
    }

    fn condition(&self, condition: &Condition, pointer: &str, findings: &mut Vec<Finding>) {
        let is_path = condition.field.starts_with('$');
        for path in reads(&condition.field) {
            let is_name = |step: &&Step| matches!(step, Step::Name(_));
            let names: Vec<&str> = path
                .iter()
                .take_while(is_name)
                .filter_map(|step| match step {
                    Step::Name(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            let Some(below) = within(self.prefix, &names) else { continue };
            let by_absence = condition.operator == Operator::Neq
                || condition.value == Some(Value::Bool(false))
                    && condition.operator == Operator::Exists;
            let (code, severity, message) = match self.walk(below, false) {
                Err((Severity::Error, message)) if by_absence => {
                    let message = format!("{message}, so the condition always holds");
                    (Code::AlwaysTrue, Severity::Warning, message)
                }
                // What is in a filter of a JSONPath may be asked of some items only.
                Err((severity, message)) if !is_path => (Code::UnknownField, severity, message),
                Err((_, message)) => (Code::UnknownField, Severity::Warning, message),
                Ok(place) if !is_path && names.len() == path.len() && !by_absence => {
                    if values::may_satisfy(&place, condition) {
                        continue;
                    }
                    let what = values::allowed(&place);
                    let message = format!(
                        "the condition never holds: by the schema, {} is {what}",
                        condition.field
                    );
                    (Code::ImpossibleValue, Severity::Error, message)
                }
                Ok(_) => continue,
            };
            let pointer = pointer.to_owned();
            findings.push(Finding { code, severity, pointer, message });
        }
    }

    /// What the schema says of where the names lead to; or what is wrong with them.
    fn walk(&self, names: &[&str], arrays: bool) -> Result<Place<'s>, (Severity, String)> {
        let mut place = self.root.clone();
        for (depth, name) in names.iter().enumerate() {
            let (severity, neighbours) = match place.member(name, arrays) {
                Below::Known(below) => {
                    place = below;
                    continue;
                }
                Below::Unnamed(neighbours) => (Severity::Warning, neighbours),
                Below::RuledOut(neighbours) => (Severity::Error, neighbours),
            };
            let prefix = Some(self.prefix).filter(|prefix| !prefix.is_empty());
            let path = dotted(prefix.into_iter().chain(names[..=depth].iter().copied()));
            let what = if severity == Severity::Error {
                "the schema allows no"
            } else {
                "the schema does not name"
            };
            let meant = nearest(name, neighbours)
                .map_or_else(String::new, |meant| format!("; it has {}", Value::from(meant)));
            return Err((severity, format!("{what} {path}{meant}")));
        }
        Ok(place)
    }
}
