//! What is odd about a rule, and about rules together, without any event. It must stay true that a finding is certain: what
//! is not proved is not said, and what was not looked at for want of time is said to be so.

mod conditions;
mod covers;
mod filed;
mod follows;
mod implies;
mod leaf;
mod pattern;
mod schema;
mod set;
mod words;

use std::{cmp::Reverse, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    schema::lint_against,
    set::{Listed, SetFinding, SetLint, lint_set},
};
use crate::Filter;

/// Something about a filter that its author hardly wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which kind of thing it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// JSON Pointer to the part of the rule, which begins with `/pattern` or `/conditions`.
    pub pointer: String,
    /// What is odd and what would be right, in one sentence or two.
    pub message: String,
}

/// The kinds of findings. More may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// No event can satisfy this part.
    Unsatisfiable,
    /// Only a field with several values can satisfy this part.
    NeedsSeveralValues,
    /// Every event, or every value, satisfies this part.
    AlwaysTrue,
    /// The same is written twice.
    Duplicate,
    /// Another alternative holds whenever this one does.
    Covered,
    /// This part takes much of what one rule may take.
    Expensive,
    /// Another rule holds for exactly the same events.
    Equal,
    /// Another rule holds whenever this one does.
    Contained,
    /// Some events may satisfy both rules.
    Overlap,
    /// The schema has no such field.
    UnknownField,
    /// By the schema, the field never has such a value.
    ImpossibleValue,
}

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// The rule works, but probably not as it was meant.
    Warning,
    /// The rule, or what the pointer leads to, can never hold.
    Error,
}

impl Code {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsatisfiable => "unsatisfiable",
            Self::NeedsSeveralValues => "needs-several-values",
            Self::AlwaysTrue => "always-true",
            Self::Duplicate => "duplicate",
            Self::Covered => "covered",
            Self::Expensive => "expensive",
            Self::Equal => "equal",
            Self::Contained => "contained",
            Self::Overlap => "overlap",
            Self::UnknownField => "unknown-field",
            Self::ImpossibleValue => "impossible-value",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl Filter {
    /// What is odd about this filter by itself, worst first: parts that no event satisfies, parts that say nothing, parts
    /// that say the same, parts that cost much.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = pattern::lint(self);
        findings.extend(conditions::lint(&self.conditions));
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings
    }
}

/// A finding about a place in the pattern.
fn in_pattern(code: Code, severity: Severity, pointer: &str, message: String) -> Finding {
    Finding { code, severity, pointer: format!("/pattern{pointer}"), message }
}
