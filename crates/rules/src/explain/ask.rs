//! Asks one field of a pattern by itself, as if it were the only one.

use serde_json::Value;

use super::{
    LeafProof, hint,
    place::{self, Step},
};
use crate::{
    conditions::{NODES_SHOWN_MAX, shown},
    filter::{Leaf, Whole},
    fuel::{Exhausted, Fuel},
    predicate::{Predicate, Scalar},
};

/// What all shown values of one field may take together, in bytes, nearly.
const SHOWN_MAX: usize = 2048;

/// A scalar value of a field.
pub(super) struct Found<'a> {
    pub(super) value: &'a Value,
    place: Vec<Step<'a>>,
}

/// What a field saw and said.
pub(super) struct Answer<'a> {
    pub(super) found: Vec<Found<'a>>,
    verdict: Result<Option<By>, Exhausted>,
}

/// What satisfied a field.
#[derive(Clone, Copy)]
enum By {
    /// All values together.
    Whole,
    /// The value with this place in what was found.
    Value(usize),
}

impl<'a> Answer<'a> {
    pub(super) fn of(leaf: &'a Leaf, event: &'a Value, fuel: &mut Fuel) -> Self {
        let mut walk = Walk { names: &leaf.path, place: Vec::new(), found: Vec::new(), fuel };
        let walked = walk.visit(event, 0);
        let found = walk.found;
        let verdict = walked.and_then(|()| judge(leaf, &found, fuel));
        Self { found, verdict }
    }

    pub(super) fn matched(&self) -> bool {
        matches!(self.verdict, Ok(Some(_)))
    }

    /// Whether it is a value that satisfies the field, which then has to agree with those of other fields.
    pub(super) fn by_value(&self) -> bool {
        matches!(self.verdict, Ok(Some(By::Value(_))))
    }

    pub(super) fn proof(&self, leaf: &Leaf, written: &Value, event: &Value) -> LeafProof {
        let satisfied = match self.verdict {
            Ok(Some(By::Value(index))) => Some(index),
            _ => None,
        };
        let actual = self.shown(satisfied);
        let matched = self.matched();
        LeafProof {
            pointer: leaf.pointer.clone(),
            field: place::dotted(leaf.path.iter().map(AsRef::as_ref)),
            expected: written.pointer(&leaf.pointer).map_or(Value::Null, shown),
            more: self.found.len() - actual.len(),
            actual,
            matched,
            at: satisfied.map(|index| place::written(&self.found[index].place)),
            hint: if matched { None } else { hint::hint(leaf, &self.found, event) },
            error: self.verdict.err().map(|exhausted| exhausted.to_string()),
        }
    }

    /// Some of the values, that which satisfies the field among them.
    fn shown(&self, satisfied: Option<usize>) -> Vec<Value> {
        let first = satisfied.filter(|index| *index >= NODES_SHOWN_MAX);
        let values = first.into_iter().chain(0..self.found.len()).take(NODES_SHOWN_MAX);
        let mut left = SHOWN_MAX;
        values
            .map(|index| shown(self.found[index].value))
            .take_while(|value| {
                let room = left > 0;
                left = left.saturating_sub(value.as_str().map_or(8, str::len));
                room
            })
            .collect()
    }
}

struct Walk<'a, 'f> {
    names: &'a [Box<str>],
    place: Vec<Step<'a>>,
    found: Vec<Found<'a>>,
    fuel: &'f mut Fuel,
}

impl<'a> Walk<'a, '_> {
    /// Takes in what the names from `depth` on lead to; arrays on the way and at the end count by their elements.
    fn visit(&mut self, value: &'a Value, depth: usize) -> Result<(), Exhausted> {
        self.fuel.spend(1)?;
        match (value, self.names.get(depth)) {
            (Value::Array(items), _) => {
                for (index, item) in items.iter().enumerate() {
                    self.place.push(Step::Item(index));
                    self.visit(item, depth)?;
                    self.place.pop();
                }
            }
            (Value::Object(fields), Some(name)) => {
                if let Some((name, field)) = fields.get_key_value(name.as_ref()) {
                    self.place.push(Step::Name(name));
                    self.visit(field, depth + 1)?;
                    self.place.pop();
                }
            }
            (Value::Object(_), None) | (_, Some(_)) => {}
            (_, None) => self.found.push(Found { value, place: self.place.clone() }),
        }
        Ok(())
    }
}

fn judge(leaf: &Leaf, found: &[Found<'_>], fuel: &mut Fuel) -> Result<Option<By>, Exhausted> {
    for whole in &leaf.whole {
        if holds_for_all(whole, found, fuel)? {
            return Ok(Some(By::Whole));
        }
    }
    for (index, found) in found.iter().enumerate() {
        if satisfies(&leaf.any, found.value, fuel)? {
            return Ok(Some(By::Value(index)));
        }
    }
    Ok(None)
}

fn holds_for_all(whole: &Whole, found: &[Found<'_>], fuel: &mut Fuel) -> Result<bool, Exhausted> {
    match whole {
        Whole::Absent => Ok(found.is_empty()),
        Whole::NoneOf(predicates) => {
            for found in found {
                if satisfies(predicates, found.value, fuel)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Whole::AllOf(predicates) => {
            for predicate in predicates {
                let alone = std::slice::from_ref(predicate);
                let mut held = false;
                for found in found {
                    held = held || satisfies(alone, found.value, fuel)?;
                }
                if !held {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Whether one of the predicates holds for a scalar value.
pub(super) fn satisfies(
    predicates: &[Predicate],
    value: &Value,
    fuel: &mut Fuel,
) -> Result<bool, Exhausted> {
    let number;
    let scalar = match value {
        Value::Null => Scalar::Null,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::String(text) => Scalar::Text(text.as_bytes()),
        Value::Number(written) => {
            number = written.to_string();
            Scalar::Number(number.as_bytes())
        }
        Value::Array(_) | Value::Object(_) => return Ok(false),
    };
    for predicate in predicates {
        fuel.spend(1)?;
        if predicate.holds(scalar, fuel)? {
            return Ok(true);
        }
    }
    Ok(false)
}
