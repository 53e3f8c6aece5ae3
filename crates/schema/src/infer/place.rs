//! A place in the documents and what was seen there.
//!
//! It must stay true that a place which is described has seen every value that ever stood there: what was passed over
//! for want of memory is marked as not learned, and is never learned later.

use std::{collections::BTreeMap, mem};

use serde_json::{Map, Value};

use super::text::{Texts, is_identifier};

/// Deepest level that is looked at. Two levels of schema describe one of a document, and a schema may have 64.
const DEPTH_MAX: usize = 24;
/// Most places that are held: a few megabytes, whatever comes.
pub(super) const PLACES_MAX: usize = 10_000;
/// Most properties of one object; more are the keys of a map.
const PROPERTIES_MAX: usize = 200;
/// Fewest objects before anything is said of what they have in common.
pub(super) const OBJECTS_MIN: u64 = 3;

/// One document on its way in.
pub(super) struct Pass {
    /// Counts the documents, from 1.
    pub(super) document: u64,
    /// How many places may still be made.
    pub(super) places_left: usize,
    /// Whether places were given back, which only a recount finds.
    pub(super) folded: bool,
}

/// What was seen at one place, by type.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) nulls: u64,
    pub(super) booleans: u64,
    pub(super) integers: u64,
    /// Numbers that are written with a fraction, or that 64 bits do not hold.
    pub(super) fractions: u64,
    pub(super) texts: Option<Box<Texts>>,
    pub(super) arrays: Option<Box<Arrays>>,
    pub(super) objects: Option<Box<Objects>>,
}

/// The arrays at one place.
#[derive(Clone, Default)]
pub(super) struct Arrays {
    pub(super) seen: u64,
    pub(super) items: Option<Place>,
    pub(super) unlearned: bool,
}

/// The objects at one place.
#[derive(Clone, Default)]
pub(super) struct Objects {
    pub(super) seen: u64,
    pub(super) named: BTreeMap<Box<str>, Place>,
    /// The values under keys that are no names of properties, all as one.
    pub(super) entries: Option<Place>,
    /// Whether there were so many keys that every new one is an entry.
    folded: bool,
    /// Whether there are keys whose values were not looked at.
    pub(super) unlearned: bool,
}

impl Place {
    /// How many values were seen.
    pub(super) fn seen(&self) -> u64 {
        self.nulls
            + self.booleans
            + self.integers
            + self.fractions
            + self.texts.as_ref().map_or(0, |texts| texts.seen)
            + self.arrays.as_ref().map_or(0, |arrays| arrays.seen)
            + self.objects.as_ref().map_or(0, |objects| objects.seen)
    }

    /// How many places there are here and below.
    pub(super) fn places(&self) -> usize {
        1 + self.parts().map(Self::places).sum::<usize>()
    }

    /// How many levels there are below.
    pub(super) fn depth(&self) -> usize {
        self.parts().map(|part| part.depth() + 1).max().unwrap_or_default()
    }

    fn parts(&self) -> impl Iterator<Item = &Self> {
        let items = self.arrays.as_ref().and_then(|arrays| arrays.items.as_ref());
        let objects = self.objects.as_ref();
        let named = objects.into_iter().flat_map(|objects| objects.named.values());
        let entries = objects.and_then(|objects| objects.entries.as_ref());
        items.into_iter().chain(named).chain(entries)
    }

    pub(super) fn add(&mut self, value: &Value, depth: usize, pass: &mut Pass) {
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) if number.is_i64() || number.is_u64() => self.integers += 1,
            Value::Number(_) => self.fractions += 1,
            Value::String(text) => {
                self.texts.get_or_insert_with(|| Box::new(Texts::new())).add(text, pass.document);
            }
            Value::Array(items) => self.arrays.get_or_insert_default().add(items, depth, pass),
            Value::Object(members) => {
                self.objects.get_or_insert_default().add(members, depth, pass);
            }
        }
    }

    /// Joins what was seen elsewhere; `same` when it may have been in the same documents.
    pub(super) fn merge(&mut self, other: Self, same: bool, pass: &mut Pass) {
        self.nulls += other.nulls;
        self.booleans += other.booleans;
        self.integers += other.integers;
        self.fractions += other.fractions;
        match (&mut self.texts, other.texts) {
            (Some(texts), Some(others)) => texts.merge(*others, same),
            (none @ None, others) => *none = others,
            (Some(_), None) => {}
        }
        if let Some(others) = other.arrays {
            self.arrays.get_or_insert_default().merge(*others, same, pass);
        }
        if let Some(others) = other.objects {
            self.objects.get_or_insert_default().merge(*others, same, pass);
        }
    }
}

impl Arrays {
    fn add(&mut self, items: &[Value], depth: usize, pass: &mut Pass) {
        self.seen += 1;
        let room = self.items.is_some() || (depth < DEPTH_MAX && !self.unlearned);
        if items.is_empty() || (room && learn(&mut self.items, pass)) {
            for item in items {
                self.items.get_or_insert_default().add(item, depth + 1, pass);
            }
        } else {
            self.unlearned = true;
        }
    }

    fn merge(&mut self, other: Self, same: bool, pass: &mut Pass) {
        self.seen += other.seen;
        self.unlearned |= other.unlearned;
        if self.unlearned {
            self.items = None;
        } else if let Some(items) = other.items
            && !join(&mut self.items, items, same, pass)
        {
            self.unlearned = true;
        }
    }
}

impl Objects {
    fn add(&mut self, members: &Map<String, Value>, depth: usize, pass: &mut Pass) {
        self.seen += 1;
        if depth == DEPTH_MAX {
            self.unlearned |= !members.is_empty();
            return;
        }
        for (key, value) in members {
            if let Some(place) = self.named.get_mut(key.as_str()) {
                place.add(value, depth + 1, pass);
            } else if !self.unlearned {
                self.add_new(key, value, depth + 1, pass);
            }
        }
    }

    fn add_new(&mut self, key: &str, value: &Value, depth: usize, pass: &mut Pass) {
        let property = !is_identifier(key);
        if property && !self.folded && self.named.len() == PROPERTIES_MAX {
            self.fold(pass);
        }
        if property && !self.folded {
            if pass.places_left == 0 {
                self.unlearned = true;
                return;
            }
            pass.places_left -= 1;
            self.named.entry(key.into()).or_default().add(value, depth, pass);
        } else if learn(&mut self.entries, pass) {
            self.entries.get_or_insert_default().add(value, depth, pass);
        } else {
            self.unlearned = true;
        }
    }

    /// Takes the many keys for those of a map; what is in at least half of the objects stays a property.
    fn fold(&mut self, pass: &mut Pass) {
        self.folded = true;
        pass.folded = true;
        let enough = self.seen >= OBJECTS_MIN;
        for (key, place) in mem::take(&mut self.named) {
            if enough && place.seen() * 2 >= self.seen && self.named.len() < PROPERTIES_MAX / 2 {
                self.named.insert(key, place);
            } else {
                self.entries.get_or_insert_default().merge(place, true, pass);
            }
        }
    }

    fn merge(&mut self, mut other: Self, same: bool, pass: &mut Pass) {
        self.seen += other.seen;
        // What one side did not look at, or counted among the entries, the other cannot describe alone.
        let (unlearned, folded) = (self.unlearned, self.folded);
        self.unlearned |= other.unlearned;
        self.folded |= other.folded;
        let mut loose = Vec::new();
        for (key, place) in mem::take(&mut self.named) {
            if let Some(others) = other.named.remove(&key) {
                self.named.entry(key).or_insert(place).merge(others, same, pass);
            } else if !other.unlearned && !other.folded {
                self.named.insert(key, place);
            } else {
                loose.push(place);
            }
        }
        for (key, place) in other.named {
            let places = place.places();
            if unlearned || folded {
                loose.push(place);
            } else if places <= pass.places_left {
                pass.places_left -= places;
                self.named.insert(key, place);
            } else {
                self.unlearned = true;
            }
        }
        for entry in loose.into_iter().chain(other.entries) {
            if !join(&mut self.entries, entry, same, pass) {
                self.unlearned = true;
            }
        }
        if self.named.len() > PROPERTIES_MAX && !self.folded {
            self.fold(pass);
        }
    }

    /// The properties, and what all other keys hold.
    ///
    /// Many keys of which each is in few objects, all with values of one type, are entries as well.
    pub(super) fn sorted(&self) -> (Vec<(&str, &Place)>, Option<Place>) {
        const RARE_KEYS_MIN: usize = 16;
        let often = (self.seen / 20).max(1);
        let rare: Vec<_> = self.named.values().filter(|place| place.seen() <= often).collect();
        let alike = rare
            .iter()
            .all(|place| place.kinds() == rare[0].kinds() && place.kinds().is_power_of_two());
        let mapped = self.seen >= OBJECTS_MIN && rare.len() >= RARE_KEYS_MIN && alike;
        let is_entry = |place: &Place| mapped && place.seen() <= often;
        let named = self
            .named
            .iter()
            .filter(|(_, place)| !is_entry(place))
            .map(|(key, place)| (&**key, place));
        let mut entries = self.entries.clone();
        for place in self.named.values().filter(|place| is_entry(place)) {
            let mut pass = Pass { document: 0, places_left: PLACES_MAX, folded: false };
            entries.get_or_insert_default().merge(place.clone(), true, &mut pass);
        }
        (named.collect(), entries)
    }
}

impl Place {
    /// The types seen, one bit each.
    fn kinds(&self) -> u8 {
        let kinds = [
            self.booleans > 0,
            self.integers + self.fractions > 0,
            self.texts.is_some(),
            self.arrays.is_some(),
            self.objects.is_some(),
        ];
        kinds.iter().fold(0, |bits, kind| bits << 1 | u8::from(*kind))
    }
}

/// Whether there is a place, or may be one more.
fn learn(place: &mut Option<Place>, pass: &mut Pass) -> bool {
    if place.is_none() && pass.places_left > 0 {
        pass.places_left -= 1;
        *place = Some(Place::default());
    }
    place.is_some()
}

/// Joins a place to one that may not be there yet; says no when there is no room for it.
fn join(place: &mut Option<Place>, other: Place, same: bool, pass: &mut Pass) -> bool {
    let places = other.places();
    match place {
        Some(place) => place.merge(other, same, pass),
        None if places <= pass.places_left => {
            pass.places_left -= places;
            *place = Some(other);
        }
        None => return false,
    }
    true
}
