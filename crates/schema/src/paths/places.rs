//! The places that a schema names, for whoever meant one of them.

use std::borrow::Cow;

use crate::{
    Schema,
    schema::{At, Graph, InPlace},
};

/// Most places that are named.
const PLACES_MAX: usize = 500;
/// Most steps to a place; a tree that contains itself has no end.
const DEPTH_MAX: usize = 16;
/// Most parts that are looked at.
const STEPS_MAX: usize = 50_000;

/// The places that a schema names and of which it says nothing more in turn, as dotted text: `from.labels`,
/// `items.0.price` for the items of an array. At most five hundred, in the order of their text; of a schema that contains
/// itself, each part once on the way.
///
/// One uses it to say "did you mean".
pub fn places(schema: &Schema) -> Vec<String> {
    let Some(graph) = schema.graph() else { return Vec::new() };
    let mut search =
        Search { graph: &graph, way: Vec::new(), names: Vec::new(), found: Vec::new(), steps: 0 };
    search.visit(&[0]);
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

struct Search<'a, 'g> {
    graph: &'g Graph<'a>,
    /// The parts that were come through.
    way: Vec<usize>,
    names: Vec<Cow<'a, str>>,
    found: Vec<String>,
    steps: usize,
}

impl<'a> Search<'a, '_> {
    /// Names the places within a value that all these parts are asked about.
    fn visit(&mut self, parts: &[usize]) {
        let asked = self.asked(parts);
        let mut inner: Vec<(Cow<'a, str>, Vec<usize>)> = Vec::new();
        for &(at, to) in asked.iter().flat_map(|part| &self.graph.parts[*part].inner) {
            let name = match at {
                At::Name(name) => Cow::Borrowed(name),
                At::Index(number) | At::From(number) => Cow::Owned(number.to_string()),
                _ => continue,
            };
            if self.graph.parts[to].value.as_bool() == Some(false) {
                continue;
            }
            match inner.binary_search_by(|(known, _)| known.cmp(&name)) {
                Ok(place) => inner[place].1.push(to),
                Err(place) => inner.insert(place, (name, vec![to])),
            }
        }
        let again = asked.iter().any(|part| self.way.contains(part));
        if (inner.is_empty() || again || self.names.len() >= DEPTH_MAX) && !self.names.is_empty() {
            self.found.push(self.names.join("."));
            return;
        }
        let before = self.way.len();
        self.way.extend(&asked);
        for (name, parts) in inner {
            if self.found.len() >= PLACES_MAX || self.steps > STEPS_MAX {
                break;
            }
            self.names.push(name);
            self.visit(&parts);
            self.names.pop();
        }
        self.way.truncate(before);
    }

    /// These parts and those that they ask about the same value.
    fn asked(&mut self, parts: &[usize]) -> Vec<usize> {
        let mut asked: Vec<usize> = Vec::new();
        let mut open = parts.to_vec();
        while let Some(part) = open.pop() {
            self.steps += 1;
            if asked.contains(&part) || self.steps > STEPS_MAX {
                continue;
            }
            asked.push(part);
            let in_place = self.graph.parts[part].in_place.iter();
            open.extend(in_place.filter(|(how, _)| *how != InPlace::Not).map(|(_, to)| *to));
        }
        asked
    }
}
