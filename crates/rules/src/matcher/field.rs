//! The pivots of one field, in an index for each kind. It must stay true that a pivot is hit by a value exactly if its
//! predicate holds for it.

use super::{
    anchored::Anchored,
    exact::Exact,
    folded::Folded,
    literal::Literals,
    networks::Networks,
    numbers::{Extremes, Numbers},
    run::share,
    scratch::{Marks, Work},
    trigger::Seen,
};
use crate::{
    fuel::{Exhausted, Fuel},
    predicate::{Literal, Predicate, Scalar},
};

/// The pivots of one field.
#[derive(Debug, Default)]
pub(crate) struct FieldIndex {
    /// How many there are.
    pub(crate) pivots: u32,
    exact: Exact,
    /// What else is asked of texts.
    texts: Option<Box<Texts>>,
    numbers: Option<Box<Numbers>>,
    others: Option<Box<Others>>,
}

/// Questions to texts that are not whether they are equal.
#[derive(Debug, Default)]
struct Texts {
    anchored: Option<Anchored>,
    folded: Option<Folded>,
    literals: Option<Literals>,
    networks: Option<Networks>,
}

/// Rare kinds of pivots.
#[derive(Debug, Default)]
struct Others {
    /// Hit by any value.
    present: Vec<u32>,
    objects: Vec<u32>,
    anything: Vec<u32>,
    null: Option<u32>,
    /// False and true.
    bools: [Option<u32>; 2],
    /// Asked one by one.
    asked: Vec<(Predicate, u32)>,
}

/// The pivots by kind.
#[derive(Default)]
struct Sorted<'a> {
    exact: Vec<(&'a str, u32)>,
    prefixes: Vec<(&'a str, u32)>,
    suffixes: Vec<(&'a str, u32)>,
    pairs: Vec<(&'a str, &'a str, u32)>,
    folded: [Vec<(&'a str, u32)>; 3],
    literals: Vec<(&'a str, u32)>,
    networks: Vec<(crate::predicate::address::Network, u32)>,
    equal: Vec<(crate::predicate::number::Number, u32)>,
    ranges: Vec<(crate::predicate::number::Range, u32)>,
    others: Others,
    has_others: bool,
}

impl<'a> Sorted<'a> {
    fn add(&mut self, predicate: &'a Predicate, pivot: u32) {
        match predicate {
            Predicate::Equals(Literal::Text(text)) => self.exact.push((text, pivot)),
            Predicate::Equals(Literal::Number(number)) => self.equal.push((*number, pivot)),
            Predicate::Prefix(text) => self.prefixes.push((text, pivot)),
            Predicate::Suffix(text) => self.suffixes.push((text, pivot)),
            Predicate::EqualsFold(text) => self.folded[0].push((text, pivot)),
            Predicate::PrefixFold(text) => self.folded[1].push((text, pivot)),
            Predicate::SuffixFold(text) => self.folded[2].push((text, pivot)),
            Predicate::Contains(text) if !text.is_empty() => self.literals.push((text, pivot)),
            Predicate::Address(network) => self.networks.push((*network, pivot)),
            Predicate::Range(range) => self.ranges.push((*range, pivot)),
            Predicate::Wildcard(glob) => match &*glob.parts {
                [first, last] => self.pairs.push((first, last, pivot)),
                _ => self.other(predicate, pivot),
            },
            other => self.other(other, pivot),
        }
    }

    fn other(&mut self, predicate: &Predicate, pivot: u32) {
        self.has_others = true;
        match predicate {
            Predicate::Exists => self.others.present.push(pivot),
            Predicate::Equals(Literal::Null) => self.others.null = Some(pivot),
            Predicate::Equals(Literal::Bool(value)) => {
                self.others.bools[usize::from(*value)] = Some(pivot);
            }
            other => self.others.asked.push((other.clone(), pivot)),
        }
    }
}

impl FieldIndex {
    /// Builds the index; `nodes` counts those of the trees of ranges of all fields.
    pub(crate) fn build(pivots: &[(u32, &Seen)], nodes: &mut usize) -> Self {
        let mut sorted = Sorted::default();
        for (pivot, seen) in pivots {
            match seen {
                Seen::Value(predicate) => sorted.add(predicate, *pivot),
                Seen::Object => sorted.others.objects.push(*pivot),
                Seen::Anything => sorted.others.anything.push(*pivot),
            }
            sorted.has_others |= !matches!(seen, Seen::Value(_));
        }
        let texts = Texts::build(&mut sorted);
        let has_numbers = !(sorted.equal.is_empty() && sorted.ranges.is_empty());
        let numbers =
            has_numbers.then(|| Box::new(Numbers::build(sorted.equal, sorted.ranges, nodes)));
        Self {
            pivots: pivots.len() as u32,
            exact: Exact::build(&sorted.exact),
            texts,
            numbers,
            others: sorted.has_others.then(|| Box::new(sorted.others)),
        }
    }

    /// Whether [`FieldIndex::seen`] can add something.
    #[inline]
    pub(crate) fn looks_at_containers(&self) -> bool {
        self.others.is_some()
    }

    /// Adds what a field hits that has something.
    #[inline]
    pub(crate) fn seen(&self, container: Option<&[u8]>, hits: &mut Vec<u32>) {
        let Some(others) = &self.others else { return };
        hits.extend(&others.anything);
        if container.is_some_and(|json| json.first() == Some(&b'{')) {
            hits.extend(&others.objects);
        }
    }

    /// Adds what a value hits, but for what [`FieldIndex::finish`] adds, and what may hit and asks too much.
    #[inline]
    pub(crate) fn look_up(
        &self,
        value: Scalar<'_>,
        extremes: &mut Extremes,
        (marks, work): (&mut Marks, &mut Work),
        fuel: &mut Fuel,
    ) -> Result<(), Exhausted> {
        match value {
            Scalar::Text(text) => {
                work.hits.extend(self.exact.get(text));
                if let Some(texts) = &self.texts {
                    texts.look_up(text, work, fuel)?;
                }
            }
            Scalar::Number(literal) => {
                if let Some(numbers) = &self.numbers {
                    numbers.look_up(literal, extremes, marks, &mut work.hits);
                }
            }
            Scalar::Null | Scalar::Bool(_) => {}
        }
        if let Some(others) = &self.others {
            others.look_up(value, (marks, work), fuel);
        }
        Ok(())
    }

    /// Adds what the values of the field hit together.
    #[inline]
    pub(crate) fn finish(&self, extremes: Extremes, hits: &mut Vec<u32>) {
        if let Some(numbers) = &self.numbers {
            numbers.finish(extremes, hits);
        }
    }
}

impl Texts {
    fn build(sorted: &mut Sorted<'_>) -> Option<Box<Self>> {
        let Sorted { prefixes, suffixes, pairs, folded, networks, .. } = sorted;
        let is_anchored = !(prefixes.is_empty() && suffixes.is_empty() && pairs.is_empty());
        let [equal, starts, ends] = folded;
        let is_folded = !(equal.is_empty() && starts.is_empty() && ends.is_empty());
        let mut texts = Self {
            anchored: is_anchored.then(|| Anchored::build(prefixes, suffixes, pairs)),
            folded: is_folded.then(|| Folded {
                exact: Exact::build(equal),
                anchored: Anchored::build(starts, ends, &[]),
            }),
            literals: None,
            networks: (!networks.is_empty()).then(|| Networks::build(networks)),
        };
        let literals = std::mem::take(&mut sorted.literals);
        if !literals.is_empty() {
            texts.literals = Literals::build(&literals);
            if texts.literals.is_none() {
                for (part, pivot) in literals {
                    sorted.other(&Predicate::Contains(part.into()), pivot);
                }
            }
        }
        let Self { anchored, folded, literals, networks } = &texts;
        let is_any = anchored.is_some() || folded.is_some();
        (is_any || literals.is_some() || networks.is_some()).then(|| Box::new(texts))
    }

    fn look_up(&self, text: &[u8], work: &mut Work, fuel: &mut Fuel) -> Result<(), Exhausted> {
        if let Some(anchored) = &self.anchored {
            anchored.look_up(text, &mut work.anchors, &mut work.hits);
            fuel.spend(work.anchors.steps())?;
        }
        if let Some(folded) = &self.folded {
            fuel.spend(text.len() / 8)?;
            folded.look_up(text, &mut work.folded, &mut work.anchors, &mut work.hits);
        }
        if let Some(networks) = &self.networks {
            networks.look_up(text, &mut work.hits);
        }
        self.literals.as_ref().map_or(Ok(()), |all| all.look_up(text, fuel, &mut work.hits))
    }
}

impl Others {
    fn look_up(&self, value: Scalar<'_>, (marks, work): (&Marks, &mut Work), fuel: &mut Fuel) {
        work.hits.extend(&self.present);
        match value {
            Scalar::Null => work.hits.extend(self.null),
            Scalar::Bool(value) => work.hits.extend(self.bools[usize::from(value)]),
            Scalar::Number(_) | Scalar::Text(_) => {}
        }
        for (predicate, pivot) in &self.asked {
            // What has fired is not asked about another value: also what asked too much of this field once.
            if marks.has_fired(*pivot) {
                continue;
            }
            match share(fuel, |own| predicate.holds(value, own)) {
                Ok(true) => work.hits.push(*pivot),
                Ok(false) => {}
                Err(Exhausted) => work.unsure.push(*pivot),
            }
        }
    }
}
