//! Why a filter holds for an event or does not, leaf by leaf. Written apart from the fast path, and held against it by
//! properties. It must stay true that a proof is small, however large the pattern and the event are.

mod ask;
mod hint;
pub(crate) mod near;
mod place;
mod text;
mod together;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::ask::Answer;
pub(crate) use self::{place::dotted, text::brief};
use crate::{
    Filter,
    conditions::Leaf as ConditionLeaf,
    filter::{Branch, Leaf},
    fuel::Fuel,
};

/// So many ways to satisfy a pattern are shown.
const BRANCHES_SHOWN_MAX: usize = 16;

/// The proof that a filter holds, or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether the filter holds.
    pub matched: bool,
    /// The ways to satisfy the pattern, the nearest to a match first, sixteen at most; none without a pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchProof>,
    /// How many further ways there are, none of them nearer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_branches: usize,
    /// What each condition saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionLeaf>,
}

/// One way to satisfy a pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchProof {
    /// Whether all of it holds.
    pub matched: bool,
    /// Which alternative of each `$or` this is, as JSON Pointers into the pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Every field, those that do not hold first.
    pub leaves: Vec<LeafProof>,
    /// Why the branch does not hold although each of its fields does: no one element of an array satisfies them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<String>,
}

/// What one field of a pattern asked, saw and said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeafProof {
    /// JSON Pointer into the pattern.
    pub pointer: String,
    /// The field, as names with dots.
    pub field: String,
    /// What is asked, as its author wrote it.
    pub expected: Value,
    /// The values that are there, as far as they are small and few; empty when the field is absent.
    pub actual: Vec<Value>,
    /// How many further values the field has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Whether the field holds.
    pub matched: bool,
    /// The place of the value that satisfies it, such as `payload.items[3].sku`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What its author may have overlooked, such as another spelling of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why it could not be decided, and therefore does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Filter {
    /// Says of every part of the filter what it saw and whether it holds. Asks all of them, so it is for people, and slower
    /// than an index by far.
    pub fn explain(&self, event: &Value) -> Proof {
        let conditions = self.conditions.explain(event);
        let (answers, mut verdicts) = self.judged(event);
        let holds = verdicts.is_empty() || verdicts.iter().any(|verdict| verdict.matched);
        let matched = holds && conditions.iter().all(|leaf| leaf.matched);
        verdicts.sort_by_key(|verdict| verdict.distance);
        let more_branches = verdicts.len().saturating_sub(BRANCHES_SHOWN_MAX);
        // Only these are written out: each repeats what all of them share.
        verdicts.truncate(BRANCHES_SHOWN_MAX);
        let written = serde_json::from_str(&self.written).unwrap_or(Value::Null);
        let proof = |verdict: &Verdict<'_>| verdict.proof(&answers, &written, event);
        let branches = verdicts.iter().map(proof).collect();
        Proof { matched, branches, more_branches, conditions }
    }

    fn judged<'a>(&'a self, event: &'a Value) -> (Answers<'a>, Vec<Verdict<'a>>) {
        let mut fuel = Fuel::new();
        let mut answers = Answers::new();
        let groups = self.branches.iter().flat_map(|branch| &branch.groups);
        for leaf in groups.flat_map(|group| &group.leaves) {
            // A field beside an `$or` is in many branches, but written and asked once.
            if !answers.contains_key(leaf.pointer.as_str()) {
                answers.insert(&leaf.pointer, Answer::of(leaf, event, &mut fuel));
            }
        }
        let judge = |branch| Verdict::of(branch, &answers, event, &mut fuel);
        let verdicts = self.branches.iter().map(judge).collect();
        (answers, verdicts)
    }
}

/// The answers of the leaves by themselves, by their place in the pattern.
type Answers<'a> = HashMap<&'a str, Answer<'a>>;

/// What is known of one branch.
struct Verdict<'a> {
    branch: &'a Branch,
    matched: bool,
    apart: Option<String>,
    /// For leaves that hold together: which value of each does.
    chosen: Vec<(&'a str, String)>,
    distance: Distance,
}

/// Orders branches: first fields that do not hold, each of them more than an array that keeps them apart; then those of
/// them that are not even there.
type Distance = (usize, usize);

impl<'a> Verdict<'a> {
    fn of(branch: &'a Branch, answers: &Answers<'a>, event: &'a Value, fuel: &mut Fuel) -> Self {
        let leaves = || branch.groups.iter().flat_map(|group| &group.leaves);
        let missed = leaves().map(|leaf| &answers[leaf.pointer.as_str()]).filter(|a| !a.matched());
        let (misses, absent) = missed.fold((0, 0), |(misses, absent), answer| {
            (misses + 1, absent + usize::from(answer.found.is_empty()))
        });
        let (mut apart, mut chosen) = (None, Vec::new());
        if misses == 0 {
            for group in &branch.groups {
                let satisfied = |leaf: &&Leaf| answers[leaf.pointer.as_str()].by_value();
                let leaves: Vec<&Leaf> = group.leaves.iter().filter(satisfied).collect();
                match together::choose(&leaves, event, fuel) {
                    Ok(places) => chosen.extend(places),
                    Err(why) => apart = apart.or(Some(why)),
                }
            }
        }
        let matched = misses == 0 && apart.is_none();
        let distance = (2 * misses + usize::from(apart.is_some()), absent);
        Self { branch, matched, apart, chosen, distance }
    }

    fn proof(&self, answers: &Answers<'_>, written: &Value, event: &Value) -> BranchProof {
        let leaves = self.branch.groups.iter().flat_map(|group| &group.leaves);
        let proof = |leaf: &Leaf| {
            let mut proof = answers[leaf.pointer.as_str()].proof(leaf, written, event);
            let chosen = self.chosen.iter().find(|(pointer, _)| *pointer == leaf.pointer);
            if let Some((_, place)) = chosen {
                proof.at = Some(place.clone());
            }
            proof
        };
        let mut leaves: Vec<LeafProof> = leaves.map(proof).collect();
        leaves.sort_by_key(|leaf| leaf.matched);
        let (choices, apart) = (self.branch.choices.clone(), self.apart.clone());
        BranchProof { matched: self.matched, choices, leaves, apart }
    }
}
