//! Asks an index about one event. It must stay true that a rule is found exactly if one of its conjunctions holds, and that
//! the work is bounded: what cannot be decided within the fuel is said.

use super::{
    numbers::Extremes,
    scratch::{Document, Marks, Verdict, Work},
    segment::{LAST, Segment},
};
use crate::{
    fuel::{self, Exhausted, Fuel},
    predicate::Scalar,
    reader::Values,
};

/// Steps for an event, whatever its size and the rules.
const FUEL: usize = 250_000;

/// More steps for each byte of the event.
const FUEL_PER_BYTE: usize = 2;

/// More steps for each rule.
pub(crate) const FUEL_PER_RULE: usize = 8;

/// What is given up instead of being counted out.
const FUEL_MIN: usize = 64;

/// What one question gets at least. A regular expression with `\b` is charged 200,000 steps for a text beyond ASCII, which
/// half of [`FUEL`] would never pay.
const SHARE_MIN: usize = 500_000;

/// Asks one question with a share of the fuel, and takes no more than half of it: whoever asks too much shall not take
/// everything from the others. The work stays bounded, as only so many questions can halve what is left.
pub(super) fn share<T>(
    fuel: &mut Fuel,
    ask: impl FnOnce(&mut Fuel) -> Result<T, Exhausted>,
) -> Result<T, Exhausted> {
    let half = fuel.left() / 2;
    let most = if half > FUEL_MIN { half.max(SHARE_MIN) } else { half };
    let mut own = Fuel::of(most);
    let answer = ask(&mut own);
    fuel.spend((most - own.left()).min(half))?;
    answer
}

/// The steps that an event may cost a number of rules.
pub(crate) fn fuel(event: &[u8], rules: usize) -> usize {
    FUEL + FUEL_PER_BYTE * event.len() + FUEL_PER_RULE * rules
}

/// One event against one index.
pub(crate) struct Run<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) event: &'a [u8],
    pub(crate) values: &'a Values,
    pub(crate) marks: &'a mut Marks,
    pub(crate) work: &'a mut Work,
    /// The steps that are left.
    pub(crate) left: usize,
}

impl Run<'_> {
    /// Adds the rules that hold to `found`, among those that `counts` admits, and those that could not be decided to
    /// `undecided`; says how many steps are left. A rule may be undecided more than once, and although it holds.
    pub(crate) fn run(mut self, counts: impl Fn(&Work, u32) -> bool) -> usize {
        self.marks.begin(self.segment.sizes);
        if self.fire(&counts).is_none() {
            self.give_up(&counts);
        }
        self.work.hits.clear();
        self.work.unsure.clear();
        self.left
    }

    fn fire(&mut self, counts: &impl Fn(&Work, u32) -> bool) -> Option<()> {
        for &field in self.values.fields() {
            let Some(Some(index)) = self.segment.fields.get(field as usize) else { continue };
            // When all of its pivots have fired, more values make no difference.
            let mut waiting = index.pivots;
            if index.looks_at_containers() {
                index.seen(self.values.container(self.event, field), &mut self.work.hits);
                waiting -= self.follow(counts)?;
            }
            let mut extremes = Extremes::default();
            for slot in self.values.of(field) {
                let value = self.values.scalar(self.event, slot);
                let mut fuel = Fuel::of(self.left);
                fuel.spend(1 + length(value) / 16).ok()?;
                let room = (&mut *self.marks, &mut *self.work);
                index.look_up(value, &mut extremes, room, &mut fuel).ok()?;
                self.left = fuel.left();
                if self.work.hits.is_empty() && self.work.unsure.is_empty() {
                    continue;
                }
                waiting -= self.follow(counts)?;
                if waiting == 0 {
                    break;
                }
            }
            index.finish(extremes, &mut self.work.hits);
            self.follow(counts)?;
        }
        for &conjunction in &self.segment.always {
            self.candidate(conjunction, false, counts)?;
        }
        Some(())
    }

    /// Looks at the conjunctions of the pivots that were hit, or may be; says how many of those fired for the first time.
    fn follow(&mut self, counts: &impl Fn(&Work, u32) -> bool) -> Option<u32> {
        let mut fired = 0;
        self.left = self.left.checked_sub(self.work.hits.len() + self.work.unsure.len())?;
        while let Some((pivot, is_sure)) = self.work.next_pivot() {
            if !self.marks.fires(pivot) {
                continue;
            }
            fired += 1;
            for &filed in self.segment.filed(pivot) {
                self.candidate(filed >> 1, is_sure && filed & 1 == 1, counts)?;
            }
        }
        Some(fired)
    }

    /// Decides a conjunction, of which the first leaf may be proven. None if there is no fuel for that.
    fn candidate(
        &mut self,
        number: u32,
        is_first_proven: bool,
        counts: &impl Fn(&Work, u32) -> bool,
    ) -> Option<()> {
        self.left = self.left.checked_sub(1).filter(|left| *left > FUEL_MIN)?;
        let conjunction = self.segment.conjunctions[number as usize];
        let rule = conjunction.rule;
        if self.marks.holds(rule) || !counts(self.work, rule) {
            return Some(());
        }
        let members = self.segment.members(number);
        let mut is_decided = true;
        for member in &members[usize::from(is_first_proven)..] {
            match self.leaf(member & !LAST) {
                Verdict::No => return Some(()),
                Verdict::Undecided => is_decided = false,
                Verdict::Value | Verdict::Whole => {}
            }
        }
        let holds =
            if is_decided && conjunction.shares { self.together(members) } else { Some(true) };
        let holds = match (is_decided, holds) {
            (_, Some(false)) => return Some(()),
            (true, Some(true)) => self.rest(rule),
            _ => None,
        };
        match holds {
            Some(true) => {
                self.marks.set_holds(rule);
                self.work.found.push(rule);
            }
            Some(false) => {}
            None => self.work.undecided.push(rule),
        }
        Some(())
    }

    /// Whether the conditions hold that no index can ask. They have fuel of their own, for each rule as much as when it is
    /// asked alone.
    fn rest(&mut self, rule: u32) -> Option<bool> {
        let Some(place) = self.segment.rest_place(rule) else { return Some(true) };
        if !self.marks.asks_rest(place) {
            // Another conjunction of the rule has asked: they do not hold, or the rule is undecided already.
            return Some(false);
        }
        let filter = &self.segment.rests[place].1;
        if matches!(self.work.document, Document::Unread) {
            self.work.rests_left = self.work.rests_left.saturating_sub(self.event.len() / 4);
            let read = serde_json::from_slice(self.event);
            self.work.document = read.map_or(Document::Broken, Document::Read);
        }
        let Document::Read(document) = &self.work.document else { return None };
        let most = fuel::FUEL.min(self.work.rests_left);
        let mut fuel = Fuel::of(most);
        let holds = filter.conditions.rest_holds(document, &mut fuel);
        self.work.rests_left -= most - fuel.left();
        holds.ok()
    }

    /// Nothing more is decided: the rules that do not hold so far may or may not.
    fn give_up(&mut self, counts: &impl Fn(&Work, u32) -> bool) {
        self.left = 0;
        for rule in 0..self.segment.len() as u32 {
            if !self.marks.holds(rule) && counts(self.work, rule) {
                self.work.undecided.push(rule);
            }
        }
    }
}

fn length(value: Scalar<'_>) -> usize {
    match value {
        Scalar::Text(text) | Scalar::Number(text) => text.len(),
        Scalar::Null | Scalar::Bool(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Filter, Pattern,
        matcher::{Builder, Fields, Scratch},
    };

    /// What a rule with a condition that no index can ask costs of so much fuel, and whether it holds and is undecided.
    fn asked(pattern: Value, rests_left: usize) -> (usize, usize, usize) {
        let condition = json!([{ "field": "$.list[*]", "operator": "eq", "value": 0 }]);
        let conditions: Vec<_> = serde_json::from_value(condition).unwrap();
        let filter = Filter::compile(Some(&Pattern(pattern)), &conditions).unwrap();
        let mut fields = Arc::new(Fields::default());
        let mut builder = Builder::new(&mut fields);
        builder.add(&Arc::new(filter));
        let segment = builder.finish();
        let event = json!({ "a": 1, "b": 1, "list": vec![1; 1_000] }).to_string();
        let Scratch { values, marks, work } = &mut Scratch::default();
        work.begin();
        work.rests_left = rests_left;
        values.read(&fields.paths, event.as_bytes()).unwrap();
        let event = event.as_bytes();
        let run = Run { segment: &segment, event, values, marks, work, left: fuel(event, 1) };
        run.run(|_, _| true);
        (rests_left - work.rests_left, work.found.len(), work.undecided.len())
    }

    #[test]
    fn all_conditions_that_no_index_can_ask_share_a_bound() {
        let (cost, ..) = asked(json!({ "a": [1] }), 1_000_000);
        assert!(cost > 1_000, "{cost}");
        assert_eq!(asked(json!({ "a": [1] }), cost), (cost, 0, 0));
        assert_eq!(asked(json!({ "a": [1] }), cost - 1), (cost - 1, 0, 1));
    }

    #[test]
    fn a_rule_asks_such_conditions_once_however_many_ways_it_has_to_hold() {
        let ways = json!({ "$or": [{ "a": [1] }, { "b": [1] }] });
        assert_eq!(asked(ways, 1_000_000), asked(json!({ "a": [1] }), 1_000_000));
    }
}
