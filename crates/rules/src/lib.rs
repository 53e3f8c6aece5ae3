#![doc = include_str!("../README.md")]

mod conditions;
mod exact;
mod explain;
mod filter;
mod fuel;
mod hash;
mod index;
mod limits;
mod lint;
mod matcher;
mod pattern;
mod predicate;
mod problem;
mod reader;
mod regular;
mod type_pattern;

pub use conditions::{
    CONDITIONS_MAX, Conditions, Leaf,
    condition::{Condition, Operator},
    field::{FIELD_LENGTH_MAX, FIELD_NESTING_MAX},
    reads::{Step, reads},
};
pub use explain::{BranchProof, LeafProof, Proof};
pub use filter::Filter;
pub use index::{Matches, Refused, Rule, RuleIndex, Rules};
pub use limits::{
    BRANCHES_MAX, Cost, PATTERN_LENGTH_MAX, PATTERN_NESTING_MAX, VALUES_MAX, VERIFY_STEPS_MAX,
    WILDCARD_STARS_MAX,
};
pub use lint::{Code, Finding, Listed, SetFinding, SetLint, Severity, lint_against, lint_set};
pub use matcher::{Matched, Matcher, Scratch};
pub use pattern::Pattern;
pub use problem::Problem;
pub use reader::Unreadable;
pub use regular::{REGEX_LENGTH_MAX, REGEXES_LENGTH_MAX};
