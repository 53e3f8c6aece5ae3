//! Makes an index of filters. It must stay true that the order in which filters are added is their number, and that a
//! filter taken from an older index means the same as when it was new.

use std::sync::Arc;

use super::{
    fields::Fields,
    intern::Interned,
    pivots,
    segment::{Conjunction, Kind, LAST, Segment},
};
use crate::{
    filter::{Branch, Filter, Group},
    reader::FieldId,
};

/// An index that is being built.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    fields: &'a mut Arc<Fields>,
    interned: Interned,
    conjunctions: Vec<Conjunction>,
    members: Vec<u32>,
    rests: Vec<(u32, Arc<Filter>)>,
    rules: u32,
}

/// Where filters of an older index come from.
#[derive(Debug)]
pub(crate) struct Older<'a> {
    segment: &'a Segment,
    fields: &'a Fields,
    /// The new numbers of its leaves, as far as they were met.
    leaves: Vec<Option<u32>>,
}

impl<'a> Older<'a> {
    pub(crate) fn new(segment: &'a Segment, fields: &'a Fields) -> Self {
        Self { segment, fields, leaves: vec![None; segment.leaves.len()] }
    }
}

impl<'a> Builder<'a> {
    pub(crate) fn new(fields: &'a mut Arc<Fields>) -> Self {
        Self {
            fields,
            interned: Interned::default(),
            conjunctions: Vec::new(),
            members: Vec::new(),
            rests: Vec::new(),
            rules: 0,
        }
    }

    /// Adds a filter, which gets the next number.
    pub(crate) fn add(&mut self, filter: &Arc<Filter>) {
        let mut asked = Vec::new();
        for condition in filter.conditions.indexed() {
            if let Some(field) = Fields::of_condition(self.fields, condition) {
                asked.push(self.interned.question(field, condition) | LAST);
            }
        }
        let always = Branch { groups: Vec::new(), choices: Vec::new() };
        let branches = match &*filter.branches {
            [] => std::slice::from_ref(&always),
            branches => branches,
        };
        for branch in branches {
            let start = self.members.len();
            for group in &branch.groups {
                self.group(group);
            }
            self.members.extend(&asked);
            self.conjunction(start);
        }
        if filter.conditions.has_rest() {
            self.rests.push((self.rules, filter.clone()));
        }
        self.rules += 1;
    }

    /// Adds a filter of an older index.
    pub(crate) fn copy(&mut self, older: &mut Older<'_>, rule: u32) {
        let segment = older.segment;
        let first = segment.conjunctions.partition_point(|conjunction| conjunction.rule < rule);
        let own = segment.conjunctions[first..].iter().take_while(|found| found.rule == rule);
        for number in (first as u32..).take(own.count()) {
            let start = self.members.len();
            for &member in segment.members(number) {
                let leaf = self.copied(older, member & !LAST);
                self.members.push(leaf | (member & LAST));
            }
            self.conjunction(start);
        }
        if let Some(filter) = segment.rest(rule) {
            self.rests.push((self.rules, filter.clone()));
        }
        self.rules += 1;
    }

    /// Chooses the pivots and ends.
    pub(crate) fn finish(self) -> Segment {
        let Self { interned, conjunctions, members, rests, rules, .. } = self;
        let mut segment = Segment {
            predicates: Box::default(),
            leaves: interned.leaves.into(),
            alternatives: interned.alternatives.into(),
            wholes: interned.wholes.into(),
            questions: interned.questions.into(),
            conjunctions: conjunctions.into(),
            members: members.into(),
            rests: rests.into(),
            ..Segment::default()
        };
        segment.sizes.rules = rules as usize;
        segment.sizes.leaves = segment.leaves.len();
        segment.sizes.rests = segment.rests.len();
        pivots::choose(&mut segment, interned.predicates);
        segment
    }

    fn group(&mut self, group: &Group) {
        for leaf in &group.leaves {
            let field = Fields::of_pattern(self.fields, &leaf.path);
            self.members.push(self.interned.leaf(field, leaf.any.iter(), &leaf.whole));
        }
        if !group.leaves.is_empty()
            && let Some(last) = self.members.last_mut()
        {
            *last |= LAST;
        }
    }

    fn conjunction(&mut self, start: usize) {
        let shares = self.members[start..]
            .split_inclusive(|member| member & LAST != 0)
            .any(|group| self.shares(group));
        self.conjunctions.push(Conjunction { rule: self.rules, start: start as u32, shares });
    }

    /// Whether two leaves of a group may lie in one array: their paths begin with the same name.
    fn shares(&self, group: &[u32]) -> bool {
        let firsts: Vec<_> = group
            .iter()
            .map(|member| self.interned.leaves[(member & !LAST) as usize])
            .filter(|leaf| leaf.start < leaf.end)
            .map(|leaf| self.fields.path(leaf.field).first())
            .collect();
        firsts.iter().enumerate().any(|(place, first)| firsts[..place].contains(first))
    }

    fn copied(&mut self, older: &mut Older<'_>, number: u32) -> u32 {
        if let Some(leaf) = older.leaves[number as usize] {
            return leaf;
        }
        let segment = older.segment;
        let leaf = segment.leaves[number as usize];
        let new = match leaf.kind {
            Kind::Question(question) => {
                let condition = &segment.questions[question as usize];
                // It had a field before, and so it has one now.
                let field: FieldId =
                    Fields::of_condition(self.fields, condition).unwrap_or(leaf.field);
                self.interned.question(field, condition)
            }
            Kind::Any | Kind::Whole(_) => {
                let field = Fields::of_pattern(self.fields, older.fields.path(leaf.field));
                let whole = match leaf.kind {
                    Kind::Whole(whole) => &*segment.wholes[whole as usize],
                    _ => &[],
                };
                let any = segment.alternatives(leaf).iter();
                let any = any.map(|predicate| &segment.predicates[*predicate as usize]);
                self.interned.leaf(field, any, whole)
            }
        };
        older.leaves[number as usize] = Some(new);
        new
    }
}
