//! The evaluation of a checked JSONPath over one document. It must stay true that every step costs fuel,
//! so that it ends, and that it recurses only as deep as the expression nests, never as the document does.

use std::borrow::Cow;
use std::cmp::Ordering;

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector,
    SingularQuery, SingularQuerySegment, Test, TestFunction,
};
use serde_json::Value;

use super::Regexes;
use crate::exact;
use crate::fuel::{Exhausted, Fuel};

/// Gives the values that the query selects, in the order of the standard.
pub(super) fn select<'a>(
    query: &'a JpQuery,
    regexes: &'a Regexes,
    document: &'a Value,
    fuel: &mut Fuel,
) -> Result<Vec<&'a Value>, Exhausted> {
    Evaluation { root: document, regexes, fuel }.segments(&query.segments, document)
}

/// Whether a path leads to one place at most.
pub(super) fn is_singular(segments: &[Segment]) -> bool {
    let single = |segment: &Segment| {
        matches!(segment, Segment::Selector(Selector::Name(_) | Selector::Index(_)))
    };
    segments.iter().all(single)
}

struct Evaluation<'a, 'f> {
    root: &'a Value,
    regexes: &'a Regexes,
    fuel: &'f mut Fuel,
}

impl<'a> Evaluation<'a, '_> {
    fn segments(
        &mut self,
        segments: &'a [Segment],
        start: &'a Value,
    ) -> Result<Vec<&'a Value>, Exhausted> {
        let mut nodes = vec![start];
        for segment in segments {
            let mut next = Vec::new();
            for node in nodes {
                self.segment(segment, node, &mut next)?;
            }
            nodes = next;
        }
        Ok(nodes)
    }

    fn segment(
        &mut self,
        segment: &'a Segment,
        node: &'a Value,
        out: &mut Vec<&'a Value>,
    ) -> Result<(), Exhausted> {
        match segment {
            Segment::Selector(one) => self.selector(one, node, out),
            Segment::Selectors(many) => {
                many.iter().try_for_each(|one| self.selector(one, node, out))
            }
            Segment::Descendant(inner) => {
                // The node, then what is below it, parents first.
                let mut waiting = vec![node];
                while let Some(node) = waiting.pop() {
                    self.segment(inner, node, out)?;
                    let first = waiting.len();
                    waiting.extend(children(node));
                    waiting[first..].reverse();
                }
                Ok(())
            }
        }
    }

    fn selector(
        &mut self,
        selector: &'a Selector,
        node: &'a Value,
        out: &mut Vec<&'a Value>,
    ) -> Result<(), Exhausted> {
        self.fuel.spend(1)?;
        match selector {
            Selector::Name(name) => {
                out.extend(node.as_object().and_then(|fields| fields.get(name)));
            }
            Selector::Index(index) => out.extend(at(node, *index)),
            Selector::Wildcard => {
                self.fuel.spend(size(node))?;
                out.extend(children(node));
            }
            Selector::Slice(start, end, step) => {
                self.fuel.spend(size(node))?;
                slice(node, (*start, *end, step.unwrap_or(1)), out);
            }
            Selector::Filter(filter) => {
                for child in children(node) {
                    if self.filter(filter, child)? {
                        out.push(child);
                    }
                }
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &'a Filter, current: &'a Value) -> Result<bool, Exhausted> {
        self.fuel.spend(1)?;
        match filter {
            Filter::Or(parts) => {
                for part in parts {
                    if self.filter(part, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::And(parts) => {
                for part in parts {
                    if !self.filter(part, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Atom(FilterAtom::Filter { expr, not }) => {
                Ok(self.filter(expr, current)? != *not)
            }
            Filter::Atom(FilterAtom::Test { expr, not }) => Ok(self.test(expr, current)? != *not),
            Filter::Atom(FilterAtom::Comparison(comparison)) => {
                self.comparison(comparison, current)
            }
        }
    }

    fn test(&mut self, test: &'a Test, current: &'a Value) -> Result<bool, Exhausted> {
        let Test::Function(call) = test else { return Ok(!self.nodes(test, current)?.is_empty()) };
        let (TestFunction::Match(text, pattern) | TestFunction::Search(text, pattern)) =
            call.as_ref()
        else {
            // Refused when compiled.
            return Ok(false);
        };
        let whole = matches!(call.as_ref(), TestFunction::Match(..));
        let FnArg::Literal(Literal::String(pattern)) = pattern else { return Ok(false) };
        let Some(text) = self.argument(text, current)? else { return Ok(false) };
        let Some(text) = text.as_str() else { return Ok(false) };
        let regular =
            self.regexes.iter().find(|(of, is_whole, _)| of == pattern && *is_whole == whole);
        regular.map_or(Ok(false), |(_, _, regular)| regular.is_match(text.as_bytes(), self.fuel))
    }

    fn nodes(&mut self, query: &'a Test, current: &'a Value) -> Result<Vec<&'a Value>, Exhausted> {
        match query {
            Test::RelQuery(segments) => self.segments(segments, current),
            Test::AbsQuery(query) => self.segments(&query.segments, self.root),
            Test::Function(_) => Ok(Vec::new()),
        }
    }

    fn comparison(
        &mut self,
        comparison: &'a Comparison,
        current: &'a Value,
    ) -> Result<bool, Exhausted> {
        let (left, right) = comparison.vals();
        let (left, right) = (self.comparable(left, current)?, self.comparable(right, current)?);
        let fuel = &mut *self.fuel;
        let (left, right) = (left.as_deref(), right.as_deref());
        Ok(match comparison {
            Comparison::Eq(..) => equal(left, right, fuel)?,
            Comparison::Ne(..) => !equal(left, right, fuel)?,
            Comparison::Gt(..) => ordered(left, right, fuel)? == Some(Ordering::Greater),
            Comparison::Gte(..) => {
                ordered(left, right, fuel)? == Some(Ordering::Greater) || equal(left, right, fuel)?
            }
            Comparison::Lt(..) => ordered(left, right, fuel)? == Some(Ordering::Less),
            Comparison::Lte(..) => {
                ordered(left, right, fuel)? == Some(Ordering::Less) || equal(left, right, fuel)?
            }
        })
    }

    fn comparable(
        &mut self,
        side: &'a Comparable,
        current: &'a Value,
    ) -> Result<Option<Cow<'a, Value>>, Exhausted> {
        match side {
            Comparable::Literal(literal) => self.constant(literal),
            Comparable::SingularQuery(SingularQuery::Current(steps)) => {
                self.fuel.spend(steps.len())?;
                Ok(single(steps, current))
            }
            Comparable::SingularQuery(SingularQuery::Root(steps)) => {
                self.fuel.spend(steps.len())?;
                Ok(single(steps, self.root))
            }
            Comparable::Function(call) => self.function(call, current),
        }
    }

    /// A function that gives a value, or nothing.
    fn function(
        &mut self,
        call: &'a TestFunction,
        current: &'a Value,
    ) -> Result<Option<Cow<'a, Value>>, Exhausted> {
        match call {
            TestFunction::Length(argument) => {
                let value = self.argument(argument, current)?;
                if let Some(text) = value.as_ref().and_then(|value| value.as_str()) {
                    self.fuel.read(text.len())?;
                }
                let length = value.and_then(|value| length(&value));
                Ok(length.map(|length| Cow::Owned(Value::from(length))))
            }
            TestFunction::Count(FnArg::Test(query)) => {
                let count = self.nodes(query, current)?.len();
                Ok(Some(Cow::Owned(Value::from(count))))
            }
            TestFunction::Value(FnArg::Test(query)) => match self.nodes(query, current)?.as_slice()
            {
                [one] => Ok(Some(Cow::Borrowed(*one))),
                _ => Ok(None),
            },
            // Refused when compiled.
            _ => Ok(None),
        }
    }

    /// A literal as a value: a copy, so a long text is paid for.
    fn constant(&mut self, literal: &Literal) -> Result<Option<Cow<'a, Value>>, Exhausted> {
        if let Literal::String(text) = literal {
            self.fuel.read(text.len())?;
        }
        Ok(Some(Cow::Owned(constant(literal))))
    }

    /// An argument that is one value, or nothing.
    fn argument(
        &mut self,
        argument: &'a FnArg,
        current: &'a Value,
    ) -> Result<Option<Cow<'a, Value>>, Exhausted> {
        match argument {
            FnArg::Literal(literal) => self.constant(literal),
            FnArg::Test(test) => match test.as_ref() {
                Test::Function(call) => self.function(call, current),
                query => Ok(self.nodes(query, current)?.first().map(|node| Cow::Borrowed(*node))),
            },
            FnArg::Filter(_) => Ok(None),
        }
    }
}

/// Two things that are not there are equal (RFC 9535 §2.3.5.2.2).
fn equal(left: Option<&Value>, right: Option<&Value>, fuel: &mut Fuel) -> Result<bool, Exhausted> {
    match (left, right) {
        (Some(left), Some(right)) => exact::equal(left, right, fuel),
        (left, right) => Ok(left.is_none() && right.is_none()),
    }
}

fn ordered(
    left: Option<&Value>,
    right: Option<&Value>,
    fuel: &mut Fuel,
) -> Result<Option<Ordering>, Exhausted> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    exact::order(left, right, fuel)
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    let items = node.as_array().into_iter().flatten();
    let fields = node.as_object().into_iter().flat_map(|fields| fields.values());
    items.chain(fields)
}

fn size(node: &Value) -> usize {
    match node {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

/// The element at a place, counted from the end when negative.
fn at(node: &Value, index: i64) -> Option<&Value> {
    let items = node.as_array()?;
    let place = if index < 0 { index + items.len() as i64 } else { index };
    items.get(usize::try_from(place).ok()?)
}

/// RFC 9535 §2.3.4.2; the parser keeps all numbers within 2^53.
fn slice<'a>(
    node: &'a Value,
    (start, end, step): (Option<i64>, Option<i64>, i64),
    out: &mut Vec<&'a Value>,
) {
    let Some(items) = node.as_array() else { return };
    let length = items.len() as i64;
    let place = |index: i64| if index < 0 { index + length } else { index };
    let (mut at, end) = match step {
        0 => return,
        1.. => (
            place(start.unwrap_or(0)).clamp(0, length),
            place(end.unwrap_or(length)).clamp(0, length),
        ),
        _ => {
            let first = start.map_or(length - 1, place).clamp(-1, length - 1);
            (first, end.map_or(-1, place).clamp(-1, length - 1))
        }
    };
    while (step > 0 && at < end) || (step < 0 && at > end) {
        out.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
        at += step;
    }
}

fn single<'a>(steps: &[SingularQuerySegment], start: &'a Value) -> Option<Cow<'a, Value>> {
    let found = steps.iter().try_fold(start, |node, step| match step {
        SingularQuerySegment::Name(name) => node.as_object()?.get(name),
        SingularQuerySegment::Index(index) => at(node, *index),
    });
    found.map(Cow::Borrowed)
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        _ => None,
    }
}

fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::Int(number) => Value::from(*number),
        Literal::Float(number) => Value::from(*number),
        Literal::String(text) => Value::from(text.as_str()),
        Literal::Bool(flag) => Value::from(*flag),
        Literal::Null => Value::Null,
    }
}
