//! A pattern in the form that is matched and explained: alternatives of conjunctions of leaves. It must stay true that the
//! fast path and the explanation both start here, so that they can only differ in how they ask.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    conditions::{Conditions, condition::Condition, reads::Step},
    pattern::Pattern,
    predicate::Predicate,
    problem::Problem,
    regular::Budget,
};

/// What must hold for an event: a pattern if there is one, and every condition.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Empty without a pattern, which then holds; never empty with one.
    pub(crate) branches: Vec<Branch>,
    pub(crate) conditions: Conditions,
    /// The pattern as JSON text, which takes a tenth of the memory of a value: only explanations read it.
    pub(crate) written: Box<str>,
}

impl Filter {
    /// Compiles what an author wrote.
    ///
    /// # Errors
    ///
    /// Every problem, with a JSON Pointer that begins with `/pattern` or `/conditions`.
    pub fn compile(
        pattern: Option<&Pattern>,
        conditions: &[Condition],
    ) -> Result<Self, Vec<Problem>> {
        let mut budget = Budget::new();
        let branches = pattern.map_or(Ok(Vec::new()), |pattern| pattern.branches(&mut budget));
        match (branches, Conditions::compile_within(conditions, &mut budget)) {
            (Ok(branches), Ok(conditions)) => {
                let written = pattern.map_or_else(String::new, |pattern| pattern.0.to_string());
                Ok(Self { branches, conditions, written: written.into() })
            }
            (branches, conditions) => {
                let mut problems = within("/pattern", branches.err());
                problems.extend(within("/conditions", conditions.err()));
                Err(problems)
            }
        }
    }

    /// The paths that the pattern reads, each once and from the root of the event, for whoever has to know who reads what.
    /// Those of conditions are told by [`crate::reads`].
    pub fn reads(&self) -> Vec<Vec<Step>> {
        let groups = self.branches.iter().flat_map(|branch| &branch.groups);
        let paths: BTreeSet<&Path> =
            groups.flat_map(|group| &group.leaves).map(|leaf| &leaf.path).collect();
        paths.into_iter().map(|path| through_arrays(path)).collect()
    }
}

/// A pattern goes through whatever arrays are on the way to a field.
fn through_arrays(path: &[Box<str>]) -> Vec<Step> {
    let names = path.iter().map(|name| Step::Name(name.to_string()));
    let mut steps: Vec<Step> = names.flat_map(|name| [name, Step::Items]).collect();
    // The field itself is read, whether it is one value or several.
    steps.pop();
    steps
}

fn within(place: &str, problems: Option<Vec<Problem>>) -> Vec<Problem> {
    let problems = problems.unwrap_or_default().into_iter();
    problems
        .map(|p| Problem { pointer: format!("{place}{}", p.pointer), message: p.message })
        .collect()
}

/// The names from the root of the event to a field, without places in arrays.
pub(crate) type Path = Arc<[Box<str>]>;

/// One way to satisfy a pattern: all of its groups hold. A pattern with `$or` has several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    /// A pattern has one group, and one more for each member of an `$and`. Each is matched by itself.
    pub(crate) groups: Vec<Group>,
    /// Which alternative of each `$or` this is, as JSON Pointers into the pattern.
    pub(crate) choices: Vec<String>,
}

/// Fields of one pattern, each with another path. Where several lie in one array of the event, one element has to satisfy
/// them all.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) leaves: Vec<Leaf>,
}

/// A field and its alternatives: a value satisfies one of `any`, or all values together one of `whole`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) path: Path,
    /// Some value of the field satisfies one of these. Takes part in array consistency.
    pub(crate) any: Vec<Predicate>,
    /// Asks all values that the field has anywhere in the event, and therefore takes no part in array consistency.
    pub(crate) whole: Vec<Whole>,
    /// Where the field stands in the pattern, as a JSON Pointer.
    pub(crate) pointer: String,
}

/// A question to all values of a field together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Whole {
    /// There is none.
    Absent,
    /// None of them satisfies one of these; also when there is none.
    NoneOf(Box<[Predicate]>),
    /// Each of these is satisfied by some value.
    AllOf(Box<[Predicate]>),
}
