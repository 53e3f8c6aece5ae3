//! A proof as a person reads it in a terminal. It must stay true that no value of an event can steer the terminal.

use std::fmt::{self, Write};

use serde_json::Value;

use super::{BranchProof, LeafProof, Proof};
use crate::Leaf;

/// So much of one value or question is written, in characters.
const BRIEF_MAX: usize = 120;

/// So many values of a field are written.
const VALUES_MAX: usize = 5;

/// So many ways to satisfy a pattern are written out.
const BRANCHES_MAX: usize = 3;

/// So many fields that hold are written out for a way that does not.
const HELD_MAX: usize = 20;

impl Proof {
    /// The answer in one line, with the first miss if there is one: `payload.total numeric >= 1000 does not hold: found 12`.
    pub fn summary(&self) -> String {
        if self.matched {
            return "it matches".to_owned();
        }
        let branch = self.branches.first().filter(|branch| !branch.matched);
        let leaf = branch.and_then(|branch| branch.leaves.first()).filter(|leaf| !leaf.matched);
        if let Some(leaf) = leaf {
            return missed(&asked(leaf), &found(leaf), leaf.error.as_deref());
        }
        if let Some(apart) = branch.and_then(|branch| branch.apart.as_deref()) {
            return clean(apart);
        }
        match self.conditions.iter().find(|leaf| !leaf.matched) {
            Some(leaf) => missed(&condition(leaf), &seen(leaf), leaf.error.as_deref()),
            None => "it does not match".to_owned(),
        }
    }
}

fn missed(asked: &str, found: &str, error: Option<&str>) -> String {
    match error {
        Some(error) => format!("{asked} was not decided: {}", clean(error)),
        None => format!("{asked} does not hold: found {found}"),
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.matched {
            f.write_str("matches")?;
        } else {
            write!(f, "does not match: {}", self.summary())?;
        }
        for (place, branch) in self.branches.iter().take(BRANCHES_MAX).enumerate() {
            // What is satisfied needs no alternatives.
            if place > 0 && self.branches[0].matched {
                break;
            }
            way(f, place, branch)?;
        }
        let more = self.more_branches + self.branches.len().saturating_sub(BRANCHES_MAX);
        if more > 0 && !self.branches[0].matched {
            write!(f, "\n  and {more} further ways to match, none of them nearer")?;
        }
        // Those that do not hold come first, as for a pattern.
        for wanted in [false, true] {
            for leaf in self.conditions.iter().filter(|leaf| leaf.matched == wanted) {
                let (asked, found) = (condition(leaf), seen(leaf));
                line(f, leaf.matched, &asked, &found, "")?;
                note(f, leaf.error.as_deref())?;
            }
        }
        Ok(())
    }
}

fn way(f: &mut fmt::Formatter<'_>, place: usize, branch: &BranchProof) -> fmt::Result {
    if !branch.choices.is_empty() {
        let word = if place == 0 { "with" } else { "or with" };
        let choices: Vec<String> = branch.choices.iter().map(|choice| clean(choice)).collect();
        write!(f, "\n  {word} {}:", choices.join(" and "))?;
    }
    note(f, branch.apart.as_deref())?;
    let held = branch.leaves.iter().filter(|leaf| leaf.matched).count();
    let shown = branch.leaves.len() - held.saturating_sub(HELD_MAX);
    for leaf in &branch.leaves[..shown] {
        let at = leaf.at.as_ref().filter(|at| **at != leaf.field);
        let at = at.map_or_else(String::new, |at| format!(" at {}", clean(at)));
        line(f, leaf.matched, &asked(leaf), &found(leaf), &at)?;
        note(f, leaf.hint.as_deref())?;
        note(f, leaf.error.as_deref())?;
    }
    if shown < branch.leaves.len() {
        write!(f, "\n    and {} more that hold", branch.leaves.len() - shown)?;
    }
    Ok(())
}

fn line(
    f: &mut fmt::Formatter<'_>,
    matched: bool,
    asked: &str,
    found: &str,
    at: &str,
) -> fmt::Result {
    let mark = if matched { '✓' } else { '✗' };
    write!(f, "\n  {mark} {asked}, found {found}{at}")
}

fn note(f: &mut fmt::Formatter<'_>, text: Option<&str>) -> fmt::Result {
    text.map_or(Ok(()), |text| write!(f, "\n      {}", clean(text)))
}

fn asked(leaf: &LeafProof) -> String {
    format!("{} {}", clean(&leaf.field), said(&leaf.expected))
}

fn condition(leaf: &Leaf) -> String {
    format!("{} {} {}", clean(&leaf.field), leaf.operator, brief(&leaf.expected))
}

fn seen(leaf: &Leaf) -> String {
    leaf.actual.as_ref().map_or_else(|| "nothing".to_owned(), brief)
}

fn found(leaf: &LeafProof) -> String {
    let more = leaf.more + leaf.actual.len().saturating_sub(VALUES_MAX);
    let mut text = match leaf.actual.len() {
        0 => "nothing".to_owned(),
        _ => leaf.actual.iter().take(VALUES_MAX).map(brief).collect::<Vec<_>>().join(", "),
    };
    if more > 0 {
        // Writing to a text cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

/// The question of a field as a person says it: `numeric >= 1000`, `"a" or prefix "b"`.
pub(crate) fn said(expected: &Value) -> String {
    let text = match expected {
        Value::Array(alternatives) => {
            alternatives.iter().map(alternative).collect::<Vec<_>>().join(" or ")
        }
        other => alternative(other),
    };
    cut(&text)
}

fn alternative(written: &Value) -> String {
    let Value::Object(fields) = written else { return brief(written) };
    let part = |(operator, operand): (&String, &Value)| match (operator.as_str(), operand) {
        ("numeric", Value::Array(parts)) => {
            let part = |part: &Value| part.as_str().map_or_else(|| brief(part), clean);
            format!("numeric {}", parts.iter().map(part).collect::<Vec<_>>().join(" "))
        }
        ("exists", Value::Bool(true)) => "exists".to_owned(),
        ("exists", Value::Bool(false)) => "is absent".to_owned(),
        (operator, Value::Array(parts)) => {
            let parts: Vec<String> = parts.iter().map(alternative).collect();
            format!("{} [{}]", clean(operator), parts.join(", "))
        }
        (operator, operand @ Value::Object(_)) => {
            format!("{} {}", clean(operator), alternative(operand))
        }
        (operator, operand) => format!("{} {}", clean(operator), brief(operand)),
    };
    fields.iter().map(part).collect::<Vec<_>>().join(" and ")
}

/// A value as JSON, cut when it is long.
pub(crate) fn brief(value: &Value) -> String {
    cut(&clean(&value.to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(BRIEF_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Control characters made visible, and those that turn the direction of what follows.
fn clean(text: &str) -> String {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(bad) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if bad(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}
