//! Predicates and leaves while an index is built, each kept once. It must stay true that equal leaves get one number: what
//! is known of one of them for an event is then known of all.

use std::{cmp::Ordering, hash::BuildHasher, sync::Arc};

use hashbrown::HashTable;

use super::segment::{Kind, Leaf};
use crate::{
    conditions::Compiled,
    filter::Whole,
    hash::{Hasher, Map},
    predicate::{Literal, Predicate},
    reader::FieldId,
};

#[derive(Debug, Default)]
pub(crate) struct Interned {
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) alternatives: Vec<u32>,
    pub(crate) wholes: Vec<Box<[Whole]>>,
    pub(crate) questions: Vec<Arc<Compiled>>,
    hasher: Hasher,
    predicate_numbers: HashTable<u32>,
    leaf_numbers: HashTable<u32>,
    whole_numbers: Map<Box<[Whole]>, u32>,
    question_numbers: Map<(FieldId, String), u32>,
    list: Vec<u32>,
}

impl Interned {
    /// The number of a predicate.
    pub(crate) fn predicate(&mut self, predicate: &Predicate) -> u32 {
        let Self { predicates, hasher, predicate_numbers, .. } = self;
        let hash = hasher.hash_one(predicate);
        let entry = predicate_numbers.entry(
            hash,
            |number| predicates[*number as usize] == *predicate,
            |number| hasher.hash_one(&predicates[*number as usize]),
        );
        let new = predicates.len() as u32;
        let number = *entry.or_insert(new).get();
        if number == new {
            predicates.push(predicate.clone());
        }
        number
    }

    /// The number of a leaf of a pattern.
    pub(crate) fn leaf<'a>(
        &mut self,
        field: FieldId,
        any: impl Iterator<Item = &'a Predicate>,
        whole: &[Whole],
    ) -> u32 {
        let mut list = std::mem::take(&mut self.list);
        list.clear();
        list.extend(any.map(|predicate| self.predicate(predicate)));
        list.sort_by(|a, b| order(&self.predicates, *a, *b));
        list.dedup();
        let kind = if whole.is_empty() { Kind::Any } else { Kind::Whole(self.whole(whole)) };
        let number = self.number(field, kind, &list);
        self.list = list;
        number
    }

    /// The number of a condition as a leaf.
    pub(crate) fn question(&mut self, field: FieldId, condition: &Arc<Compiled>) -> u32 {
        // Every condition can be written as JSON.
        let key = serde_json::to_string(&condition.condition).unwrap_or_default();
        let questions = &mut self.questions;
        let question = *self.question_numbers.entry((field, key)).or_insert_with(|| {
            questions.push(condition.clone());
            questions.len() as u32 - 1
        });
        self.number(field, Kind::Question(question), &[])
    }

    fn whole(&mut self, whole: &[Whole]) -> u32 {
        if let Some(number) = self.whole_numbers.get(whole) {
            return *number;
        }
        let new = self.wholes.len() as u32;
        self.wholes.push(whole.into());
        self.whole_numbers.insert(whole.into(), new);
        new
    }

    fn number(&mut self, field: FieldId, kind: Kind, list: &[u32]) -> u32 {
        let Self { leaves, alternatives, hasher, leaf_numbers, .. } = self;
        let part = |leaf: &Leaf| &alternatives[leaf.start as usize..leaf.end as usize];
        let entry = leaf_numbers.entry(
            hasher.hash_one((field, kind, list)),
            |number| {
                let leaf = &leaves[*number as usize];
                (leaf.field, leaf.kind) == (field, kind) && part(leaf) == list
            },
            |number| {
                let leaf = &leaves[*number as usize];
                hasher.hash_one((leaf.field, leaf.kind, part(leaf)))
            },
        );
        let new = leaves.len() as u32;
        let number = *entry.or_insert(new).get();
        if number == new {
            let start = alternatives.len() as u32;
            alternatives.extend_from_slice(list);
            leaves.push(Leaf { field, kind, start, end: alternatives.len() as u32 });
        }
        number
    }
}

/// The order of alternatives: texts, numbers, others.
fn order(predicates: &[Predicate], a: u32, b: u32) -> Ordering {
    use Literal::{Number, Text};
    let class = |predicate: &Predicate| match predicate {
        Predicate::Equals(Text(_)) => 0,
        Predicate::Equals(Number(_)) => 1,
        _ => 2,
    };
    match (&predicates[a as usize], &predicates[b as usize]) {
        (Predicate::Equals(Text(a)), Predicate::Equals(Text(b))) => a.cmp(b),
        (Predicate::Equals(Number(a)), Predicate::Equals(Number(b))) => a.cmp(b),
        (first, second) => class(first).cmp(&class(second)).then(a.cmp(&b)),
    }
}
