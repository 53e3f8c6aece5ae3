//! What was seen, written as a schema and as sentences.
//!
//! It must stay true that every document seen fits the schema, and that a sentence shows no value but the words of an
//! enumeration.

use serde_json::{Map, Value, json};

use super::place::{Arrays, OBJECTS_MIN, Objects, Place};

/// Most types besides null that one place is described with; a place with more takes anything.
const TYPES_MAX: usize = 3;
/// Of ten objects, in how many an optional property is so often that its absence is told.
const NEARLY_ALWAYS: u64 = 9;

/// A sentence with its place among the others: kinds that surprise more come first, then what rests on less.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Evidence {
    kind: Kind,
    weight: u64,
    pub(super) sentence: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unlearned,
    SeveralTypes,
    NearlyAlways,
    Null,
    Map,
    Enumeration,
    Format,
    Required,
}

/// A place on its way into the schema.
struct At<'a> {
    pointer: String,
    /// The property, or the one that the array or map is the value of.
    name: &'a str,
    depth: usize,
    /// Whether a document has it at most once.
    single: bool,
}

/// The objects that may have a property, as a sentence counts them.
struct Owners {
    seen: u64,
    noun: &'static str,
    whose: String,
}

/// Writes the schema of a document.
pub(super) struct Proposal {
    depth_max: usize,
    evidence: Vec<Evidence>,
}

impl Proposal {
    /// The schema of what was seen, down to a depth, and the reasons for it in order.
    pub(super) fn of(root: &Place, depth_max: usize) -> (Value, Vec<Evidence>) {
        let mut proposal = Self { depth_max, evidence: Vec::new() };
        let schema =
            proposal.schema(root, &At { pointer: String::new(), name: "", depth: 0, single: true });
        proposal.evidence.sort();
        (schema, proposal.evidence)
    }

    fn tell(&mut self, kind: Kind, weight: u64, sentence: String) {
        self.evidence.push(Evidence { kind, weight, sentence });
    }

    fn schema(&mut self, place: &Place, at: &At<'_>) -> Value {
        let types = types(place);
        let mut schema = Map::new();
        if place.seen() == 0 || !self.write_types(&types, &mut schema, at) {
            return Value::Object(schema);
        }
        if let Some(texts) = &place.texts {
            let only = types.iter().all(|(name, _)| matches!(*name, "string" | "null"));
            if let Some(words) = texts.enumeration(at.name).filter(|_| only) {
                self.write_words(&words, place, &mut schema, at);
            } else if let Some(format) = texts.format() {
                schema.insert("format".to_owned(), json!(format));
                let seen = counted(texts.seen, "text");
                self.tell(
                    Kind::Format,
                    texts.seen,
                    format!("{} is of format {format}: {seen}, each of it", at.shown()),
                );
            }
        }
        if let Some(arrays) = &place.arrays {
            self.write_items(arrays, &mut schema, at);
        }
        if let Some(objects) = &place.objects {
            self.write_members(objects, place, &mut schema, at);
        }
        Value::Object(schema)
    }

    /// Writes the types; says no when there are so many that the place takes anything.
    fn write_types(
        &mut self,
        types: &[(&str, u64)],
        schema: &mut Map<String, Value>,
        at: &At<'_>,
    ) -> bool {
        let others: Vec<_> = types.iter().filter(|(name, _)| *name != "null").collect();
        if others.len() > 1 {
            let times: Vec<_> = others
                .iter()
                .map(|(name, seen)| format!("{name} {}", counted(*seen, "time")))
                .collect();
            let least = others.iter().map(|(_, seen)| *seen).min().unwrap_or_default();
            let free = if others.len() > TYPES_MAX { " and is left open" } else { "" };
            self.tell(
                Kind::SeveralTypes,
                least,
                format!("{} has several types{free}: {}", at.shown(), times.join(", ")),
            );
        }
        if others.len() > TYPES_MAX {
            return false;
        }
        if let Some((_, nulls)) =
            types.iter().find(|(name, _)| *name == "null").filter(|_| !others.is_empty())
        {
            let all = types.iter().map(|(_, seen)| seen).sum();
            let times = format!("{} of {}", grouped(*nulls), counted(all, "time"));
            self.tell(Kind::Null, *nulls, format!("{} may be null: {times}", at.shown()));
        }
        let written = match types {
            [(only, _)] => json!(only),
            _ => types.iter().map(|(name, _)| *name).collect(),
        };
        schema.insert("type".to_owned(), written);
        true
    }

    fn write_words(
        &mut self,
        words: &[&str],
        place: &Place,
        schema: &mut Map<String, Value>,
        at: &At<'_>,
    ) {
        let mut sorted = words.to_vec();
        sorted.sort_unstable();
        let mut values: Vec<Value> = sorted.into_iter().map(Value::from).collect();
        if place.nulls > 0 {
            values.push(Value::Null);
        }
        schema.insert("enum".to_owned(), Value::Array(values));
        let seen = place.seen() - place.nulls;
        let kind = if at.single && place.nulls == 0 { "document" } else { "text" };
        let sentence = format!(
            "{} is one of {}: {} values in {}",
            at.shown(),
            words.join(", "),
            words.len(),
            counted(seen, kind)
        );
        self.tell(Kind::Enumeration, seen / words.len() as u64, sentence);
    }

    fn write_items(&mut self, arrays: &Arrays, schema: &mut Map<String, Value>, at: &At<'_>) {
        match &arrays.items {
            Some(items) if at.depth < self.depth_max => {
                let items = self.schema(items, &at.below("*", at.name, false));
                schema.insert("items".to_owned(), items);
            }
            Some(_) => self.tell_unlearned(at),
            None if arrays.unlearned => self.tell_unlearned(at),
            None => {}
        }
    }

    fn write_members(
        &mut self,
        objects: &Objects,
        place: &Place,
        schema: &mut Map<String, Value>,
        at: &At<'_>,
    ) {
        let (named, entries) = objects.sorted();
        if at.depth >= self.depth_max && (!named.is_empty() || entries.is_some()) {
            self.tell_unlearned(at);
            return;
        }
        let owners = Owners::of(objects, place, at);
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (key, member) in &named {
            let below = at.below(&escaped(key), key, at.single);
            if self.is_required(member.seen(), &owners, &below) {
                required.push(*key);
            }
            properties.insert((*key).to_owned(), self.schema(member, &below));
        }
        if !properties.is_empty() {
            schema.insert("properties".to_owned(), Value::Object(properties));
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if objects.unlearned {
            self.tell_unlearned(at);
        } else if let Some(entries) = entries.filter(|entries| entries.seen() >= OBJECTS_MIN) {
            let values = counted(entries.seen(), "value");
            let held = counted(objects.seen, "object");
            let sentence = if named.is_empty() {
                format!("{} is a map: {values} under keys like ids in {held}", at.shown())
            } else {
                format!(
                    "{} has keys like ids beside its properties: {values} in {held}",
                    at.shown()
                )
            };
            self.tell(Kind::Map, entries.seen(), sentence);
            let below = at.below("*", at.name, false);
            schema.insert("additionalProperties".to_owned(), self.schema(&entries, &below));
        }
    }

    /// Whether a property is in every object, with the reason; also tells of one that nearly is.
    fn is_required(&mut self, seen: u64, owners: &Owners, below: &At<'_>) -> bool {
        let Owners { seen: all, noun, whose } = owners;
        if *all < OBJECTS_MIN {
            return false;
        }
        if seen == *all {
            let all = counted(*all, noun);
            self.tell(
                Kind::Required,
                seen,
                format!("{} is required: in all {all}{whose}", below.shown()),
            );
            return true;
        }
        if seen * 10 >= all * NEARLY_ALWAYS {
            let without = all - seen;
            let of = format!("{} of {}", grouped(without), counted(*all, noun));
            let sentence = format!("{} is not required: {of}{whose} are without it", below.shown());
            self.tell(Kind::NearlyAlways, without, sentence);
        }
        false
    }

    fn tell_unlearned(&mut self, at: &At<'_>) {
        let sentence = format!(
            "{} holds more places or levels than are described; the rest is left open",
            at.shown()
        );
        self.tell(Kind::Unlearned, at.depth as u64, sentence);
    }
}

impl Owners {
    fn of(objects: &Objects, place: &Place, at: &At<'_>) -> Self {
        let by_document = at.single && objects.seen == place.seen();
        let whose = match (at.pointer.is_empty(), by_document) {
            (true, true) => String::new(),
            (false, true) => format!(" that have {}", at.shown()),
            (_, false) => format!(" at {}", at.shown()),
        };
        Self { seen: objects.seen, noun: if by_document { "document" } else { "object" }, whose }
    }
}

impl At<'_> {
    fn below<'a>(&self, token: &str, name: &'a str, single: bool) -> At<'a> {
        At { pointer: format!("{}/{token}", self.pointer), name, depth: self.depth + 1, single }
    }

    fn shown(&self) -> &str {
        if self.pointer.is_empty() { "the document" } else { &self.pointer }
    }
}

/// The types seen with how often, in one order for all places.
fn types(place: &Place) -> Vec<(&'static str, u64)> {
    let number = if place.fractions > 0 { "number" } else { "integer" };
    let all = [
        ("null", place.nulls),
        ("boolean", place.booleans),
        (number, place.integers + place.fractions),
        ("string", place.texts.as_ref().map_or(0, |texts| texts.seen)),
        ("array", place.arrays.as_ref().map_or(0, |arrays| arrays.seen)),
        ("object", place.objects.as_ref().map_or(0, |objects| objects.seen)),
    ];
    all.into_iter().filter(|(_, seen)| *seen > 0).collect()
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// A number with a comma before every three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
