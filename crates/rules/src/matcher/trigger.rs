//! What makes a rule a candidate: a simple predicate for each alternative of a leaf. It must stay true that a value that
//! satisfies the alternative also satisfies its trigger.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{
    conditions::question::{Question, Test},
    filter::Whole,
    predicate::{
        Literal, Predicate,
        glob::Glob,
        number::{Bound, Number, Range},
    },
};

/// What has to be seen of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Seen {
    /// A scalar value for which this holds.
    Value(Predicate),
    /// An object that lies in no array.
    Object,
    /// Anything, be it an array or object that lies in no array.
    Anything,
}

/// What makes a candidate, and whether the alternative holds whenever it is seen.
pub(crate) type Trigger = (Seen, bool);

/// The trigger of a predicate.
pub(crate) fn of_predicate(predicate: &Predicate) -> (Predicate, bool) {
    match predicate {
        Predicate::Every(list) => (rarest(list).unwrap_or(Predicate::Exists), list.is_empty()),
        Predicate::Wildcard(glob) => of_glob(glob),
        Predicate::Contains(part) if part.is_empty() => (Predicate::Prefix("".into()), true),
        Predicate::Matches(regular) => match super::literal::required(regular.as_str()) {
            Some(literal) => (Predicate::Contains(literal.into()), false),
            None => (predicate.clone(), true),
        },
        simple => (simple.clone(), true),
    }
}

/// The trigger that fires least of predicates that all have to hold.
fn rarest(list: &[Predicate]) -> Option<Predicate> {
    let cost = |trigger: &Predicate| of_value(trigger, 0.0);
    let triggers = list.iter().map(|predicate| of_predicate(predicate).0);
    triggers.min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

/// Bytes at the start or end of a text that are as rare as this many times more somewhere in it.
const ANCHOR_WORTH: usize = 4;

/// A prefix with a suffix is asked as such; of others the longest part.
fn of_glob(glob: &Glob) -> (Predicate, bool) {
    let (first, inner, last) = match &*glob.parts {
        [only] => return (Predicate::Equals(Literal::Text(only.clone())), true),
        [first, last] if last.is_empty() => return (Predicate::Prefix(first.clone()), true),
        [first, last] if first.is_empty() => return (Predicate::Suffix(last.clone()), true),
        [first, inner, last] if first.is_empty() && last.is_empty() => {
            return (Predicate::Contains(inner.clone()), true);
        }
        [_, _] | [] => return (Predicate::Wildcard(glob.clone()), true),
        [first, inner @ .., last] => (first, inner, last),
    };
    let longest = inner.iter().max_by_key(|part| part.len());
    match longest {
        Some(part) if part.len() >= ANCHOR_WORTH * (first.len() + last.len()) => {
            (Predicate::Contains(part.clone()), false)
        }
        _ if last.is_empty() => (Predicate::Prefix(first.clone()), false),
        _ if first.is_empty() => (Predicate::Suffix(last.clone()), false),
        _ => (Predicate::Wildcard(Glob { parts: [first.clone(), last.clone()].into() }), false),
    }
}

/// The trigger of a question to all values; none if it may hold without a value.
pub(crate) fn of_whole(whole: &Whole) -> Option<Trigger> {
    let Whole::AllOf(list) = whole else { return None };
    Some((Seen::Value(rarest(list)?), false))
}

/// The triggers of a condition; none if it may hold without a value.
pub(crate) fn of_question(question: &Question) -> Option<Vec<Trigger>> {
    let value = |predicate: Predicate| Seen::Value(predicate);
    let equals =
        |json: &Value| literal(json).map_or(Seen::Anything, |l| value(Predicate::Equals(l)));
    let triggers = match question.wants()? {
        // A text with the part, an array with the element, or an object with the name.
        Test::Contains(Value::String(part)) => {
            let part = Predicate::Contains(part.as_str().into());
            vec![value(of_predicate(&part).0), Seen::Object]
        }
        Test::Equals(json) | Test::Contains(json) => vec![equals(json)],
        Test::In(list) => list.iter().map(equals).collect(),
        Test::StartsWith(start) => vec![value(Predicate::Prefix(start.as_str().into()))],
        Test::EndsWith(end) => vec![value(Predicate::Suffix(end.as_str().into()))],
        Test::Matches(regular) => {
            vec![value(of_predicate(&Predicate::Matches(regular.clone())).0)]
        }
        Test::Ordered(accepts, json) => vec![value(of_order(*accepts, json))],
        Test::Exists => vec![Seen::Anything],
    };
    Some(triggers.into_iter().map(|trigger| (trigger, false)).collect())
}

fn of_order(accepts: fn(Ordering) -> bool, json: &Value) -> Predicate {
    let Some(Literal::Number(number)) = literal(json) else { return Predicate::Exists };
    let bound = Some(Bound { number, inclusive: true });
    let is_lower = accepts(Ordering::Greater);
    let (lower, upper) = if is_lower { (bound, None) } else { (None, bound) };
    Predicate::Range(Range { lower, upper })
}

/// A scalar value; none for arrays and objects.
fn literal(value: &Value) -> Option<Literal> {
    Some(match value {
        Value::Null => Literal::Null,
        Value::Bool(value) => Literal::Bool(*value),
        Value::Number(number) => Literal::Number(Number::parse(number.to_string().as_bytes())?),
        Value::String(text) => Literal::Text(text.as_str().into()),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// About how often a trigger fires and what asking it costs, where this share of the rules that look at the field in the
/// same way have the same trigger.
pub(crate) fn rarity(trigger: &Seen, share: f64) -> f64 {
    match trigger {
        Seen::Value(predicate) => of_value(predicate, share),
        Seen::Object => 0.2,
        Seen::Anything => 1.0,
    }
}

fn of_value(predicate: &Predicate, share: f64) -> f64 {
    match predicate {
        Predicate::Equals(Literal::Null | Literal::Bool(_)) => 0.3,
        Predicate::Equals(_) => 0.05 + share,
        Predicate::Address(_) | Predicate::EqualsFold(_) => 0.06 + share,
        Predicate::Prefix(text)
        | Predicate::Suffix(text)
        | Predicate::PrefixFold(text)
        | Predicate::SuffixFold(text) => {
            if text.is_empty() {
                0.9
            } else {
                0.08 + share / text.len().min(8) as f64
            }
        }
        Predicate::Wildcard(_) => 0.08 + share,
        Predicate::Contains(text) => {
            if text.is_empty() {
                0.9
            } else {
                0.1 + 0.5 / text.len().min(16) as f64
            }
        }
        Predicate::Range(range) if range.lower.is_some() && range.upper.is_some() => 0.35,
        Predicate::Range(_) => 0.5,
        Predicate::Matches(_) => 0.6,
        Predicate::Every(_) | Predicate::Exists | Predicate::AnythingBut(_) => 1.0,
    }
}

/// The ways to look at a field that [`rarity`] compares rules in.
pub(crate) fn class(trigger: &Seen) -> u8 {
    let Seen::Value(predicate) = trigger else { return 6 };
    match predicate {
        Predicate::Equals(_) | Predicate::EqualsFold(_) => 0,
        Predicate::Prefix(_) | Predicate::PrefixFold(_) => 1,
        Predicate::Suffix(_) | Predicate::SuffixFold(_) => 2,
        Predicate::Wildcard(_) => 3,
        Predicate::Address(_) => 4,
        _ => 5,
    }
}
