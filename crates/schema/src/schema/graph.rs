//! A schema as the parts that ask something of a value, and how they lead to each other.
//!
//! It must stay true that every part that the compiled schema can come to is a part here, so that what is proved of the
//! graph holds for the compiled schema.

use serde_json::Value;

/// A schema with all its parts; the first is the whole.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) parts: Vec<Part<'a>>,
}

/// A schema within a schema.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// JSON Pointer to it.
    pub(crate) pointer: String,
    pub(crate) value: &'a Value,
    /// Whether only its `$ref` counts, as in draft-07.
    pub(super) only_ref: bool,
    /// The parts that are asked about the same value.
    pub(crate) in_place: Vec<(InPlace, usize)>,
    /// The parts that are asked about its members or items.
    pub(crate) inner: Vec<(At<'a>, usize)>,
}

/// The keyword that asks another part about the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InPlace {
    Ref,
    AllOf,
    AnyOf,
    OneOf,
    Not,
    If,
    Then,
    Else,
    Dependent,
}

/// The members or items that a part is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At<'a> {
    /// The member of this name.
    Name(&'a str),
    /// The members whose names match this pattern.
    Pattern(&'a str),
    /// The members that the same part says nothing else of: `additionalProperties`, `unevaluatedProperties`.
    OtherName,
    /// The item of this number.
    Index(usize),
    /// The items from this number on.
    From(usize),
    /// Any item; one that does not fit does no harm: `contains`.
    Contains,
    /// The names themselves.
    Key,
}

impl<'a> Part<'a> {
    /// What it says by a keyword.
    pub(crate) fn keyword(&self, name: &str) -> Option<&'a Value> {
        if self.only_ref { None } else { self.value.get(name) }
    }

    /// Whether it says something of a member of this name beside all members.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.keyword("properties").is_some_and(|properties| properties.get(name).is_some())
    }
}
