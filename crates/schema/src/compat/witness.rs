//! Documents that show a break, and the two validators that are asked about each.
//!
//! It must stay true that nothing is shown as an example that was not tried: it fits the writer's schema, as written and
//! under the policy, and it does not fit the reader's, as written and under the policy.

use serde_json::{Map, Value, json};

use super::{
    document::standing_alone,
    instance::{Builder, anything},
    sets::{Answer, Fuel, Set, compile},
    walk::{Guess, Proposal, Step},
};
use crate::Validator;

/// Schemas that one search for small documents may look at.
const DOCUMENT_FUEL: usize = 3_000;
/// Longest array that is built to reach an item.
const ITEMS_MAX: usize = 100;
/// How often the whole schema is asked for a place that a small document does not show.
const WHOLE_MAX: usize = 6;

/// The judge of one direction.
pub(super) struct Judge<'a> {
    pub writer: &'a Validator,
    pub reader: &'a Validator,
    written: jsonschema::Validator,
    read: jsonschema::Validator,
}

/// What a search for an example came to.
pub(super) enum Shown {
    By(Value),
    /// The reader refuses nothing there that the writer sends.
    Nothing,
    /// Nothing was found, which proves nothing; it is true that the sets say so, or it is not known.
    Not {
        proved: bool,
    },
}

/// Finds examples for the differences of one direction.
pub(super) struct Search<'a> {
    judge: Judge<'a>,
    writer: &'a Value,
    reader: &'a Value,
    base: Option<Value>,
    wholes: usize,
    fuel: &'a Fuel,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        writer: &'a Validator,
        reader: &'a Validator,
        writes: &Value,
        reads: &Value,
    ) -> Option<Self> {
        Some(Self { writer, reader, written: compile(writes)?, read: compile(reads)? })
    }

    fn is_written(&self, document: &Value) -> bool {
        self.writer.is_valid(document) && self.written.is_valid(document)
    }

    fn shows(&self, document: &Value) -> bool {
        !self.read.is_valid(document)
            && !self.reader.is_valid(document)
            && self.is_written(document)
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(
        judge: Judge<'a>,
        writer: &'a Value,
        reader: &'a Value,
        fuel: &'a Fuel,
    ) -> Self {
        let written = |candidates: Vec<Value>| {
            candidates.into_iter().find(|document| judge.is_written(document))
        };
        let base = written(Builder::new(writer, DOCUMENT_FUEL).documents(writer)).or_else(|| {
            let normal = Set::of(writer, fuel)?.to_schema();
            written(Builder::new(&normal, DOCUMENT_FUEL).documents(&normal))
        });
        Self { judge, writer, reader, base, wholes: WHOLE_MAX, fuel }
    }

    /// An example for one difference.
    pub(super) fn example(&mut self, proposal: &Proposal) -> Shown {
        if let Some(found) = self.guessed(proposal) {
            return Shown::By(found);
        }
        let local = standing_alone(proposal.writer.clone(), self.writer);
        let asked = standing_alone(proposal.asked.clone(), self.reader);
        let refuses = compile(&asked);
        let is_refused = |one: &Value| refuses.as_ref().is_none_or(|asks| !asks.is_valid(one));
        let mut plain = Builder::new(&local, DOCUMENT_FUEL).documents(&local);
        plain.retain(is_refused);
        // Most differences show in any value of the writer, and trying one costs less than subtracting schemas.
        if refuses.is_some()
            && let Some(found) = self.shown_by(proposal, &plain)
        {
            return Shown::By(found);
        }
        let (writes, asks) = (Set::of(&local, self.fuel), Set::of(&asked, self.fuel));
        let mut candidates = Vec::new();
        let mut proved = false;
        if let (Some(writes), Some(asks)) = (&writes, &asks) {
            match asks.covers(writes) {
                Answer::Yes => return Shown::Nothing,
                Answer::No => proved = true,
                Answer::Unknown => {}
            }
            if let Some(left) = writes.minus(asks) {
                candidates.extend(Builder::new(&left, DOCUMENT_FUEL).documents(&left));
            }
        }
        candidates.extend(crowded(&asked));
        candidates.extend(anything());
        candidates.retain(is_refused);
        if let Some(found) = self.shown_by(proposal, &candidates) {
            return Shown::By(found);
        }
        match self.of_whole(proposal) {
            Some(found) => Shown::By(found),
            None => Shown::Not { proved },
        }
    }

    /// The first document that shows the difference with one of these values in its place.
    fn shown_by(&self, proposal: &Proposal, values: &[Value]) -> Option<Value> {
        let mut documents = values.iter().filter_map(|value| self.placed(proposal, value.clone()));
        documents.find(|document| self.judge.shows(document))
    }

    /// Any document that shows that the reader refuses something, wherever that is.
    pub(super) fn any(&self) -> Option<Value> {
        let shown = |candidates: Vec<Value>| {
            candidates.into_iter().find(|document| self.judge.shows(document))
        };
        shown(Builder::new(self.writer, DOCUMENT_FUEL).documents(self.writer))
            .or_else(|| shown(anything()))
            .or_else(|| {
                let left =
                    Set::of(self.writer, self.fuel)?.minus(&Set::of(self.reader, self.fuel)?)?;
                shown(Builder::new(&left, DOCUMENT_FUEL).documents(&left))
            })
    }

    fn guessed(&self, proposal: &Proposal) -> Option<Value> {
        let here = self.placed(proposal, Value::Null)?;
        let pointer = pointer(proposal);
        let mut object = self.value_at(proposal)?;
        match &proposal.guess {
            Guess::None => None,
            Guess::Without(name) => {
                object.remove(name);
                self.put(&here, &pointer, object)
            }
            Guess::With(name) => self.with(proposal, name, &here, &object),
            Guess::NotNamed(schema) => {
                let names =
                    Builder::new(self.writer, DOCUMENT_FUEL).documents(&json!({"type": "string"}));
                let others = Set::of(&json!({"type": "string"}), self.fuel)
                    .zip(Set::of(&standing_alone(schema.clone(), self.reader), self.fuel))
                    .and_then(|(all, allowed)| all.minus(&allowed))
                    .map(|left| Builder::new(&left, DOCUMENT_FUEL).documents(&left));
                let names = others.into_iter().flatten().chain(names);
                names
                    .into_iter()
                    .find_map(|name| self.with(proposal, name.as_str()?, &here, &object))
            }
        }
    }

    /// A document with one more property in the object where the difference is.
    fn with(
        &self,
        proposal: &Proposal,
        name: &str,
        here: &Value,
        object: &Map<String, Value>,
    ) -> Option<Value> {
        let node = proposal.writer.as_object()?;
        let flat = Builder::new(self.writer, 0).flat(node, 0);
        let schema = super::instance::property(&flat, name);
        let values = Builder::new(self.writer, DOCUMENT_FUEL).documents(&schema);
        values.into_iter().find_map(|value| {
            let mut object = object.clone();
            object.insert(name.to_owned(), value);
            self.put(here, &pointer(proposal), object)
        })
    }

    fn put(&self, document: &Value, pointer: &str, object: Map<String, Value>) -> Option<Value> {
        let mut document = document.clone();
        *document.pointer_mut(pointer)? = Value::Object(object);
        self.judge.shows(&document).then_some(document)
    }

    /// The smallest object at the place of a difference.
    fn value_at(&self, proposal: &Proposal) -> Option<Map<String, Value>> {
        if proposal.way.is_empty()
            && let Some(Value::Object(object)) = &self.base
        {
            return Some(object.clone());
        }
        let candidates = Builder::new(self.writer, DOCUMENT_FUEL).documents(&proposal.writer);
        candidates.into_iter().find_map(|one| match one {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// A small document of the writer with a value put where the difference is.
    fn placed(&self, proposal: &Proposal, value: Value) -> Option<Value> {
        if proposal.way.iter().all(|(step, _)| matches!(step, Step::Here)) {
            return Some(value);
        }
        let mut document = self.base.clone().unwrap_or(Value::Null);
        let mut here = &mut document;
        let last = proposal.way.len();
        for (index, (step, schema)) in proposal.way.iter().enumerate() {
            let fits_step = match step {
                Step::Here => false,
                Step::Property(_) => here.is_object(),
                Step::Item(_) => here.is_array(),
            };
            let branch_before =
                index > 0 && matches!(proposal.way.get(index - 1), Some((Step::Here, _)));
            if !fits_step && !(branch_before && (here.is_object() || here.is_array())) {
                // The place before was no such value, or another branch of a union is meant.
                let wanted = match proposal
                    .way
                    .iter()
                    .skip(index)
                    .find(|(step, _)| !matches!(step, Step::Here))
                {
                    Some((Step::Item(_), _)) => Value::is_array,
                    Some(_) => Value::is_object,
                    None => |_: &Value| true,
                };
                let made = Builder::new(self.writer, DOCUMENT_FUEL).documents(schema);
                *here = made.into_iter().find(wanted)?;
            }
            match step {
                Step::Here => {}
                Step::Property(name) => {
                    let object = here.as_object_mut()?;
                    here = object.entry(name.clone()).or_insert(Value::Null);
                }
                Step::Item(position) => {
                    let items = here.as_array_mut()?;
                    while items.len() <= *position {
                        if items.len() > ITEMS_MAX {
                            return None;
                        }
                        let next = item_schema(schema, items.len());
                        let filler =
                            Builder::new(self.writer, DOCUMENT_FUEL).documents(&next).into_iter();
                        let item = filler.into_iter().next().unwrap_or(Value::Null);
                        items.push(item);
                    }
                    here = items.get_mut(*position)?;
                }
            }
            if index + 1 == last {
                break;
            }
        }
        *here = value;
        Some(document)
    }

    /// Asks the whole schema for a document that shows the difference in its place.
    fn of_whole(&mut self, proposal: &Proposal) -> Option<Value> {
        if self.wholes == 0 {
            return None;
        }
        self.wholes -= 1;
        let asked = standing_alone(proposal.asked.clone(), self.reader);
        // Definitions of two schemas do not fit into one document under one name; a difference that needs them is left.
        if asked.get("$defs").is_some() {
            return None;
        }
        let mut focus = json!({"not": asked});
        for (step, _) in proposal.way.iter().rev() {
            focus = match step {
                Step::Here => focus,
                Step::Property(name) => {
                    json!({"type": "object", "required": [name], "properties": {name.as_str(): focus}})
                }
                Step::Item(index) => {
                    let mut prefix = vec![Value::Bool(true); *index];
                    prefix.push(focus);
                    json!({"type": "array", "minItems": index + 1, "prefixItems": prefix})
                }
            };
        }
        let mut whole = self.writer.as_object()?.clone();
        match whole.entry("allOf").or_insert_with(|| json!([])) {
            Value::Array(parts) => parts.push(focus),
            _ => return None,
        }
        let normal = Set::of(&Value::Object(whole), self.fuel)?.to_schema();
        let candidates = Builder::new(&normal, DOCUMENT_FUEL).documents(&normal);
        candidates.into_iter().find(|document| self.judge.shows(document))
    }
}

/// An array with one item too many of those that may be there a few times.
fn crowded(asked: &Value) -> Option<Value> {
    let most = asked.get("maxContains")?.as_u64().filter(|most| *most < 100)?;
    let items = Builder::new(asked, DOCUMENT_FUEL).documents(asked.get("contains")?);
    if items.is_empty() {
        return None;
    }
    Some((0..=most).zip(items.iter().cycle()).map(|(_, item)| item.clone()).collect())
}

fn pointer(proposal: &Proposal) -> String {
    let mut pointer = String::new();
    for (step, _) in proposal.way.iter() {
        match step {
            Step::Here => {}
            Step::Property(name) => {
                pointer.push('/');
                pointer.push_str(&super::keywords::escape(name));
            }
            Step::Item(index) => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
        }
    }
    pointer
}

fn item_schema(array: &Value, index: usize) -> Value {
    let Value::Object(node) = array else { return Value::Bool(true) };
    let prefix = super::keywords::list(node, "prefixItems");
    prefix.get(index).or_else(|| node.get("items")).cloned().unwrap_or(Value::Bool(true))
}
