//! What a definition must look like before its parts are compiled. It must stay true that a field which no event can have is
//! refused: the automation would never run, and nobody would know why.

use serde_json::Value;

use crate::{Definition, Problem};

/// Longest name, in bytes.
const NAME_LEN_MAX: usize = 200;
/// Most actions of one automation.
const ACTIONS_MAX: usize = 32;
/// What an event consists of, as patterns and conditions see it.
const ROOTS: [&str; 8] =
    ["id", "type", "source", "time", "receivedAt", "payload", "schemaVersion", "metadata"];
/// Deepest nesting of operators that is looked into; compiling refuses what is deeper.
const DEPTH_MAX: usize = 32;

/// Reports every fault in the shape of a definition.
pub(super) fn check(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut fault = |pointer: &str, message: String| {
        problems.push(Problem { pointer: pointer.to_owned(), message });
    };
    let name = &definition.name;
    if name.trim().is_empty() || name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
        fault("/name", format!("a name has 1 to {NAME_LEN_MAX} bytes and no control characters"));
    }
    for (index, condition) in definition.trigger_conditions.iter().enumerate() {
        let root = condition.field.split(['.', '[']).next().unwrap_or_default();
        if root != "$" && !ROOTS.contains(&root) {
            let (roots, field) = (ROOTS.join(", "), &condition.field);
            let message = format!(
                "a field begins with one of {roots}; for the payload write `payload.{field}`"
            );
            fault(&format!("/triggerConditions/{index}/field"), message);
        }
    }
    if definition.actions.is_empty() || definition.actions.len() > ACTIONS_MAX {
        fault("/actions", format!("1 to {ACTIONS_MAX} actions"));
    }
    if let Some(pattern) = &definition.trigger_pattern {
        check_roots(&pattern.0, "/triggerPattern", DEPTH_MAX, problems);
    }
}

/// Refuses names at the root of a pattern that no event has; looks into `$or` and `$and`, whose members begin there, too.
fn check_roots(pattern: &Value, place: &str, depth: usize, problems: &mut Vec<Problem>) {
    let (Some(names), Some(depth)) = (pattern.as_object(), depth.checked_sub(1)) else { return };
    for (name, value) in names {
        let pointer = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
        if ROOTS.contains(&name.as_str()) {
            continue;
        }
        match (name.as_str(), alternatives(value)) {
            ("$or" | "$and", Some(members)) => {
                for (index, member) in members.iter().enumerate() {
                    check_roots(member, &format!("{pointer}/{index}"), depth, problems);
                }
            }
            ("$or" | "$and", None) => {
                let message = format!("`{name}` is an array of patterns, each with a field in it");
                problems.push(Problem { pointer, message });
            }
            _ => problems.push(Problem { pointer, message: misplaced(name) }),
        }
    }
}

/// The members of `$or` and `$and`, unless it is none.
fn alternatives(value: &Value) -> Option<&Vec<Value>> {
    let is_pattern = |member: &Value| member.as_object().is_some_and(|names| !names.is_empty());
    value.as_array().filter(|members| !members.is_empty() && members.iter().all(is_pattern))
}

fn misplaced(name: &str) -> String {
    let shown: String = name.chars().take(100).collect();
    let mut parts = shown.split('.');
    let first = parts.next().filter(|first| ROOTS.contains(first));
    let Some(first) = first.filter(|first| *first != shown) else {
        let roots = ROOTS.join(", ");
        return format!(
            "a pattern begins with one of {roots}; for the payload write {{\"payload\": {{\"{shown}\": …}}}}"
        );
    };
    // A name with a dot is one name, which is not what its author means.
    let inner =
        parts.rev().fold("…".to_owned(), |inner, part| format!("{{\"{part}\": {inner}}}"));
    format!("`{shown}` is one name and no path; write {{\"{first}\": {inner}}}")
}
