//! What RFC 9535 demands of an expression beyond its grammar: which functions there are, where they may
//! stand and what they take (§2.4.3). The regular expressions are compiled on the way.

use jsonpath_rust::parser::model::{
    Comparable, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector, Test, TestFunction,
};

use super::Regexes;
use super::evaluate::is_singular;
use crate::regular::{Budget, Regular};

/// Checks a parsed expression and gives the regular expressions in it.
pub(super) fn check(query: &JpQuery, budget: &mut Budget) -> Result<Regexes, String> {
    let mut found = Found { regexes: Vec::new(), budget };
    segments(&query.segments, &mut found)?;
    Ok(found.regexes)
}

/// The regular expressions so far, and what more of them may take.
struct Found<'a> {
    regexes: Regexes,
    budget: &'a mut Budget,
}

fn segments(segments: &[Segment], found: &mut Found<'_>) -> Result<(), String> {
    segments.iter().try_for_each(|segment| match segment {
        Segment::Descendant(inner) => self::segments(std::slice::from_ref(inner), found),
        Segment::Selector(one) => selector(one, found),
        Segment::Selectors(many) => many.iter().try_for_each(|one| selector(one, found)),
    })
}

fn selector(selector: &Selector, found: &mut Found<'_>) -> Result<(), String> {
    match selector {
        Selector::Filter(inner) => filter(inner, found),
        Selector::Name(_) | Selector::Wildcard | Selector::Index(_) | Selector::Slice(..) => Ok(()),
    }
}

fn filter(filter: &Filter, found: &mut Found<'_>) -> Result<(), String> {
    match filter {
        Filter::Or(parts) | Filter::And(parts) => {
            parts.iter().try_for_each(|part| self::filter(part, found))
        }
        Filter::Atom(FilterAtom::Filter { expr, .. }) => self::filter(expr, found),
        Filter::Atom(FilterAtom::Test { expr, .. }) => match expr.as_ref() {
            Test::Function(call) => match call.as_ref() {
                TestFunction::Length(_) | TestFunction::Count(_) | TestFunction::Value(_) => {
                    Err(format!("`{call}` gives a value, which must be compared with something"))
                }
                call => function(call, found),
            },
            query => nodes(query, found),
        },
        Filter::Atom(FilterAtom::Comparison(comparison)) => {
            let (left, right) = comparison.vals();
            comparable(left, found)?;
            comparable(right, found)
        }
    }
}

fn comparable(side: &Comparable, found: &mut Found<'_>) -> Result<(), String> {
    match side {
        Comparable::Function(call) => function(call, found),
        Comparable::Literal(_) | Comparable::SingularQuery(_) => Ok(()),
    }
}

fn function(call: &TestFunction, found: &mut Found<'_>) -> Result<(), String> {
    match call {
        TestFunction::Length(argument) => value(call, argument, found),
        TestFunction::Count(argument) | TestFunction::Value(argument) => match argument {
            FnArg::Test(query) if !matches!(query.as_ref(), Test::Function(_)) => {
                nodes(query, found)
            }
            _ => Err(format!("`{call}` takes a path, such as @.items[*]")),
        },
        TestFunction::Match(text, pattern) | TestFunction::Search(text, pattern) => {
            value(call, text, found)?;
            let FnArg::Literal(Literal::String(pattern)) = pattern else {
                return Err(format!(
                    "`{call}` takes its regular expression from the event or has none; write it in quotes"
                ));
            };
            let whole = matches!(call, TestFunction::Match(..));
            if !found.regexes.iter().any(|(of, is_whole, _)| of == pattern && *is_whole == whole) {
                let regular = Regular::compile(&translated(pattern, whole), found.budget)?;
                found.regexes.push((pattern.clone(), whole, regular));
            }
            Ok(())
        }
        TestFunction::Custom(name, _) => Err(format!(
            "there is no function `{name}`; the functions are length, count, value, match and search"
        )),
    }
}

/// An argument that must be one value.
fn value(call: &TestFunction, argument: &FnArg, found: &mut Found<'_>) -> Result<(), String> {
    let wrong = || {
        Err(format!("`{call}` takes one value: a literal, or a path to one place such as @.name"))
    };
    let FnArg::Test(test) = argument else {
        return if argument.is_lit() { Ok(()) } else { wrong() };
    };
    match test.as_ref() {
        Test::Function(inner) if inner.is_comparable() => function(inner, found),
        Test::RelQuery(segments) | Test::AbsQuery(JpQuery { segments })
            if is_singular(segments) =>
        {
            Ok(())
        }
        _ => wrong(),
    }
}

fn nodes(query: &Test, found: &mut Found<'_>) -> Result<(), String> {
    match query {
        Test::RelQuery(inner) | Test::AbsQuery(JpQuery { segments: inner }) => {
            segments(inner, found)
        }
        Test::Function(call) => function(call, found),
    }
}

/// An I-Regexp (RFC 9485) in the syntax of the regex crate: its `.` takes no line end, and `match`
/// means the whole text.
fn translated(pattern: &str, whole: bool) -> String {
    let mut text = String::with_capacity(pattern.len() + 16);
    let (mut in_class, mut chars) = (false, pattern.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                text.push(c);
                text.extend(chars.next());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if !in_class => {
                text.push_str(r"[^\n\r]");
                continue;
            }
            _ => {}
        }
        text.push(c);
    }
    if whole { format!(r"\A(?:{text})\z") } else { text }
}
