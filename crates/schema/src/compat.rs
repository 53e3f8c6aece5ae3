//! What a change of a schema breaks, and for whom.
//!
//! It must stay true that "compatible" is only said when it is proved, and that a counter-example was tried: it fits one
//! version and not the other.

mod document;
mod instance;
mod joined;
mod keywords;
mod pattern;
mod policy;
mod rules;
mod scalars;
mod sets;
mod shape;
mod walk;
mod weight;
mod witness;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Schema;
use document::Document;
use sets::{Answer, Fuel, Set};
use walk::Walked;
use witness::{Judge, Search, Shown};

/// Most findings of one direction; a schema that breaks more often is another schema.
const FINDINGS_MAX: usize = 50;
/// Most findings without an example.
const UNSHOWN_MAX: usize = 10;
/// What is said where no example was found.
const UNSHOWN: &str = " No example was found, so compatibility could not be proved: if the change is known to be safe, \
                       write it so that less changes there, or let this version through with mode NONE.";

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
///
/// Bounded: what takes too long to prove is answered with a finding whose rule is `unproved`.
pub fn compare(old: &Schema, new: &Schema, policy: Policy) -> Comparison {
    let forms = (Document::of(old), Document::of(new));
    let (Some(old_form), Some(new_form)) = forms else {
        let findings = if old.value() == new.value() {
            Vec::new()
        } else {
            let why = "it uses a draft, an inner $id, or a keyword that cannot be compared; write it in 2020-12 with \
                       references to $defs";
            [Direction::Backward, Direction::Forward]
                .map(|direction| unproved(direction, why))
                .into()
        };
        return Comparison { findings };
    };
    // What differs in remarks only is the same schema.
    if old_form.value == new_form.value {
        return Comparison::default();
    }
    let old = Side { schema: old, form: &old_form };
    let new = Side { schema: new, form: &new_form };
    let mut findings = broken(&old, &new, policy, Direction::Backward);
    findings.extend(broken(&new, &old, policy, Direction::Forward));
    Comparison { findings }
}

/// One of the two versions.
struct Side<'a> {
    schema: &'a Schema,
    form: &'a Document,
}

/// What the reader does not read of what the writer sends; nothing only where that is proved.
///
/// Examples are looked for first: one that was tried settles the question, and proving that large schemas do not cover
/// each other takes far longer than proving that they do.
fn broken(
    writer: &Side<'_>,
    reader: &Side<'_>,
    policy: Policy,
    direction: Direction,
) -> Vec<Finding> {
    let writes = policy::writes(&writer.form.value, policy);
    let reads = policy::reads(&reader.form.value, policy);
    let fuel = Fuel::new();
    let Walked { proposals, complete } = walk::walk(&writes, &reads, direction);
    if proposals.is_empty() && (is_covered(&writes, &reads, reader, &fuel) || complete) {
        return Vec::new();
    }
    let Some(judge) =
        Judge::new(writer.schema.validator(), reader.schema.validator(), &writes, &reads)
    else {
        return vec![unproved(
            direction,
            "its patterns are too large to be compared; make them smaller",
        )];
    };
    let mut search = Search::new(judge, &writes, &reads, &fuel);
    let mut findings: Vec<Finding> = Vec::new();
    let mut unshown = Vec::new();
    for proposal in &proposals {
        if findings.len() >= FINDINGS_MAX {
            break;
        }
        let (newer, older) = match direction {
            Direction::Backward => (reader.form, writer.form),
            Direction::Forward => (writer.form, reader.form),
        };
        let form = if proposal.in_new { newer } else { older };
        let mut finding = Finding {
            direction,
            path: form.written_pointer(&proposal.pointer),
            rule: proposal.rule.clone(),
            message: proposal.message.clone(),
            counter_example: None,
        };
        if findings.iter().any(|known| known.path == finding.path && known.rule == finding.rule) {
            continue;
        }
        match search.example(proposal) {
            Shown::By(document) => {
                finding.counter_example = Some(document);
                findings.push(finding);
            }
            Shown::Nothing => {}
            Shown::Not { proved } => {
                if !proved {
                    "unproved".clone_into(&mut finding.rule);
                }
                finding.message.push_str(UNSHOWN);
                unshown.push(finding);
            }
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let proved = complete && unshown.is_empty();
    if !proposals.is_empty() && (is_covered(&writes, &reads, reader, &fuel) || proved) {
        return Vec::new();
    }
    if let Some(document) = search.any() {
        return vec![changed(direction, document)];
    }
    // Those that are known to break tell more than those of which nothing is known.
    unshown.sort_by_key(|finding| finding.rule == "unproved");
    unshown.truncate(UNSHOWN_MAX);
    if unshown.is_empty() {
        let why = "neither a proof nor an example was found; simplify what changed (branches, conditions, patterns), or \
                   let this version through with mode NONE if the change is known to be safe";
        unshown.push(unproved(direction, why));
    }
    unshown
}

/// Whether it is proved that the reader reads all that the writer sends.
fn is_covered(writes: &Value, reads: &Value, reader: &Side<'_>, fuel: &Fuel) -> bool {
    let written = Set::of(writes, fuel);
    let covered = |outer: &Value| match (Set::of(outer, fuel), &written) {
        (Some(outer), Some(written)) => outer.covers(written) == Answer::Yes,
        _ => false,
    };
    // Reading more generously can refuse more, where branches exclude each other; what the schema reads as it is
    // written, the reader reads.
    covered(reads) || *reads != reader.form.value && covered(&reader.form.value)
}

fn changed(direction: Direction, document: Value) -> Finding {
    Finding {
        direction,
        path: String::new(),
        rule: "changed".to_owned(),
        message: format!(
            "The document as a whole: {} The example shows it.",
            rules::consequence(direction)
        ),
        counter_example: Some(document),
    }
}

fn unproved(direction: Direction, why: &str) -> Finding {
    let what = match direction {
        Direction::Backward => "that the new version reads what the old one wrote",
        Direction::Forward => "that the old version reads what the new one writes",
    };
    Finding {
        direction,
        path: String::new(),
        rule: "unproved".to_owned(),
        message: format!("Compatibility could not be proved, {what}: {why}."),
        counter_example: None,
    }
}
