//! Schemas as sets of documents. The only place that uses the experimental `canonical` module of `jsonschema`, whose
//! version is pinned for it.
//!
//! It must stay true that only [`Answer::Yes`] proves anything.

use std::cell::Cell;

use jsonschema::{
    Draft, PatternOptions,
    canonical::{self, CanonicalKind, CanonicalSchema, Containment, Satisfiability},
};
use serde_json::Value;

use super::weight::Weight;
use crate::schema::PATTERN_MAX;

/// Widest product of alternatives at one place that is brought to normal form.
const WIDTH_MAX: u64 = 64;
/// Most ways not to fit that are multiplied out.
const WAYS_OUT_MAX: u64 = 40;
/// Most schemas, by how wide they are, that one comparison brings to normal form.
const FUEL: u64 = 60_000;

/// What the set operations of one comparison may still cost: they cannot be interrupted.
pub(super) struct Fuel(Cell<u64>);

/// The documents that fit a schema.
pub(super) struct Set {
    set: CanonicalSchema,
    weight: Weight,
}

/// Whether one set holds another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Unknown,
}

impl Fuel {
    pub(super) fn new() -> Self {
        Self(Cell::new(FUEL))
    }

    fn take(&self, cost: u64) -> bool {
        let left = self.0.get().checked_sub(cost);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl Set {
    /// The documents that fit a schema in compared form; nothing where they cannot be described exactly, or not in the
    /// time there is.
    pub(super) fn of(schema: &Value, fuel: &Fuel) -> Option<Self> {
        let weight = Weight::of(schema);
        if weight.width > WIDTH_MAX || !fuel.take(weight.nodes.saturating_mul(weight.width)) {
            return None;
        }
        let set = canonical::options()
            .offline()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_pattern_options(
                PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX),
            )
            .canonicalize(schema)
            .ok()?;
        (set.kind() != CanonicalKind::Raw).then_some(Self { set, weight })
    }

    /// Whether every document of the other is in this one.
    pub(super) fn covers(&self, other: &Self) -> Answer {
        if self.weight.ways_out > WAYS_OUT_MAX {
            // What is left over would be looked for in every way not to fit. What both take is found quickly: where that
            // is the other again, nothing is left over. A format may be one that nobody checks, so it proves nothing.
            let same = !self.weight.formats
                && self.set.intersect(&other.set).is_ok_and(|both| both == other.set);
            return if same { Answer::Yes } else { Answer::Unknown };
        }
        match self.set.covers(&other.set) {
            Ok(Containment::Yes) => Answer::Yes,
            Ok(Containment::No) => Answer::No,
            Ok(Containment::Unknown) | Err(_) => Answer::Unknown,
        }
    }

    /// The documents of this one that the other lacks, as a schema; nothing where that cannot be written.
    pub(super) fn minus(&self, other: &Self) -> Option<Value> {
        if other.weight.ways_out > WAYS_OUT_MAX {
            return None;
        }
        let difference = self.set.subtract(&other.set).ok()?;
        (difference.satisfiability() != Satisfiability::No).then(|| difference.to_json_schema())
    }

    /// A schema in normal form that describes this set.
    pub(super) fn to_schema(&self) -> Value {
        self.set.to_json_schema()
    }
}

/// Compiles a schema in compared form.
pub(super) fn compile(schema: &Value) -> Option<jsonschema::Validator> {
    jsonschema::options()
        .offline()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(
            PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX),
        )
        .build(schema)
        .ok()
}
