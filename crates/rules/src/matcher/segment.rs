//! Many filters in one immutable index. It must stay true that everything here is in flat lists of numbers: a rule costs
//! some hundred bytes, and an event touches only what it fires.

use std::sync::Arc;

use super::{field::FieldIndex, scratch::Sizes};
use crate::{
    conditions::Compiled,
    filter::{Filter, Whole},
    predicate::Predicate,
    reader::FieldId,
};

/// Filters by number, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// Each predicate once.
    pub(crate) predicates: Box<[Predicate]>,
    /// Each leaf once.
    pub(crate) leaves: Box<[Leaf]>,
    /// The predicates of leaves, as parts of this.
    pub(crate) alternatives: Box<[u32]>,
    pub(crate) wholes: Box<[Box<[Whole]>]>,
    pub(crate) questions: Box<[Arc<Compiled>]>,
    /// Ascending by rule.
    pub(crate) conjunctions: Box<[Conjunction]>,
    /// The leaves of conjunctions, as parts of this: the last leaf of each group is marked with [`LAST`].
    pub(crate) members: Box<[u32]>,
    /// By the number of the field; none without a pivot.
    pub(crate) fields: Box<[Option<Box<FieldIndex>>]>,
    /// The conjunctions that each pivot makes candidates, as parts of `filed`: where its part ends.
    pub(crate) ends: Box<[u32]>,
    /// Numbers of conjunctions, doubled; odd when the pivot proves the first leaf of the conjunction.
    pub(crate) filed: Box<[u32]>,
    /// Conjunctions without a leaf that could be a pivot.
    pub(crate) always: Box<[u32]>,
    /// Filters with conditions that no index can ask, by rule, ascending.
    pub(crate) rests: Box<[(u32, Arc<Filter>)]>,
    pub(crate) sizes: Sizes,
}

/// Marks the last leaf of a group.
pub(crate) const LAST: u32 = 1 << 31;

/// One way to satisfy a filter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conjunction {
    pub(crate) rule: u32,
    /// Where its leaves begin; they end where those of the next begin.
    pub(crate) start: u32,
    /// Whether leaves of one group may lie in one array.
    pub(crate) shares: bool,
}

/// What one field has to satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    pub(crate) field: FieldId,
    pub(crate) kind: Kind,
    /// Alternatives for one value: equal texts first, then equal numbers, both sorted, then others.
    pub(crate) start: u32,
    pub(crate) end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Some value satisfies one of the alternatives.
    Any,
    /// Or all values together one of these.
    Whole(u32),
    /// A condition.
    Question(u32),
}

impl Segment {
    /// The leaves of a conjunction, marked.
    pub(crate) fn members(&self, conjunction: u32) -> &[u32] {
        let next = self.conjunctions.get(conjunction as usize + 1);
        let end = next.map_or(self.members.len(), |next| next.start as usize);
        &self.members[self.conjunctions[conjunction as usize].start as usize..end]
    }

    pub(crate) fn alternatives(&self, leaf: Leaf) -> &[u32] {
        &self.alternatives[leaf.start as usize..leaf.end as usize]
    }

    /// What a pivot makes candidates.
    pub(crate) fn filed(&self, pivot: u32) -> &[u32] {
        let start = (pivot as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.filed[start as usize..self.ends[pivot as usize] as usize]
    }

    /// The conditions of a rule that no index can ask.
    pub(crate) fn rest(&self, rule: u32) -> Option<&Arc<Filter>> {
        Some(&self.rests[self.rest_place(rule)?].1)
    }

    /// Where those conditions are in `rests`.
    pub(crate) fn rest_place(&self, rule: u32) -> Option<usize> {
        self.rests.binary_search_by_key(&rule, |(rule, _)| *rule).ok()
    }

    /// How many filters there are.
    pub(crate) fn len(&self) -> usize {
        self.sizes.rules
    }
}
