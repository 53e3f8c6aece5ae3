//! Rules beside each other: the same twice, and those that hold only when another does. It must stay true that the work
//! grows with what the rules have in common, not with the square of their number, and ends in any case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Code, Severity,
    filed::{Filed, leaves},
    follows::{self, Steps},
    implies::disjoint,
};
use crate::{Filter, filter::Branch, type_pattern};

/// Comparisons in one set, each some ten nanoseconds to a microsecond.
const STEPS: usize = 10_000_000;

/// Findings of one set: whoever has more repairs these first.
const FINDINGS_MAX: usize = 1_000;

/// So many rules are named that one rule is contained in.
const PER_RULE_MAX: usize = 3;

/// A rule as it stands in a set.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// What people call it.
    pub name: &'a str,
    /// The event types that it listens to: one, or a pattern such as `order.*`.
    pub type_pattern: &'a str,
    /// What else must hold.
    pub filter: &'a Filter,
}

/// What two rules have to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetFinding {
    /// [`Code::Equal`], [`Code::Contained`] or [`Code::Overlap`].
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The place of the rule in the list.
    pub rule: usize,
    /// The place of the other rule.
    pub other: usize,
    /// The finding in a sentence.
    pub message: String,
}

/// The findings of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetLint {
    /// By the place of the rule; a thousand at most.
    pub findings: Vec<SetFinding>,
    /// Whether everything was compared. Otherwise there may be more findings than these.
    pub complete: bool,
}

/// Finds rules of one organisation that hold for exactly the events of another rule, or for some of them only; with
/// `overlaps`, also those that may both hold for one event with single values.
pub fn lint_set(rules: &[Listed<'_>], overlaps: bool) -> SetLint {
    let mut work = Work {
        rules,
        filed: Filed::of(rules),
        steps: Steps(STEPS),
        lint: SetLint { findings: Vec::new(), complete: true },
    };
    for rule in 0..rules.len() {
        work.compare(rule, overlaps);
        if work.lint.findings.len() >= FINDINGS_MAX || work.steps.0 == 0 {
            work.lint.complete = false;
            break;
        }
    }
    work.lint
}

struct Work<'a> {
    rules: &'a [Listed<'a>],
    filed: Filed<'a>,
    steps: Steps,
    lint: SetLint,
}

impl Work<'_> {
    fn compare(&mut self, rule: usize, overlaps: bool) {
        let mut found = 0;
        for other in self.filed.candidates(&self.rules[rule]) {
            if other == rule || !self.steps.take(1) {
                continue;
            }
            if !self.follows(rule, other) {
                continue;
            }
            let equal = self.follows(other, rule);
            // Said once, of the later rule.
            if equal && rule < other {
                continue;
            }
            found += 1;
            self.say(if equal { Code::Equal } else { Code::Contained }, rule, other);
            if equal || found == PER_RULE_MAX {
                return;
            }
        }
        if overlaps && found == 0 {
            self.overlaps(rule);
        }
    }

    fn follows(&mut self, rule: usize, other: usize) -> bool {
        let (one, two) = (&self.rules[rule], &self.rules[other]);
        covers(two.type_pattern, one.type_pattern)
            && follows::filter(one.filter, two.filter, &mut self.steps)
    }

    fn overlaps(&mut self, rule: usize) {
        let mut found = 0;
        for other in 0..rule {
            if found == PER_RULE_MAX || !self.steps.take(1) {
                return;
            }
            let (one, two) = (&self.rules[rule], &self.rules[other]);
            if meet(one.type_pattern, two.type_pattern)
                && may_meet(one.filter, two.filter, &mut self.steps)
                && !self.follows(other, rule)
            {
                self.say(Code::Overlap, rule, other);
                found += 1;
            }
        }
    }

    fn say(&mut self, code: Code, rule: usize, other: usize) {
        let (name, by) = (self.rules[rule].name, self.rules[other].name);
        let (severity, message) = match code {
            Code::Equal => {
                (Severity::Warning, format!("`{name}` holds for exactly the events of `{by}`"))
            }
            Code::Overlap => {
                (Severity::Note, format!("`{name}` and `{by}` may hold for the same event"))
            }
            _ => (
                Severity::Warning,
                format!(
                    "whenever `{name}` holds, `{by}` holds too: it adds nothing of its own, or `{by}` is too wide"
                ),
            ),
        };
        self.lint.findings.push(SetFinding { code, severity, rule, other, message });
    }
}

/// Whether every type of the inner pattern is one of the outer.
fn covers(outer: &str, inner: &str) -> bool {
    let mut inner = inner.split('.');
    for part in outer.split('.') {
        match (part, inner.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    inner.next().is_none()
}

/// Whether some type is one of both patterns.
fn meet(one: &str, other: &str) -> bool {
    if type_pattern::is_exact(one) {
        return type_pattern::matches(other, one);
    }
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Whether an event with single values may satisfy both.
fn may_meet(one: &Filter, other: &Filter, steps: &mut Steps) -> bool {
    let none = [Branch { groups: Vec::new(), choices: Vec::new() }];
    let one = if one.branches.is_empty() { &none[..] } else { &one.branches };
    let other = if other.branches.is_empty() { &none[..] } else { &other.branches };
    one.iter().any(|one| other.iter().any(|other| branches_may_meet(one, other, steps)))
}

fn branches_may_meet(one: &Branch, other: &Branch, steps: &mut Steps) -> bool {
    leaves(one).all(|one| {
        leaves(other).filter(|other| other.path == one.path).all(|other| {
            steps.take(one.any.len() * other.any.len())
                && (!one.whole.is_empty()
                    || !other.whole.is_empty()
                    || one.any.iter().any(|a| other.any.iter().any(|b| !disjoint(a, b))))
        })
    })
}
