//! Rules by what whatever they follow from has to ask, so that not every rule is compared with every other. It must stay
//! true that a rule is among the candidates of each rule that it follows from.

use std::collections::HashMap;

use super::set::Listed;
use crate::{
    filter::{Branch, Group, Leaf, Path},
    predicate::{Literal, Predicate},
};

/// Rules by a field that has to be asked by whatever they follow from.
pub(super) struct Filed<'a> {
    /// By path and value, where a branch takes nothing but some values of the field.
    by_value: HashMap<(&'a Path, &'a Literal), Vec<usize>>,
    by_path: HashMap<&'a Path, Vec<usize>>,
    /// Those without a pattern.
    always: Vec<usize>,
}

/// How often a field is asked, and how often for a value.
#[derive(Default)]
struct Uses<'a> {
    of_path: HashMap<&'a Path, usize>,
    of_value: HashMap<(&'a Path, &'a Literal), usize>,
}

impl<'a> Uses<'a> {
    fn of(rules: &[Listed<'a>]) -> Self {
        let mut uses = Self::default();
        for leaf in rules.iter().flat_map(|rule| &rule.filter.branches).flat_map(leaves) {
            *uses.of_path.entry(&leaf.path).or_default() += 1;
            for value in values(leaf).into_iter().flatten() {
                *uses.of_value.entry((&leaf.path, value)).or_default() += 1;
            }
        }
        uses
    }

    /// How many rules stand where one with this field would be filed, at worst.
    fn beside(&self, leaf: &'a Leaf) -> usize {
        let of_path = self.of_path.get(&leaf.path).copied().unwrap_or_default();
        values(leaf).map_or(of_path, |values| {
            let counts = values.iter().filter_map(|value| self.of_value.get(&(&leaf.path, *value)));
            counts.copied().max().unwrap_or_default()
        })
    }
}

impl<'a> Filed<'a> {
    pub(super) fn of(rules: &[Listed<'a>]) -> Self {
        let uses = Uses::of(rules);
        let mut filed =
            Self { by_value: HashMap::new(), by_path: HashMap::new(), always: Vec::new() };
        for (place, rule) in rules.iter().enumerate() {
            if rule.filter.branches.is_empty() {
                filed.always.push(place);
            }
            for branch in &rule.filter.branches {
                filed.file(place, branch, &uses);
            }
        }
        filed
    }

    /// Under the field with the fewest others beside it.
    fn file(&mut self, place: usize, branch: &'a Branch, uses: &Uses<'a>) {
        let Some(leaf) = leaves(branch).min_by_key(|leaf| uses.beside(leaf)) else { return };
        match values(leaf) {
            Some(values) => {
                for value in values {
                    add(self.by_value.entry((&leaf.path, value)).or_default(), place);
                }
            }
            None => add(self.by_path.entry(&leaf.path).or_default(), place),
        }
    }

    /// Rules that may follow from this one, best first by their place.
    pub(super) fn candidates(&self, rule: &Listed<'a>) -> Vec<usize> {
        let mut found: Vec<usize> = self.always.clone();
        // Each branch has to lead to one of the other rule; the first is as good as any.
        if let Some(branch) = rule.filter.branches.first() {
            for leaf in leaves(branch) {
                found.extend(self.by_path.get(&leaf.path).into_iter().flatten());
                if let Some(value) = values(leaf).into_iter().flatten().next() {
                    found.extend(self.by_value.get(&(&leaf.path, value)).into_iter().flatten());
                } else {
                    // What asks for one value at once with more is filed there, too.
                    let parts = leaf.any.iter().flat_map(literals);
                    for value in parts {
                        found.extend(self.by_value.get(&(&leaf.path, value)).into_iter().flatten());
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn add(places: &mut Vec<usize>, place: usize) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}

/// The fields of a branch.
pub(super) fn leaves(branch: &Branch) -> impl Iterator<Item = &Leaf> {
    branch.groups.iter().flat_map(|Group { leaves }| leaves)
}

/// The values of which a field must have one, if that is all that it asks.
fn values(leaf: &Leaf) -> Option<Vec<&Literal>> {
    if !leaf.whole.is_empty() {
        return None;
    }
    let values = leaf.any.iter().map(|one| match one {
        Predicate::Equals(literal) => Some(literal),
        _ => None,
    });
    values.collect()
}

/// The values that a question can be satisfied by only.
fn literals(predicate: &Predicate) -> Vec<&Literal> {
    match predicate {
        Predicate::Equals(literal) => vec![literal],
        Predicate::Every(all) => all.iter().flat_map(literals).collect(),
        _ => Vec::new(),
    }
}
