//! What matching writes to. It must stay true that nothing of one event is seen by the next, although nothing is cleared:
//! a mark counts only with the number of its run.

use serde_json::Value;

use crate::{
    fuel,
    reader::{Context, Values},
};

/// Steps for all conditions of an event that no index can ask, so that many that ask too much still end.
const RESTS_FUEL: usize = 20 * fuel::FUEL;

/// What one thread needs to match; kept from event to event, so that nothing is allocated. It serves any matcher and any
/// index, one after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) values: Values,
    pub(crate) marks: Marks,
    pub(crate) work: Work,
}

/// Lists that are empty between two events.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Rules that hold.
    pub(crate) found: Vec<u32>,
    /// Rules of which some way to hold could not be decided.
    pub(crate) undecided: Vec<u32>,
    /// Pivots that fired and were not looked at yet.
    pub(crate) hits: Vec<u32>,
    /// Pivots that could not be asked to the end, and were not looked at yet.
    pub(crate) unsure: Vec<u32>,
    /// A text without regard to case.
    pub(crate) folded: Vec<u8>,
    pub(crate) anchors: super::anchored::Found,
    /// Which type patterns of a part the event is of.
    pub(crate) listens: Vec<bool>,
    pub(crate) document: Document,
    /// The steps that are left for conditions that no index can ask.
    pub(crate) rests_left: usize,
    /// Where the values lie that satisfy a leaf: parts of this for each.
    pub(crate) contexts: Vec<Context>,
    pub(crate) together: super::together::Tree,
}

/// The event as a whole, for JSONPath.
#[derive(Debug, Default)]
pub(crate) enum Document {
    /// Nobody has asked for it.
    #[default]
    Unread,
    /// It is no JSON.
    Broken,
    Read(Value),
}

/// Marks on pivots, leaves and rules of one part of an index.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    run: u32,
    fired: Vec<u32>,
    decided: Vec<u32>,
    nodes: Vec<u32>,
    rests: Vec<u32>,
    leaves: Vec<(u32, Verdict)>,
    /// For leaves, where in [`Work::contexts`] theirs are.
    held: Vec<(u32, u32, u32)>,
}

/// What is known of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    #[default]
    No,
    /// Some value satisfies it.
    Value,
    /// All values together do.
    Whole,
    Undecided,
}

/// How many marks a part of an index needs of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) pivots: usize,
    pub(crate) leaves: usize,
    pub(crate) rules: usize,
    /// Nodes of trees of ranges.
    pub(crate) nodes: usize,
    /// Filters with conditions that no index can ask.
    pub(crate) rests: usize,
}

impl Work {
    /// Forgets the last event.
    pub(crate) fn begin(&mut self) {
        self.begin_part();
        self.document = Document::Unread;
        self.rests_left = RESTS_FUEL;
    }

    /// Forgets what one part of an index said.
    pub(crate) fn begin_part(&mut self) {
        self.found.clear();
        self.undecided.clear();
        self.contexts.clear();
    }

    /// A pivot to look at, and whether its predicate is known to hold. Those come first, as they may spare the others.
    pub(crate) fn next_pivot(&mut self) -> Option<(u32, bool)> {
        let sure = self.hits.pop().map(|pivot| (pivot, true));
        sure.or_else(|| self.unsure.pop().map(|pivot| (pivot, false)))
    }

    /// Puts the rules in order, and leaves only those undecided that hold in no other way, and each once.
    pub(crate) fn settle(&mut self, marks: &Marks) {
        self.found.sort_unstable();
        if !self.undecided.is_empty() {
            self.undecided.retain(|rule| !marks.holds(*rule));
            self.undecided.sort_unstable();
            self.undecided.dedup();
        }
    }
}

impl Marks {
    /// Forgets all marks.
    pub(crate) fn begin(&mut self, sizes: Sizes) {
        self.run = self.run.checked_add(1).unwrap_or_else(|| {
            *self = Self::default();
            1
        });
        grow(&mut self.fired, sizes.pivots);
        grow(&mut self.decided, sizes.rules);
        grow(&mut self.nodes, sizes.nodes);
        grow(&mut self.rests, sizes.rests);
        grow(&mut self.leaves, sizes.leaves);
        grow(&mut self.held, sizes.leaves);
    }

    /// Whether a pivot fires for the first time.
    pub(crate) fn fires(&mut self, pivot: u32) -> bool {
        std::mem::replace(&mut self.fired[pivot as usize], self.run) != self.run
    }

    /// Whether a pivot has fired.
    pub(crate) fn has_fired(&self, pivot: u32) -> bool {
        self.fired[pivot as usize] == self.run
    }

    /// Whether the conditions at a place of [`Segment::rests`](super::Segment::rests) are asked for the first time.
    pub(crate) fn asks_rest(&mut self, place: usize) -> bool {
        std::mem::replace(&mut self.rests[place], self.run) != self.run
    }

    /// Whether a node of a tree of ranges is reached for the first time.
    pub(crate) fn reaches(&mut self, node: u32) -> bool {
        std::mem::replace(&mut self.nodes[node as usize], self.run) != self.run
    }

    /// Whether a rule holds already.
    pub(crate) fn holds(&self, rule: u32) -> bool {
        self.decided[rule as usize] == self.run
    }

    pub(crate) fn set_holds(&mut self, rule: u32) {
        self.decided[rule as usize] = self.run;
    }

    pub(crate) fn leaf(&self, leaf: u32) -> Option<Verdict> {
        let (run, verdict) = self.leaves[leaf as usize];
        (run == self.run).then_some(verdict)
    }

    pub(crate) fn set_leaf(&mut self, leaf: u32, verdict: Verdict) {
        self.leaves[leaf as usize] = (self.run, verdict);
    }

    /// Where the contexts of a leaf are, if they were looked up.
    pub(crate) fn held(&self, leaf: u32) -> Option<(u32, u32)> {
        let (run, start, end) = self.held[leaf as usize];
        (run == self.run).then_some((start, end))
    }

    pub(crate) fn set_held(&mut self, leaf: u32, start: u32, end: u32) {
        self.held[leaf as usize] = (self.run, start, end);
    }
}

fn grow<T: Clone + Default>(list: &mut Vec<T>, length: usize) {
    if list.len() < length {
        list.resize(length, T::default());
    }
}
