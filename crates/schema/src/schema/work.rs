//! How much a schema can ask of one value, at worst.
//!
//! It must stay true that no document makes the compiled schema do more than [`CHECKS_MAX`] checks for each of its
//! values. A place in a document is taken as the set of parts that are asked about it, each with how often; from the
//! whole document that leads to the places within it, and so on down to the deepest that a document may have. A schema
//! whose parts come to the same place by several ways shows as a number that doubles at every level.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{
    Unusable,
    graph::{At, Graph, InPlace, Part},
    order::Order,
};

/// Most checks of one value.
const CHECKS_MAX: u64 = 10_000;
/// Most steps that may be taken to find that out.
const STEPS_MAX: usize = 250_000;
/// Deepest document.
pub(crate) const DEPTH_MAX: usize = 128;

/// Parts with how often each is asked, by their number.
type Place = Vec<(usize, u64)>;

/// Finds the most checks of one value.
///
/// # Errors
/// When they are too many.
pub(super) fn measure(graph: &Graph<'_>, order: &Order) -> Result<u64, Unusable> {
    let costs: Vec<u64> = graph.parts.iter().map(cost).collect();
    let mut search = Search { graph, order, costs, steps: 0 };
    let mut known = HashSet::new();
    let mut level = vec![vec![(0, 1)]];
    let mut most = 0;
    for _ in 0..=DEPTH_MAX {
        let mut next = Vec::new();
        for place in level {
            let asked = search.asked(&place);
            let checks = search.checks(&asked);
            if checks > CHECKS_MAX {
                return Err(search.too_many(&place));
            }
            most = most.max(checks);
            for inner in search.inner(&asked) {
                if known.insert(inner.clone()) {
                    next.push(inner);
                }
            }
            if search.steps > STEPS_MAX {
                return Err(too_tangled());
            }
        }
        level = next;
    }
    Ok(most)
}

struct Search<'a, 'g> {
    graph: &'g Graph<'a>,
    order: &'g Order,
    costs: Vec<u64>,
    steps: usize,
}

impl Search<'_, '_> {
    /// Every part that is asked about a place: those that come to it, and those that they ask in turn. With how often,
    /// and how often of it only to learn which members an alternative has looked at (`unevaluated…`).
    fn asked(&mut self, place: &Place) -> Vec<(usize, u64, u64)> {
        let mut open: BTreeMap<usize, (u64, u64)> =
            place.iter().map(|(part, times)| (self.order.rank[*part], (*times, 0))).collect();
        let mut asked = Vec::new();
        while let Some((rank, (times, marks))) = open.pop_first() {
            let part = self.order.part[rank];
            let marks =
                marks.saturating_add(times.saturating_mul(unevaluated(&self.graph.parts[part])));
            for &(how, to) in &self.graph.parts[part].in_place {
                let plain = matches!(how, InPlace::Ref | InPlace::AllOf);
                let again = if plain { times } else { times.saturating_add(marks) };
                let entry = open.entry(self.order.rank[to]).or_default();
                *entry = (entry.0.saturating_add(again), entry.1.saturating_add(marks));
                self.steps += 1;
            }
            asked.push((part, times, marks));
            self.steps += 1;
        }
        asked
    }

    fn checks(&self, asked: &[(usize, u64, u64)]) -> u64 {
        asked.iter().fold(0, |sum, (part, times, marks)| {
            sum.saturating_add(times.saturating_add(*marks).saturating_mul(self.costs[*part]))
        })
    }

    /// The places within a place.
    fn inner(&mut self, asked: &[(usize, u64, u64)]) -> Vec<Place> {
        let mut names: BTreeMap<&str, Place> = BTreeMap::new();
        let mut indexes: BTreeMap<usize, Place> = BTreeMap::new();
        let mut loose = Vec::new();
        let mut keys = Place::new();
        for &(part, times, _) in asked {
            for &(at, to) in &self.graph.parts[part].inner {
                self.steps += 1;
                if is_plain(self.graph.parts[to].value) {
                    continue;
                }
                match at {
                    At::Name(name) => names.entry(name).or_default().push((to, times)),
                    At::Index(number) => indexes.entry(number).or_default().push((to, times)),
                    At::Key => keys.push((to, times)),
                    At::Pattern(_) | At::OtherName | At::From(_) | At::Contains => {
                        loose.push((part, at, to, times));
                    }
                }
            }
        }
        let of_items = |at| matches!(at, At::From(_) | At::Contains);
        let (items, members): (Vec<_>, Vec<_>) =
            loose.into_iter().partition(|(_, at, ..)| of_items(*at));
        let mut places = vec![keys];
        places.extend(others(&members));
        places.push(items.iter().map(|(_, _, to, times)| (*to, *times)).collect());
        self.steps += (names.len() + 1) * members.len() + (indexes.len() + 1) * items.len();
        if self.steps > STEPS_MAX {
            return Vec::new();
        }
        for (name, mut place) in names {
            let applies = |part: usize, at| match at {
                At::Pattern(pattern) => can_match(pattern, name),
                _ => !self.graph.parts[part].names(name),
            };
            let more = members.iter().filter(|(part, at, ..)| applies(*part, *at));
            place.extend(more.map(|(_, _, to, times)| (*to, *times)));
            places.push(place);
        }
        for (number, mut place) in indexes {
            let applies = |at| !matches!(at, At::From(first) if first > number);
            let more = items.iter().filter(|(_, at, ..)| applies(*at));
            place.extend(more.map(|(_, _, to, times)| (*to, *times)));
            places.push(place);
        }
        places.into_iter().map(merged).filter(|place| !place.is_empty()).collect()
    }

    /// Says which part is to blame: the one that is asked most often, or the only one.
    fn too_many(&self, place: &Place) -> Unusable {
        let most = place.iter().max_by_key(|(part, times)| (*times, usize::MAX - part));
        let (part, times) = most.copied().unwrap_or((0, 1));
        let reason = if times > 1 && self.comes_back(part) {
            "leads back to itself by several ways that meet in the same place, so that a document of depth n takes 2^n \
             steps; say that part once, beside allOf, anyOf and oneOf, and not in several of their branches"
                .to_owned()
        } else {
            format!(
                "can ask more than {CHECKS_MAX} things of one value, as alternatives of alternatives do; use fewer, or \
                 say what they have in common once beside them"
            )
        };
        Unusable { pointer: self.graph.parts[part].pointer.clone(), reason }
    }

    /// Whether a part leads to itself.
    fn comes_back(&self, part: usize) -> bool {
        let mut seen = vec![false; self.graph.parts.len()];
        let mut open = vec![part];
        while let Some(next) = open.pop() {
            let next = &self.graph.parts[next];
            let all =
                next.in_place.iter().map(|(_, to)| *to).chain(next.inner.iter().map(|(_, to)| *to));
            for to in all {
                if to == part {
                    return true;
                }
                if !std::mem::replace(&mut seen[to], true) {
                    open.push(to);
                }
            }
        }
        false
    }
}

fn too_tangled() -> Unusable {
    Unusable {
        pointer: String::new(),
        reason:
            "has parts that meet in so many ways that it cannot be told how much it asks of one \
                 value; use fewer alternatives, and name fewer members in several of them"
                .to_owned(),
    }
}

/// The members that nothing names. What a part says of those that match its patterns, and what it says of the rest, do
/// not meet; with more than one such part it is taken that they do.
fn others(members: &[(usize, At<'_>, usize, u64)]) -> Vec<Place> {
    let has = |part: usize, pattern: bool| {
        members.iter().any(|(it, at, ..)| *it == part && matches!(at, At::Pattern(_)) == pattern)
    };
    let mut both: Vec<usize> = members
        .iter()
        .map(|(part, ..)| *part)
        .filter(|part| has(*part, true) && has(*part, false))
        .collect();
    both.dedup();
    let without = |pattern: bool| {
        let left = members.iter().filter(|(part, at, ..)| {
            both.len() != 1 || *part != both[0] || matches!(at, At::Pattern(_)) != pattern
        });
        left.map(|(_, _, to, times)| (*to, *times)).collect()
    };
    vec![without(true), without(false)]
}

/// The same place with each part once.
fn merged(mut place: Place) -> Place {
    place.sort_unstable();
    place.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    place
}

/// How many checks a part is by itself: its keywords, and what of them is gone through one by one.
fn cost(part: &Part<'_>) -> u64 {
    let Value::Object(schema) = part.value else { return 1 };
    let one = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
        ("enum", Value::Array(items)) if items.iter().all(Value::is_string) => 1,
        ("enum" | "required", Value::Array(items)) => items.len(),
        ("patternProperties" | "dependentRequired" | "dependencies", Value::Object(members)) => {
            members.values().map(|value| 1 + value.as_array().map_or(0, Vec::len)).sum()
        }
        _ => 1,
    };
    1 + schema.iter().map(|entry| one(entry) as u64).sum::<u64>()
}

/// How often a part goes through its alternatives again to learn what they have looked at.
fn unevaluated(part: &Part<'_>) -> u64 {
    let names = ["unevaluatedProperties", "unevaluatedItems"];
    names.iter().filter(|name| part.keyword(name).is_some()).count() as u64
}

/// Whether a schema asks nothing, or refuses everything.
fn is_plain(schema: &Value) -> bool {
    schema.as_object().is_none_or(serde_json::Map::is_empty)
}

/// Whether a pattern can match a name; sure only of those that begin with plain text.
fn can_match(pattern: &str, name: &str) -> bool {
    let Some(anchored) = pattern.strip_prefix('^') else { return true };
    let special = |c: char| {
        !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@' | ':' | '/' | ' ' | '$'))
    };
    let plain = anchored.find(special).unwrap_or(anchored.len());
    let (mut prefix, rest) = anchored.split_at(plain);
    if rest.starts_with(['*', '?', '{', '+']) || pattern.contains('|') {
        prefix = &prefix[..prefix.len().saturating_sub(1)];
    }
    pattern.contains('|') || prefix.contains('$') || name.starts_with(prefix)
}
