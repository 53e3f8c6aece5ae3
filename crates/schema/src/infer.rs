//! The schema that a number of documents suggest, with the evidence for each part of it.
//!
//! It must stay true that every document that was added fits the schema, that memory is bounded whatever is added, and
//! that the same documents in whatever order give the same schema while no bound is reached.

mod place;
mod proposal;
mod text;

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use self::{
    place::{PLACES_MAX, Pass, Place},
    proposal::Proposal,
};
use crate::SCHEMA_BYTES_MAX;

/// Most sentences of evidence: a person reads the first ten.
const EVIDENCE_MAX: usize = 100;

/// What was seen in the documents so far; its memory does not grow with their number.
///
/// - A property is *required* when it is in every object at its place, of at least three.
/// - *Types* are those that were seen, at most three besides null. A number is an integer while none was written with a
///   fraction (`1.0` is a fraction) and 64 bits hold all of them.
/// - A text is an *enumeration* when at least 50 were seen and they are two to ten words, each in at least two documents. What
///   looks like an id, a date or free text, or whose property is named like data about a person (`name`, `email`, …), is
///   never one, and what is not shown as a word of an enumeration is shown nowhere.
/// - A *format* (`date-time`, `date`, `uuid`, `ipv4`, `email`, `uri`) is proposed when at least five texts were seen and all have it.
/// - Keys that look like ids, and many keys of which each is rare, are those of a *map*: `additionalProperties` describes
///   their values. Other objects stay open to properties that were not seen.
/// - *Bounds* of numbers, lengths and counts are not proposed: the largest value of a sample is not a limit of the type,
///   and a guess that holds for a thousand documents refuses the next one.
#[derive(Clone, Default)]
pub struct Inference {
    documents: u64,
    places: usize,
    root: Place,
}

/// A schema that documents suggest.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inferred {
    /// The schema, 2020-12.
    pub schema: Value,
    /// How many documents were looked at.
    pub documents: u64,
    /// What the schema rests on where it could have been otherwise, in sentences: why a property is required, why a
    /// text is an enumeration. The most surprising first, at most a hundred; `*` in a path is any item or any key of a map.
    pub evidence: Vec<String>,
}

impl Inference {
    /// Takes one more document into account.
    pub fn add(&mut self, document: &Value) {
        self.documents += 1;
        let mut pass = self.pass();
        self.root.add(document, 0, &mut pass);
        self.settle(&pass);
    }

    /// Takes the documents into account that another one has seen, as if they had been added here.
    pub fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        let mut pass = self.pass();
        self.root.merge(other.root, false, &mut pass);
        self.settle(&pass);
    }

    /// The schema that all documents fit.
    pub fn finish(&self) -> Inferred {
        // A schema that is too large to be used helps nobody: then it says less of what lies deep.
        let mut depth = self.root.depth();
        let (mut schema, mut evidence) = Proposal::of(&self.root, depth);
        while depth > 0 && schema.to_string().len() > SCHEMA_BYTES_MAX - 1024 {
            depth -= 1;
            (schema, evidence) = Proposal::of(&self.root, depth);
        }
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        let evidence =
            evidence.into_iter().take(EVIDENCE_MAX).map(|evidence| evidence.sentence).collect();
        Inferred { schema, documents: self.documents, evidence }
    }

    fn pass(&self) -> Pass {
        Pass {
            document: self.documents,
            places_left: PLACES_MAX.saturating_sub(self.places),
            folded: false,
        }
    }

    fn settle(&mut self, pass: &Pass) {
        self.places = if pass.folded { self.root.places() } else { PLACES_MAX - pass.places_left };
    }
}

impl fmt::Debug for Inference {
    /// Says how much was seen, never what: payloads hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inference").field("documents", &self.documents).finish_non_exhaustive()
    }
}
