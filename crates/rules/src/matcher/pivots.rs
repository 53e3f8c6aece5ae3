//! Files every conjunction under one of its leaves, the pivot. It must stay true that a conjunction whose pivot does not
//! fire cannot hold, and that the best choice is the leaf that fires least.

use super::{
    field::FieldIndex,
    segment::{Kind, LAST, Leaf, Segment},
    trigger::{self, Seen, Trigger},
};
use crate::{hash::Map, predicate::Predicate, reader::FieldId};

/// What the choice costs at most for a leaf that is asked directly.
const NEVER_BETTER: f64 = f64::INFINITY;

/// Triggers by number, each with whether it proves the leaf.
type Proofs = Box<[(u32, bool)]>;

/// The triggers of all leaves.
#[derive(Default)]
struct Triggers {
    /// Where and what.
    list: Vec<(FieldId, Seen)>,
    numbers: Map<(FieldId, Seen), u32>,
    /// How many conjunctions have each.
    uses: Vec<u32>,
    /// How many conjunctions look at a field in the same way.
    classes: Map<(FieldId, u8), u32>,
    /// By leaf: its triggers and whether they prove it; none if it cannot be a pivot.
    of_leaf: Vec<Option<Proofs>>,
    /// By trigger, once it is a pivot.
    pivots: Vec<Option<u32>>,
}

/// Fills in what a segment needs to fire.
pub(crate) fn choose(segment: &mut Segment, predicates: Vec<Predicate>) {
    segment.predicates = predicates.into();
    let mut triggers = Triggers::default();
    for leaf in &segment.leaves {
        let found = of_leaf(segment, *leaf);
        triggers.add(leaf.field, found);
    }
    for member in &segment.members {
        triggers.count(member & !LAST);
    }
    let mut filed: Vec<(u32, u32)> = Vec::with_capacity(segment.conjunctions.len());
    let mut always = Vec::new();
    let mut chosen = Vec::new();
    for number in 0..segment.conjunctions.len() as u32 {
        let members = segment.members(number);
        let Some(place) = triggers.best(members) else {
            always.push(number);
            continue;
        };
        let leaf = members[place] & !LAST;
        for &(trigger, proves) in triggers.of_leaf[leaf as usize].iter().flatten() {
            let next = chosen.len() as u32;
            let pivot = *triggers.pivots[trigger as usize].get_or_insert(next);
            if pivot == next {
                chosen.push(trigger);
            }
            filed.push((pivot, number << 1 | u32::from(proves)));
        }
        let start = segment.conjunctions[number as usize].start as usize;
        let end = start + members.len();
        first(&mut segment.members[start..end], place);
    }
    filed.sort_unstable();
    filed.dedup();
    segment.ends = ends(&filed, chosen.len());
    segment.filed = filed.into_iter().map(|(_, candidate)| candidate).collect();
    segment.always = always.into();
    segment.sizes.pivots = chosen.len();
    index(segment, &triggers, &chosen);
}

/// Moves a member to the front, and its group with it.
fn first(members: &mut [u32], place: usize) {
    let is_last = |member: &u32| member & LAST != 0;
    let start = members[..place].iter().rposition(is_last).map_or(0, |before| before + 1);
    let end = place + members[place..].iter().position(is_last).map_or(1, |last| last + 1);
    // The mark stays at the end of the group, whoever is there.
    members[end - 1] &= !LAST;
    members.swap(start, place);
    members[end - 1] |= LAST;
    members[..end].rotate_left(start);
}

fn ends(filed: &[(u32, u32)], pivots: usize) -> Box<[u32]> {
    let mut ends = vec![0; pivots];
    for (pivot, _) in filed {
        ends[*pivot as usize] += 1;
    }
    let mut end = 0;
    for count in &mut ends {
        end += *count;
        *count = end;
    }
    ends.into()
}

/// Makes the indexes of the fields.
fn index(segment: &mut Segment, triggers: &Triggers, chosen: &[u32]) {
    let mut of_field: Map<FieldId, Vec<(u32, &Seen)>> = Map::default();
    for (pivot, trigger) in (0_u32..).zip(chosen) {
        let (field, predicate) = &triggers.list[*trigger as usize];
        of_field.entry(*field).or_default().push((pivot, predicate));
    }
    let length = of_field.keys().max().map_or(0, |last| *last as usize + 1);
    let mut fields: Vec<Option<Box<FieldIndex>>> = Vec::new();
    fields.resize_with(length, || None);
    for (field, pivots) in of_field {
        let index = FieldIndex::build(&pivots, &mut segment.sizes.nodes);
        fields[field as usize] = Some(Box::new(index));
    }
    segment.fields = fields.into();
}

fn of_leaf(segment: &Segment, leaf: Leaf) -> Option<Vec<Trigger>> {
    let predicates = segment.alternatives(leaf).iter();
    let any = predicates.map(|predicate| {
        let (trigger, proves) = trigger::of_predicate(&segment.predicates[*predicate as usize]);
        (Seen::Value(trigger), proves)
    });
    match leaf.kind {
        Kind::Any => Some(any.collect()),
        Kind::Whole(whole) => {
            let whole = segment.wholes[whole as usize].iter().map(trigger::of_whole);
            whole.chain(any.map(Some)).collect()
        }
        Kind::Question(question) => {
            trigger::of_question(&segment.questions[question as usize].question)
        }
    }
}

impl Triggers {
    fn add(&mut self, field: FieldId, found: Option<Vec<Trigger>>) {
        let found = found.map(|found| {
            found
                .into_iter()
                .map(|(trigger, proves)| (self.number(field, trigger), proves))
                .collect()
        });
        self.of_leaf.push(found);
    }

    fn number(&mut self, field: FieldId, trigger: Seen) -> u32 {
        let new = self.list.len() as u32;
        let key = (field, trigger);
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        self.list.push(key.clone());
        self.uses.push(0);
        self.pivots.push(None);
        self.numbers.insert(key, new);
        new
    }

    fn count(&mut self, leaf: u32) {
        for (trigger, _) in self.of_leaf[leaf as usize].iter().flatten() {
            self.uses[*trigger as usize] += 1;
            let (field, predicate) = &self.list[*trigger as usize];
            *self.classes.entry((*field, trigger::class(predicate))).or_default() += 1;
        }
    }

    /// The place of the member that fires least.
    fn best(&self, members: &[u32]) -> Option<usize> {
        let mut best = None;
        let mut least = NEVER_BETTER;
        for (place, member) in members.iter().enumerate() {
            let Some(triggers) = &self.of_leaf[(member & !LAST) as usize] else { continue };
            let cost = triggers.iter().map(|(trigger, _)| self.cost(*trigger)).sum();
            if cost < least {
                (best, least) = (Some(place), cost);
            }
        }
        best
    }

    fn cost(&self, trigger: u32) -> f64 {
        /// So that the only rule of a field is not taken for one that everything fires.
        const OTHERS: f64 = 4.0;
        let (field, predicate) = &self.list[trigger as usize];
        let all = self.classes.get(&(*field, trigger::class(predicate))).copied().unwrap_or(0);
        trigger::rarity(
            predicate,
            f64::from(self.uses[trigger as usize]) / (f64::from(all) + OTHERS),
        )
    }
}
