//! Ways to satisfy a pattern while it is compiled, multiplied out. It must stay true that the pattern was measured before:
//! several `$or` make as many ways as the product of their alternatives.

use std::collections::HashMap;

use super::Problems;
use crate::filter::{Branch, Group, Leaf};

/// One way to satisfy the part of a pattern that was compiled so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    /// The fields of the pattern itself.
    pub(super) leaves: Vec<Leaf>,
    /// The fields of the members of each `$and`.
    pub(super) groups: Vec<Group>,
    pub(super) choices: Vec<String>,
}

impl Way {
    /// Both at once.
    fn and(&self, other: &Self) -> Self {
        Self {
            leaves: [&self.leaves[..], &other.leaves].concat(),
            groups: [&self.groups[..], &other.groups].concat(),
            choices: [&self.choices[..], &other.choices].concat(),
        }
    }

    /// The same with the fields as a group of their own.
    pub(super) fn apart(mut self) -> Self {
        if !self.leaves.is_empty() {
            self.groups.insert(0, Group { leaves: std::mem::take(&mut self.leaves) });
        }
        self
    }

    pub(super) fn into_branch(self) -> Branch {
        let Self { groups, choices, .. } = self.apart();
        Branch { groups, choices }
    }
}

/// Every pair of a way of one part with a way of another.
pub(super) fn product(one: Vec<Way>, other: &[Way]) -> Vec<Way> {
    match other {
        [other] if one.len() == 1 => one.iter().map(|way| way.and(other)).collect(),
        _ => one.iter().flat_map(|way| other.iter().map(|other| way.and(other))).collect(),
    }
}

/// Notes where a group asks one field twice: no value was meant to satisfy both, or the author wants two groups.
pub(super) fn check_paths(branches: &[Branch], problems: &mut Problems) {
    let mut told: Vec<(&str, &str)> = Vec::new();
    for group in branches.iter().flat_map(|branch| &branch.groups) {
        let mut seen: HashMap<&[Box<str>], &str> = HashMap::new();
        for leaf in &group.leaves {
            let Some(before) = seen.insert(&leaf.path, &leaf.pointer) else { continue };
            if told.contains(&(before, &leaf.pointer)) {
                continue;
            }
            told.push((before, &leaf.pointer));
            let field = leaf.path.join(".");
            problems.add::<()>(
                &leaf.pointer,
                format!(
                    "the field `{field}` is asked at {before}, too: to ask it twice, put both into `$and`: [{{…}}, {{…}}]"
                ),
            );
        }
    }
}
