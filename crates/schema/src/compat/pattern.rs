//! Short strings that match a regular expression.
//!
//! It must stay true that the work is bounded: a pattern is a sender's text. What comes out is only proposed; the
//! validators decide.

use jsonschema_regex::to_rust_regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Longest string in bytes that is built.
const LENGTH_MAX: usize = 256;
/// Characters that read well, tried in this order.
const READABLE: [char; 6] = ['a', 'A', '0', '1', 'x', '-'];

/// How a string is built: what is taken where a pattern leaves a choice.
#[derive(Clone, Copy)]
struct Choice {
    /// How many more times than needed a part is repeated.
    more: u32,
    /// Which of the readable characters, and which branch, is preferred.
    turn: usize,
}

/// A few strings that should match, the shortest way first.
pub(super) fn matching(pattern: &str) -> Vec<String> {
    let Some(hir) = to_rust_regex(pattern).ok().and_then(|text| regex_syntax::parse(&text).ok())
    else {
        return Vec::new();
    };
    let choices = [(0, 0), (1, 0), (0, 1), (2, 2), (8, 0)];
    let mut found: Vec<String> = Vec::new();
    for (more, turn) in choices {
        let mut text = String::new();
        if write(&hir, Choice { more, turn }, &mut text) && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn write(hir: &Hir, choice: Choice, text: &mut String) -> bool {
    if text.len() > LENGTH_MAX {
        return false;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).map(|part| text.push_str(part)).is_ok()
        }
        HirKind::Class(class) => character(class, choice.turn).map(|one| text.push(one)).is_some(),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            let times = repetition.min.saturating_add(choice.more).min(most);
            (0..times).all(|_| write(&repetition.sub, choice, text))
        }
        HirKind::Capture(capture) => write(&capture.sub, choice, text),
        HirKind::Concat(parts) => parts.iter().all(|part| write(part, choice, text)),
        HirKind::Alternation(branches) => {
            let start = text.len();
            (0..branches.len()).any(|offset| {
                text.truncate(start);
                branches
                    .get((choice.turn + offset) % branches.len())
                    .is_some_and(|one| write(one, choice, text))
            })
        }
    }
}

fn character(class: &Class, turn: usize) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|range| (char::from(range.start()), char::from(range.end())))
            .collect(),
    };
    let holds = |one: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&one));
    let readable: Vec<char> = READABLE.into_iter().filter(|one| holds(*one)).collect();
    readable
        .get(turn % readable.len().max(1))
        .copied()
        .or_else(|| ranges.first().map(|(start, _)| *start))
}
