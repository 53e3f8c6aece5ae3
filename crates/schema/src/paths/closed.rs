//! Proofs that a place cannot be there.
//!
//! It must stay true that whatever cannot be proved counts as possible: a pattern that is not understood may match, and a
//! proof that takes too long is none.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
};

use serde_json::Value;

use super::Step;
use crate::schema::{At, Graph, InPlace, Part, pattern_matches};

/// Most steps of one proof.
const STEPS_MAX: usize = 50_000;

/// The proof for one path.
pub(super) struct Closed<'g> {
    graph: &'g Graph<'g>,
    path: &'g [Step],
    /// What is being proved further out: a document that had the place there would have to have it here again, and
    /// documents end.
    assumed: RefCell<HashSet<(usize, usize)>>,
    /// What was found not to be so.
    possible: RefCell<HashSet<(usize, usize)>>,
    steps: Cell<usize>,
}

impl<'g> Closed<'g> {
    pub(super) fn new(graph: &'g Graph<'g>, path: &'g [Step]) -> Self {
        Self {
            graph,
            path,
            assumed: RefCell::default(),
            possible: RefCell::default(),
            steps: Cell::new(0),
        }
    }

    /// Whether no document that fits has the place.
    pub(super) fn is_never(&self) -> bool {
        self.never(0, 0)
    }

    /// Whether no value that fits a part has what the path leads to after so many steps.
    fn never(&self, part: usize, taken: usize) -> bool {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > STEPS_MAX || self.possible.borrow().contains(&(part, taken)) {
            return false;
        }
        if self.assumed.borrow().contains(&(part, taken)) {
            return true;
        }
        // Deeper than any document: each assumption is a step into it.
        if self.assumed.borrow().len() > 300 {
            return false;
        }
        self.assumed.borrow_mut().insert((part, taken));
        let never = self.proved(&self.graph.parts[part], taken);
        self.assumed.borrow_mut().remove(&(part, taken));
        if !never {
            self.possible.borrow_mut().insert((part, taken));
        }
        never
    }

    fn proved(&self, part: &Part<'_>, taken: usize) -> bool {
        if part.value.as_bool() == Some(false) {
            return true;
        }
        let all = |how: InPlace| {
            let mut branches = part.in_place.iter().filter(move |(it, _)| *it == how).peekable();
            branches.peek().is_some() && branches.all(|(_, to)| self.never(*to, taken))
        };
        let any = |how: InPlace| {
            part.in_place.iter().any(|(it, to)| *it == how && self.never(*to, taken))
        };
        any(InPlace::Ref)
            || any(InPlace::AllOf)
            || all(InPlace::AnyOf)
            || all(InPlace::OneOf)
            || ((all(InPlace::If) || all(InPlace::Then)) && all(InPlace::Else))
            || self.path.get(taken).is_some_and(|step| self.step_fails(part, step, taken))
    }

    /// Whether the next step leads nowhere by what the part itself says.
    fn step_fails(&self, part: &Part<'_>, step: &Step, taken: usize) -> bool {
        let no_object =
            excludes(part, "object") || part.keyword("maxProperties") == Some(&Value::from(0));
        let no_array = excludes(part, "array") || part.keyword("maxItems") == Some(&Value::from(0));
        match step {
            Step::Name(name) => no_object || self.name_fails(part, name, taken + 1),
            Step::Item => no_array || self.each_fails(part, false, |to| self.never(to, taken + 1)),
            Step::Any => {
                let fails = |to| self.never(to, taken + 1) && self.never(to, taken);
                (no_object || self.each_fails(part, true, fails))
                    && (no_array || self.each_fails(part, false, fails))
            }
        }
    }

    /// Whether the member of this name cannot be there, or cannot have the rest of the path.
    fn name_fails(&self, part: &Part<'_>, name: &str, taken: usize) -> bool {
        let matched = |pattern: &str| pattern_matches(pattern, name);
        let patterns = || {
            part.inner.iter().filter_map(|(at, to)| match at {
                At::Pattern(pattern) => Some((matched(pattern), *to)),
                _ => None,
            })
        };
        let named =
            part.inner.iter().any(|(at, to)| *at == At::Name(name) && self.never(*to, taken));
        let by_pattern =
            patterns().any(|(matches, to)| matches == Some(true) && self.never(to, taken));
        let is_other = !part.names(name) && patterns().all(|(matches, _)| matches == Some(false));
        named || by_pattern || (is_other && self.others(part).any(|to| self.never(to, taken)))
    }

    /// Whether every member (or item) that there can be fails.
    fn each_fails(&self, part: &Part<'_>, members: bool, fails: impl Fn(usize) -> bool) -> bool {
        let (rest, one): (Vec<usize>, Vec<usize>) = if members {
            let one =
                part.inner.iter().filter(|(at, _)| matches!(at, At::Name(_) | At::Pattern(_)));
            (self.others(part).collect(), one.map(|(_, to)| *to).collect())
        } else {
            let of = |from: bool| {
                part.inner.iter().filter(move |(at, _)| match at {
                    At::From(_) => from,
                    At::Index(_) => !from,
                    _ => false,
                })
            };
            let evaluated = part.in_place.is_empty() || part.keyword("unevaluatedItems").is_none();
            (
                of(true).filter(|_| evaluated).map(|(_, to)| *to).collect(),
                of(false).map(|(_, to)| *to).collect(),
            )
        };
        rest.iter().any(|to| fails(*to)) && one.iter().all(|to| fails(*to))
    }

    /// What is asked of the members that the part does not name. `unevaluatedProperties` asks it only of those that no
    /// part asked in place names either; so it counts only where there is none.
    fn others(&self, part: &Part<'_>) -> impl Iterator<Item = usize> {
        let evaluated = part.keyword("unevaluatedProperties").map(std::ptr::from_ref);
        let alone = part.in_place.is_empty() && part.keyword("additionalProperties").is_none();
        let counts = move |to: &usize| {
            alone || Some(std::ptr::from_ref(self.graph.parts[*to].value)) != evaluated
        };
        let others = part.inner.iter().filter(|(at, _)| *at == At::OtherName).map(|(_, to)| *to);
        others.filter(counts).collect::<Vec<_>>().into_iter()
    }
}

/// Whether `type`, `const` or `enum` leave no value of a kind.
fn excludes(part: &Part<'_>, kind: &str) -> bool {
    let is = |value: &Value| if kind == "object" { value.is_object() } else { value.is_array() };
    let by_type = match part.keyword("type") {
        Some(Value::String(only)) => only != kind,
        Some(Value::Array(kinds)) => !kinds.iter().any(|it| it.as_str() == Some(kind)),
        _ => false,
    };
    let by_const = part.keyword("const").is_some_and(|value| !is(value));
    let by_enum =
        part.keyword("enum").and_then(Value::as_array).is_some_and(|values| !values.iter().any(is));
    by_type || by_const || by_enum
}
