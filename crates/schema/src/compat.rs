//! What a change of a schema breaks, and for whom.
//!
//! It must stay true that "compatible" is only said when it is proved, and that a counter-example was tried: it fits one
//! version and not the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Schema;

/// Which changes of a type are let through.
///
/// "The new reads the old" means: what was valid before is valid now, so history can be replayed. "The old reads the
/// new" means: what is valid now was valid before, so whoever still knows the old version is not surprised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// All.
    None,
    /// Those after which the new version reads the one before.
    Backward,
    /// Those after which the version before reads the new one.
    Forward,
    /// Those that are both.
    #[default]
    Full,
    /// As `BACKWARD`, with every earlier version.
    BackwardTransitive,
    /// As `FORWARD`, with every earlier version.
    ForwardTransitive,
    /// As `FULL`, with every earlier version.
    FullTransitive,
}

/// How two versions are held against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Writers send only what their version declares, readers pass over what theirs does not: adding an optional
    /// property breaks nothing.
    #[default]
    Lenient,
    /// As JSON Schema says, word by word: an object that is not closed may hold any other property already.
    Exact,
}

/// Who is surprised by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The new version does not read what the old one wrote.
    Backward,
    /// The old version does not read what the new one writes.
    Forward,
}

/// One thing that a change breaks.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Who is surprised.
    pub direction: Direction,
    /// JSON Pointer (RFC 6901) into the schema where it can be seen; into the new one, or the old one where the new one
    /// has it no more.
    pub path: String,
    /// The rule by name, as in `required.added`.
    pub rule: String,
    /// What changed, in one sentence.
    pub message: String,
    /// A payload that fits the version that wrote it and not the version that reads it. Missing only where none could be
    /// found, and then the message says that compatibility could not be proved.
    pub counter_example: Option<Value>,
}

/// What a change does, in both directions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Everything that breaks; none means proved compatible in both directions.
    pub findings: Vec<Finding>,
}

impl Compatibility {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::Forward => "FORWARD",
            Self::Full => "FULL",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Reads the word.
    pub fn from_name(word: &str) -> Option<Self> {
        let all = [
            Self::None,
            Self::Backward,
            Self::Forward,
            Self::Full,
            Self::BackwardTransitive,
            Self::ForwardTransitive,
            Self::FullTransitive,
        ];
        all.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Whether what surprises in this direction is refused.
    pub fn refuses(self, direction: Direction) -> bool {
        match direction {
            Direction::Backward => matches!(
                self,
                Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive
            ),
            Direction::Forward => matches!(
                self,
                Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive
            ),
        }
    }

    /// Whether every earlier version counts, and not only the newest.
    pub fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }
}

impl Policy {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lenient => "lenient",
            Self::Exact => "exact",
        }
    }

    /// Reads the word.
    pub fn from_name(word: &str) -> Option<Self> {
        [Self::Lenient, Self::Exact].into_iter().find(|policy| policy.as_str() == word)
    }
}

impl Comparison {
    /// Whether nothing that the mode refuses was found.
    pub fn passes(&self, mode: Compatibility) -> bool {
        !self.findings.iter().any(|finding| mode.refuses(finding.direction))
    }
}

/// Holds a new version of a schema against an old one, in both directions.
pub fn compare(old: &Schema, new: &Schema, policy: Policy) -> Comparison {
    let _ = policy;
    let unproved = |direction| Finding {
        direction,
        path: String::new(),
        rule: "unproved".to_owned(),
        message: "compatibility could not be proved".to_owned(),
        counter_example: None,
    };
    let findings = if old.value() == new.value() {
        Vec::new()
    } else {
        [Direction::Backward, Direction::Forward].map(unproved).into()
    };
    Comparison { findings }
}
