//! Whether the patterns of a schema are matched in time that grows with the text alone.
//!
//! It must stay true that a pattern that is let through costs at most [`STATES_MAX`] steps for a byte of text. The engine
//! is linear, but a step of it may touch every state of the pattern: 5,000 states and a text of a megabyte take half a
//! minute. A pattern that begins with `^` and can match in one way at a time, or in few, never touches more than those.

use std::collections::HashSet;

use regex_automata::{
    dfa::{StartKind, dense, onepass},
    nfa::thompson::{self, pikevm::PikeVM},
};
use serde_json::Value;

use super::{
    Unusable,
    graph::{Graph, Part},
    refs,
};

/// Largest pattern in bytes of its compiled form.
pub(crate) const PATTERN_MAX: usize = 1 << 20;
/// Largest table in bytes of all that a pattern can be in the middle of at once.
const TABLE_MAX: usize = 256 << 10;
/// Largest patterns of one schema in bytes, compiled forms and tables together: they are made while it is looked at.
const PATTERNS_MAX: usize = 3 << 19;
/// Most different patterns of one schema.
const COUNT_MAX: usize = 256;
/// Most states of a pattern that may be in the middle of anything: two or three seconds for a megabyte, at worst.
const STATES_MAX: usize = 400;

/// Refuses patterns that are none, too large or too slow.
pub(super) fn check(graph: &Graph<'_>) -> Result<(), Unusable> {
    let mut known = HashSet::new();
    let mut left = PATTERNS_MAX;
    for part in &graph.parts {
        for (pointer, pattern) in of(part) {
            if !known.insert(pattern) {
                continue;
            }
            let used =
                look_at(pattern).map_err(|reason| Unusable { pointer: pointer.clone(), reason })?;
            left = left.checked_sub(used).filter(|_| known.len() <= COUNT_MAX).ok_or_else(|| Unusable {
                pointer,
                reason: "is one pattern too many: together they are too large; use enum or maxLength instead"
                    .to_owned(),
            })?;
        }
    }
    Ok(())
}

/// The patterns of a part with their pointers.
fn of<'a>(part: &Part<'a>) -> Vec<(String, &'a str)> {
    let pattern = part.keyword("pattern").and_then(Value::as_str);
    let names = part.keyword("patternProperties").and_then(Value::as_object);
    let pattern = pattern.map(|pattern| (format!("{}/pattern", part.pointer), pattern));
    let names = names.into_iter().flatten().map(|(name, _)| {
        (format!("{}/patternProperties/{}", part.pointer, refs::escape(name)), name.as_str())
    });
    pattern.into_iter().chain(names).collect()
}

/// How many bytes a pattern takes.
fn look_at(pattern: &str) -> Result<usize, String> {
    let not_read = || {
        "is no pattern that can be matched in linear time: look-around and back-references are not read; write it \
         without them"
            .to_owned()
    };
    let too_large = || {
        format!(
            "is a pattern of more than {} KiB when compiled; use maxLength in place of {{1,n}}",
            PATTERN_MAX / 1024
        )
    };
    if pattern.len() > PATTERN_MAX / 16 {
        return Err(too_large());
    }
    let translated = jsonschema_regex::to_rust_regex(pattern).map_err(|()| not_read())?;
    let config = thompson::Config::new().nfa_size_limit(Some(PATTERN_MAX));
    let nfa = thompson::Compiler::new()
        .configure(config)
        .build(&translated)
        .map_err(|error| if error.size_limit().is_some() { too_large() } else { not_read() })?;
    let used = nfa.memory_usage();
    if nfa.states().len() <= STATES_MAX {
        return Ok(used);
    }
    let too_many_ways = "is a pattern that can match in too many ways at once; begin it with ^, and use maxLength in place \
                         of {1,n}";
    if !nfa.is_always_start_anchored() {
        return Err(too_many_ways.to_owned());
    }
    let config = onepass::Config::new().size_limit(Some(4 * PATTERN_MAX));
    if onepass::Builder::new().configure(config).build_from_nfa(nfa.clone()).is_ok() {
        return Ok(used);
    }
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(TABLE_MAX))
        .determinize_size_limit(Some(TABLE_MAX));
    let table = dense::Builder::new().configure(config).build_from_nfa(&nfa);
    table.map(|table| used + table.memory_usage()).map_err(|_| too_many_ways.to_owned())
}

/// Whether a pattern matches a name; nothing where that cannot be told.
pub(crate) fn pattern_matches(pattern: &str, name: &str) -> Option<bool> {
    let translated = jsonschema_regex::to_rust_regex(pattern).ok()?;
    let config = thompson::Config::new().nfa_size_limit(Some(PATTERN_MAX));
    let nfa = thompson::Compiler::new().configure(config).build(&translated).ok()?;
    let engine = PikeVM::new_from_nfa(nfa).ok()?;
    Some(engine.is_match(&mut engine.create_cache(), name))
}
