//! Whether a schema knows a place in a payload.
//!
//! It must stay true that "never" is only said when it is proved.

mod closed;
mod places;

use std::collections::HashSet;

use self::closed::Closed;
pub use self::places::places;
use crate::{
    Schema,
    schema::{At, Graph, InPlace, pattern_matches},
};

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The member of an object.
    Name(String),
    /// An item of an array, whichever.
    Item,
    /// Any member or item, at any depth.
    Any,
}

/// What a schema says of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is described.
    Declared,
    /// It is not described, and may be there all the same.
    Possible,
    /// It cannot be there.
    Never,
}

/// What a schema says of the place that a path leads to, from the whole document on.
///
/// For a map (`additionalProperties` with a schema of its own) every name is described. The whole document always is.
pub fn reading(schema: &Schema, path: &[Step]) -> Reading {
    let Some(graph) = schema.graph() else { return Reading::Possible };
    let closed = Closed::new(&graph, path);
    if closed.is_never() {
        Reading::Never
    } else if is_declared(&graph, path) {
        Reading::Declared
    } else {
        Reading::Possible
    }
}

/// Whether some part describes the place: through any alternative, and through anything that a part refers to.
fn is_declared(graph: &Graph<'_>, path: &[Step]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(0, 0)];
    while let Some((part, taken)) = open.pop() {
        if !seen.insert((part, taken)) {
            continue;
        }
        let Some(step) = path.get(taken) else {
            if graph.parts[part].value.as_bool() != Some(false) {
                return true;
            }
            continue;
        };
        let part = &graph.parts[part];
        let in_place = part.in_place.iter().filter(|(how, _)| *how != InPlace::Not);
        open.extend(in_place.map(|(_, to)| (*to, taken)));
        for &(at, to) in &part.inner {
            // `additionalProperties: true` describes nothing.
            let says_much =
                graph.parts[to].value.as_object().is_some_and(|schema| !schema.is_empty());
            let leads = match (step, at) {
                (Step::Name(name), At::Name(declared)) => name == declared,
                (Step::Name(name), At::Pattern(pattern)) => {
                    pattern_matches(pattern, name) == Some(true)
                }
                (Step::Name(name), At::OtherName) => says_much && !part.names(name),
                (Step::Item | Step::Any, At::From(_) | At::Contains)
                | (Step::Any, At::OtherName) => says_much,
                (Step::Item | Step::Any, At::Index(_))
                | (Step::Any, At::Name(_) | At::Pattern(_)) => true,
                _ => false,
            };
            if leads {
                open.push((to, taken + 1));
            }
            if *step == Step::Any && at != At::Key {
                open.push((to, taken));
            }
        }
    }
    false
}
