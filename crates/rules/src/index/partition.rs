//! The rules of one organisation that listen to one type, or by patterns: one large part and a few small ones that took the
//! changes since. It must stay true that a change costs little, however many rules there are.

use std::sync::Arc;

use super::{
    Collected,
    entry::Entry,
    part::{Origin, Part},
};
use crate::{
    filter::Filter,
    matcher::{FUEL_PER_RULE, Fields, Run, Scratch},
    reader::Unreadable,
    type_pattern,
};

/// A part with fewer rules is built anew for a change.
const OPEN_MAX: usize = 256;

/// Parts up to here are joined with every full one...
const JOINED_MAX: usize = 8192;

/// ...and larger ones when they are not larger than so many times what is joined.
const JOINED_FACTOR: usize = 4;

/// Fewer fields are never too many.
const FIELDS_MIN: usize = 1024;

/// So many rules are looked at for some that listen to a type.
const SOME_MAX: usize = 1024;

/// Rules that are read together. A clone shares everything.
#[derive(Debug)]
pub(crate) struct Partition<T> {
    fields: Arc<Fields>,
    /// How many fields there were when all of them were asked for.
    fields_then: usize,
    /// The oldest first; never empty.
    parts: Vec<Part<T>>,
}

/// Parts that were joined, to be put in their place.
#[derive(Debug)]
pub(crate) struct Joined<T> {
    first: usize,
    /// What was joined.
    parts: Vec<Part<T>>,
    /// Those of the joined part, if it is the first.
    fields: Arc<Fields>,
    part: Part<T>,
}

impl<T> Clone for Partition<T> {
    fn clone(&self) -> Self {
        let Self { fields, fields_then, parts } = self;
        Self { fields: fields.clone(), fields_then: *fields_then, parts: parts.clone() }
    }
}

impl<T> Partition<T> {
    /// All rules in one part.
    pub(crate) fn build(rules: &[(Arc<Entry<T>>, Arc<Filter>)]) -> Self {
        let mut fields = Arc::default();
        let sources = rules.iter().map(|(entry, filter)| (entry.clone(), Origin::New(filter)));
        let part = Part::build(sources.collect(), &[], &Fields::default(), &mut fields);
        Self { fields_then: fields.paths.len(), fields, parts: vec![part] }
    }

    /// The same with one more rule.
    pub(crate) fn with(mut self, entry: &Arc<Entry<T>>, filter: &Arc<Filter>) -> Self {
        let open: Vec<_> = self.parts.pop_if(|part| part.live() < OPEN_MAX).into_iter().collect();
        let mut sources: Vec<_> = open.iter().flat_map(|part| part.sources(0)).collect();
        sources.push((entry.clone(), Origin::New(filter)));
        let older_fields = self.fields.clone();
        if self.parts.is_empty() {
            // All is built anew: without the fields that nobody asks for any more.
            self.fields = Arc::default();
        }
        let part = Part::build(sources, &open, &older_fields, &mut self.fields);
        if self.parts.is_empty() {
            self.fields_then = self.fields.paths.len();
        }
        self.parts.push(part);
        self
    }

    /// The same without a rule; none if it was the last.
    pub(crate) fn without(mut self, entry: &Arc<Entry<T>>) -> Option<Self> {
        for part in &mut self.parts {
            if let Some(rest) = part.without(entry) {
                *part = rest;
                break;
            }
        }
        self.parts.retain(|part| part.live() > 0);
        (!self.parts.is_empty()).then_some(self)
    }

    /// Joins parts if there are too many, or if too much of one is gone. Takes time, and changes nothing yet.
    pub(crate) fn join(&self) -> Option<Joined<T>> {
        let (first, last) = self.due()?;
        let parts = self.parts[first..last].to_vec();
        let mut fields = if first == 0 { Arc::default() } else { self.fields.clone() };
        let sources = parts.iter().enumerate().flat_map(|(number, part)| part.sources(number));
        let part = Part::build(sources.collect(), &parts, &self.fields, &mut fields);
        Some(Joined { first, parts, fields, part })
    }

    /// Puts parts that were joined in their place, without the rules that are gone since. None if that place is not there
    /// any more.
    pub(crate) fn with_joined(mut self, joined: Joined<T>) -> Option<Self> {
        let Joined { first, parts, fields, mut part } = joined;
        let place = first..first + parts.len();
        let now = self.parts.get(place.clone())?;
        if !std::iter::zip(now, &parts).all(|(a, b)| Arc::ptr_eq(&a.segment, &b.segment)) {
            return None;
        }
        for (then, now) in std::iter::zip(&parts, now) {
            for entry in then.gone_in(now) {
                part = part.without(entry).unwrap_or(part);
            }
        }
        let mut rest = self.parts.split_off(place.end);
        // Otherwise the fields are those of now: a change since may have added some, and none is ever taken away.
        if first == 0 {
            // The joined part has its own numbers of fields, without those that nobody asks for any more.
            let older_fields = std::mem::replace(&mut self.fields, fields);
            if !rest.is_empty() {
                let sources =
                    rest.iter().enumerate().flat_map(|(number, part)| part.sources(number));
                rest = vec![Part::build(sources.collect(), &rest, &older_fields, &mut self.fields)];
            }
            self.fields_then = self.fields.paths.len();
        }
        self.parts.truncate(first);
        self.parts.push(part);
        self.parts.extend(rest);
        self.parts.retain(|part| part.live() > 0);
        Some(self)
    }

    /// Which parts are to be joined, if any.
    fn due(&self) -> Option<(usize, usize)> {
        let is_open = self.parts.last().is_some_and(|part| part.live() < OPEN_MAX);
        let full = &self.parts[..self.parts.len() - usize::from(is_open)];
        let too_many_fields = 2 * self.fields_then.max(FIELDS_MIN);
        if self.fields.paths.len() >= too_many_fields && !full.is_empty() {
            return Some((0, full.len()));
        }
        if let Some(worn) = full.iter().position(|part| part.live() * 2 < part.len()) {
            return Some((worn, worn + 1));
        }
        let last = full.len();
        let mut first = last.checked_sub(1)?;
        let mut sum = full[first].live();
        while let Some(before) = first.checked_sub(1)
            && full[before].live() <= JOINED_MAX.max(JOINED_FACTOR * sum)
        {
            first = before;
            sum += full[before].live();
        }
        (first + 1 < last).then_some((first, last))
    }

    /// Adds the rules that hold for an event.
    pub(crate) fn matching<'a>(
        &'a self,
        event_type: &str,
        event: &[u8],
        scratch: &mut Scratch,
        collected: &mut Collected<'a, T>,
    ) -> Result<(), Unreadable> {
        let mut is_read = false;
        for part in &self.parts {
            let Scratch { values, marks, work } = &mut *scratch;
            let listening = part.listen(event_type, work);
            if listening == 0 {
                continue;
            }
            if !is_read {
                values.read(&self.fields.paths, event)?;
                is_read = true;
            }
            work.begin_part();
            let left = collected.left + FUEL_PER_RULE * listening;
            let run = Run { segment: &part.segment, event, values, marks, work, left };
            collected.left = run.run(|work, rule| part.counts(work, rule));
            work.settle(marks);
            collected.listening += listening;
            collected.parts += usize::from(!work.found.is_empty());
            collected.found.extend(work.found.iter().map(|rule| &**part.entry(*rule)));
            collected.undecided.extend(work.undecided.iter().map(|rule| &**part.entry(*rule)));
        }
        Ok(())
    }

    /// Some of the rules that listen to a type, from a place on and round again. Looks at a bounded number of rules.
    pub(crate) fn some(&self, event_type: &str, from: usize) -> impl Iterator<Item = &Entry<T>> {
        let count: usize = self.parts.iter().map(Part::len).sum();
        let from = from.checked_rem(count).unwrap_or(0);
        let places = (from..count).chain(0..from).take(SOME_MAX);
        let entries = places.filter_map(|place| self.at(place));
        entries.filter(move |entry| type_pattern::matches(&entry.type_pattern, event_type))
    }

    fn at(&self, mut place: usize) -> Option<&Entry<T>> {
        for part in &self.parts {
            match place.checked_sub(part.len()) {
                None => return part.at(place).map(|entry| &**entry),
                Some(rest) => place = rest,
            }
        }
        None
    }

    /// The rules that listen to a type.
    pub(crate) fn listening(&self, event_type: &str) -> impl Iterator<Item = &Entry<T>> {
        let entries = self.parts.iter().flat_map(Part::entries).map(|entry| &**entry);
        entries.filter(move |entry| type_pattern::matches(&entry.type_pattern, event_type))
    }
}

#[cfg(test)]
mod tests;
