//! Asks single leaves about an event. It must stay true that a leaf is asked once an event, however many rules have it.

use std::cmp::Ordering;

use super::{
    run::{Run, share},
    scratch::Verdict,
    segment::{Kind, LAST, Leaf, Segment},
};
use crate::{
    conditions::question::Seen,
    filter::Whole,
    fuel::{Exhausted, Fuel},
    predicate::{Literal, Predicate, Scalar, number::Number},
    reader::ROOT,
};

/// With more alternatives they are searched.
const FEW: usize = 8;

impl Run<'_> {
    pub(super) fn leaf(&mut self, number: u32) -> Verdict {
        if let Some(verdict) = self.marks.leaf(number) {
            return verdict;
        }
        let mut fuel = Fuel::of(self.left);
        let asked = share(&mut fuel, |own| self.ask(number, own));
        let verdict = asked.unwrap_or(Verdict::Undecided);
        self.left = fuel.left();
        self.marks.set_leaf(number, verdict);
        verdict
    }

    fn ask(&self, number: u32, fuel: &mut Fuel) -> Result<Verdict, Exhausted> {
        let leaf = self.segment.leaves[number as usize];
        match leaf.kind {
            Kind::Any => {}
            Kind::Whole(whole) => {
                for whole in &self.segment.wholes[whole as usize] {
                    if self.whole(leaf, whole, fuel)? {
                        return Ok(Verdict::Whole);
                    }
                }
            }
            Kind::Question(question) => {
                let question = &self.segment.questions[question as usize].question;
                let holds = question.holds_for(self.seen(leaf), fuel)?;
                return Ok(if holds { Verdict::Whole } else { Verdict::No });
            }
        }
        for slot in self.values.of(leaf.field) {
            if self.any(leaf, self.values.scalar(self.event, slot), fuel)? {
                return Ok(Verdict::Value);
            }
        }
        Ok(Verdict::No)
    }

    fn whole(&self, leaf: Leaf, whole: &Whole, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        let some = |predicate: &Predicate, fuel: &mut Fuel| {
            for slot in self.values.of(leaf.field) {
                if predicate.holds(self.values.scalar(self.event, slot), fuel)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        match whole {
            Whole::Absent => return Ok(self.values.of(leaf.field).next().is_none()),
            Whole::NoneOf(list) => {
                for predicate in list {
                    if some(predicate, fuel)? {
                        return Ok(false);
                    }
                }
            }
            Whole::AllOf(list) => {
                for predicate in list {
                    if !some(predicate, fuel)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// What a condition sees: a path leads to one value, unless there is an array on the way or at the end.
    fn seen(&self, leaf: Leaf) -> Seen<'_> {
        let first = self.values.of(leaf.field).next().filter(|slot| slot.context == ROOT);
        match (first, self.values.container(self.event, leaf.field)) {
            (Some(slot), _) => Seen::Scalar(self.values.scalar(self.event, slot)),
            (None, Some(json)) => Seen::Container(json),
            (None, None) => Seen::Absent,
        }
    }

    /// Whether a value satisfies one of the alternatives.
    fn any(&self, leaf: Leaf, value: Scalar<'_>, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        let segment = self.segment;
        let mut list = segment.alternatives(leaf);
        if list.len() > FEW {
            fuel.spend(1)?;
            let (found, others) = search(segment, list, value);
            if found {
                return Ok(true);
            }
            list = others;
        }
        for predicate in list {
            if segment.predicates[*predicate as usize].holds(value, fuel)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether values of the leaves of each group can be chosen that lie in the same elements of arrays.
    pub(super) fn together(&mut self, members: &[u32]) -> Option<bool> {
        for group in members.split_inclusive(|member| member & LAST != 0) {
            if group.len() > 1 && !self.group(group)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn group(&mut self, group: &[u32]) -> Option<bool> {
        let mut leaves = 0;
        for member in group {
            let number = member & !LAST;
            let leaf = self.segment.leaves[number as usize];
            let is_in_array = self.values.of(leaf.field).next().is_some_and(|s| s.context != ROOT);
            // A leaf that a pivot has proven may still hold for all values together.
            if is_in_array && self.leaf(number) == Verdict::Value {
                leaves += 1;
            }
        }
        if leaves < 2 {
            return Some(true);
        }
        let mut tree = std::mem::take(&mut self.work.together);
        tree.begin(group.len());
        let holds = self.fill(&mut tree, group).map(|leaves| tree.holds(self.values, leaves));
        self.work.together = tree;
        holds
    }

    /// Takes in where the leaves of a group are satisfied; says how many there are.
    fn fill(&mut self, tree: &mut super::together::Tree, group: &[u32]) -> Option<usize> {
        let mut leaves = 0;
        for member in group {
            let number = member & !LAST;
            match self.leaf(number) {
                Verdict::Value => {}
                Verdict::Whole => continue,
                Verdict::No => return Some(usize::MAX),
                Verdict::Undecided => return None,
            }
            let (start, end) = self.contexts(number)?;
            let contexts = &self.work.contexts[start as usize..end as usize];
            self.left = self.left.checked_sub(contexts.len() * 4)?;
            for context in contexts {
                tree.add(self.values, leaves, *context);
            }
            leaves += 1;
        }
        Some(leaves)
    }

    /// The contexts of the values that satisfy a leaf.
    fn contexts(&mut self, number: u32) -> Option<(u32, u32)> {
        if let Some(found) = self.marks.held(number) {
            return Some(found);
        }
        let leaf = self.segment.leaves[number as usize];
        let start = self.work.contexts.len() as u32;
        let mut fuel = Fuel::of(self.left);
        for slot in self.values.of(leaf.field) {
            if self.any(leaf, self.values.scalar(self.event, slot), &mut fuel).ok()? {
                self.work.contexts.push(slot.context);
            }
        }
        self.left = fuel.left();
        let end = self.work.contexts.len() as u32;
        self.marks.set_held(number, start, end);
        Some((start, end))
    }
}

/// Whether one of the sorted alternatives is the value, and those that are not sorted.
fn search<'a>(segment: &Segment, list: &'a [u32], value: Scalar<'_>) -> (bool, &'a [u32]) {
    let literal = |place: &u32| match &segment.predicates[*place as usize] {
        Predicate::Equals(literal @ (Literal::Text(_) | Literal::Number(_))) => Some(literal),
        _ => None,
    };
    let sorted = list.partition_point(|place| literal(place).is_some());
    let (sorted, others) = list.split_at(sorted);
    let texts = sorted.partition_point(|place| matches!(literal(place), Some(Literal::Text(_))));
    let (texts, numbers) = sorted.split_at(texts);
    let found = match value {
        Scalar::Text(text) => texts.binary_search_by(|place| match literal(place) {
            Some(Literal::Text(own)) => own.as_bytes().cmp(text),
            _ => Ordering::Greater,
        }),
        Scalar::Number(number) => match Number::parse(number) {
            Some(number) => numbers.binary_search_by(|place| match literal(place) {
                Some(Literal::Number(own)) => own.cmp(&number),
                _ => Ordering::Greater,
            }),
            None => Err(0),
        },
        Scalar::Null | Scalar::Bool(_) => Err(0),
    };
    (found.is_ok(), others)
}
