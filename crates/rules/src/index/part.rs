//! Some rules of a partition: an immutable index of their filters, and which of them are gone since. It must stay true that
//! the number of a filter in the index is the place of its rule, and that rules are in their order.

use std::{iter, sync::Arc};

use super::entry::Entry;
use crate::{
    filter::Filter,
    hash::Map,
    matcher::{Builder, Fields, Older, Segment, Work},
    type_pattern,
};

/// Some rules of a partition. A clone shares everything.
#[derive(Debug)]
pub(crate) struct Part<T> {
    pub(crate) segment: Arc<Segment>,
    /// By rank.
    entries: Arc<[Arc<Entry<T>>]>,
    types: Arc<Types>,
    /// A bit for each rule that is gone; empty while there is none.
    dead: Arc<[u64]>,
    dead_count: usize,
    /// For each type pattern, how many rules are left.
    listening: Arc<[u32]>,
}

/// The type patterns of some rules.
#[derive(Debug, Default)]
struct Types {
    /// Each once.
    patterns: Vec<Box<str>>,
    /// By the place of the rule; empty when all have the first.
    of_rule: Vec<u32>,
    /// Whether there is one, without wildcards: then only events of it come here.
    is_exact: bool,
}

/// A rule on its way into a part.
pub(crate) type Source<'a, T> = (Arc<Entry<T>>, Origin<'a>);

/// Where its filter comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    New(&'a Arc<Filter>),
    /// A number of an older part, and of the rule in it.
    Old(usize, u32),
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Self {
            segment: self.segment.clone(),
            entries: self.entries.clone(),
            types: self.types.clone(),
            dead: self.dead.clone(),
            dead_count: self.dead_count,
            listening: self.listening.clone(),
        }
    }
}

impl<T> Part<T> {
    /// Builds a part of new rules and those of older parts, which know their fields by the older numbers.
    pub(crate) fn build(
        mut sources: Vec<Source<'_, T>>,
        older: &[Self],
        older_fields: &Fields,
        fields: &mut Arc<Fields>,
    ) -> Self {
        sources.sort_by(|(a, _), (b, _)| a.rank(b));
        let mut builder = Builder::new(fields);
        let mut olders: Vec<_> =
            older.iter().map(|part| Older::new(&part.segment, older_fields)).collect();
        let mut entries = Vec::with_capacity(sources.len());
        for (entry, from) in sources {
            match from {
                Origin::New(filter) => builder.add(filter),
                Origin::Old(part, rule) => builder.copy(&mut olders[part], rule),
            }
            entries.push(entry);
        }
        let types = Types::new(&entries);
        let mut listening = vec![0; types.patterns.len()];
        for rule in 0..entries.len() as u32 {
            listening[types.of(rule) as usize] += 1;
        }
        Self {
            segment: Arc::new(builder.finish()),
            entries: entries.into(),
            types: Arc::new(types),
            dead: Arc::new([]),
            dead_count: 0,
            listening: listening.into(),
        }
    }

    /// The rules that are left, as sources of a new part; this one has a number there.
    pub(crate) fn sources(&self, number: usize) -> impl Iterator<Item = Source<'static, T>> {
        let entries = (0_u32..).zip(self.entries.iter()).filter(|(rule, _)| !self.is_dead(*rule));
        entries.map(move |(rule, entry)| (entry.clone(), Origin::Old(number, rule)))
    }

    /// The same without a rule, if it has it.
    pub(crate) fn without(&self, entry: &Arc<Entry<T>>) -> Option<Self> {
        let rule = self.entries.binary_search_by(|own| own.rank(entry)).ok()?;
        if !Arc::ptr_eq(&self.entries[rule], entry) || self.is_dead(rule as u32) {
            return None;
        }
        let mut dead = self.dead.to_vec();
        dead.resize(self.entries.len().div_ceil(64), 0);
        dead[rule / 64] |= 1 << (rule % 64);
        let mut listening = self.listening.to_vec();
        listening[self.types.of(rule as u32) as usize] -= 1;
        let dead_count = self.dead_count + 1;
        Some(Self { dead: dead.into(), dead_count, listening: listening.into(), ..self.clone() })
    }

    /// Finds out which type patterns the event is of; says how many rules listen to it.
    pub(crate) fn listen(&self, event_type: &str, work: &mut Work) -> usize {
        work.listens.clear();
        if self.types.is_exact {
            work.listens.push(true);
            return self.live();
        }
        let patterns = self.types.patterns.iter();
        work.listens.extend(patterns.map(|pattern| type_pattern::matches(pattern, event_type)));
        let listening = iter::zip(&work.listens, self.listening.iter());
        listening.filter(|(listens, _)| **listens).map(|(_, count)| *count as usize).sum()
    }

    /// Whether a rule is there and listens to the event.
    #[inline]
    pub(crate) fn counts(&self, work: &Work, rule: u32) -> bool {
        work.listens[self.types.of(rule) as usize] && !self.is_dead(rule)
    }

    pub(crate) fn entry(&self, rule: u32) -> &Arc<Entry<T>> {
        &self.entries[rule as usize]
    }

    /// The rules that are left.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry<T>>> {
        let entries = (0_u32..).zip(self.entries.iter());
        entries.filter(|(rule, _)| !self.is_dead(*rule)).map(|(_, entry)| entry)
    }

    /// The rule at a place, unless it is gone.
    pub(crate) fn at(&self, place: usize) -> Option<&Arc<Entry<T>>> {
        self.entries.get(place).filter(|_| !self.is_dead(place as u32))
    }

    /// How many rules are left.
    pub(crate) fn live(&self) -> usize {
        self.entries.len() - self.dead_count
    }

    /// How many rules there are, with those that are gone.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The rules that are left here and gone in what became of this part.
    pub(crate) fn gone_in<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a Arc<Entry<T>>> {
        let entries = (0_u32..).zip(self.entries.iter());
        entries
            .filter(|(rule, _)| !self.is_dead(*rule) && now.is_dead(*rule))
            .map(|(_, entry)| entry)
    }

    fn is_dead(&self, rule: u32) -> bool {
        self.dead.get(rule as usize / 64).is_some_and(|word| word & (1 << (rule % 64)) != 0)
    }
}

impl Types {
    fn new<T>(entries: &[Arc<Entry<T>>]) -> Self {
        let mut numbers = Map::default();
        let mut types = Self::default();
        for entry in entries {
            let new = types.patterns.len() as u32;
            let number = *numbers.entry(&*entry.type_pattern).or_insert(new);
            if number == new {
                types.patterns.push(entry.type_pattern.clone());
            }
            types.of_rule.push(number);
        }
        if let [only] = &*types.patterns {
            types.is_exact = type_pattern::is_exact(only);
            types.of_rule = Vec::new();
        }
        types
    }

    fn of(&self, rule: u32) -> u32 {
        self.of_rule.get(rule as usize).copied().unwrap_or(0)
    }
}
