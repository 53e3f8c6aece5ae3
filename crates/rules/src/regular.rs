//! Regular expressions with an end. It must stay true that a match costs a bounded time, whatever the pattern and the
//! text.
//!
//! The usual engine is linear in the text, but with the size of the pattern as a factor: a pattern of 30 bytes took ten
//! seconds on a text of 64 KiB. Here an automaton is built lazily while the text is read; where that does not pay
//! (every byte makes a new state), it gives up, and the slow engine runs only if its whole cost can be paid for.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use regex_automata::{
    Input,
    hybrid::dfa::{self, Cache, DFA},
    nfa::thompson::{Compiler, Config, NFA, WhichCaptures, pikevm::PikeVM},
    util::{
        pool::Pool,
        syntax::{self, parse_with},
    },
};

use crate::fuel::{Exhausted, Fuel};

/// The longest regular expression, in bytes.
pub const REGEX_LENGTH_MAX: usize = 1024;

/// All regular expressions of one list of conditions together, in bytes: reading a kilobyte of the worst (large
/// classes without regard to case) takes 15 ms.
pub const REGEXES_LENGTH_MAX: usize = 4 * 1024;

/// The memory of one compiled regular expression: more than a sensible one needs, and little enough that repetition of
/// repetition is refused within milliseconds.
const SIZE_MAX: usize = 2 * 1024 * 1024;

/// The memory of all compiled regular expressions of one list; compiling a megabyte takes some 6 ms.
const SIZES_MAX: usize = 4 * 1024 * 1024;

/// How deep a regular expression may nest: its parser keeps a stack of it.
const NESTING_MAX: u32 = 32;

/// The memory for the states that are built while reading; also what bounds the time until giving up.
const CACHE_MAX: usize = 256 * 1024;

/// How often that memory may be full before the search gives up...
const CLEARED_MAX: usize = 1;

/// ...unless a state still serves so many bytes.
const BYTES_PER_STATE: usize = 10;

/// What giving up has cost, in steps.
const GAVE_UP: usize = 200_000;

/// What the regular expressions of one list may still take.
#[derive(Debug)]
pub(crate) struct Budget {
    length: usize,
    size: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { length: REGEXES_LENGTH_MAX, size: SIZES_MAX }
    }
}

type NewCache =
    Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>;

/// A compiled regular expression; clones share it.
#[derive(Clone)]
pub(crate) struct Regular(Arc<Inner>);

impl PartialEq for Regular {
    fn eq(&self, other: &Self) -> bool {
        self.0.pattern == other.0.pattern
    }
}

impl Eq for Regular {}

impl Hash for Regular {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.pattern.hash(state);
    }
}

struct Inner {
    pattern: Box<str>,
    automaton: DFA,
    caches: Pool<Cache, NewCache>,
}

impl Regular {
    /// Compiles a pattern and takes what it needs from the budget; the error is a sentence.
    pub(crate) fn compile(pattern: &str, budget: &mut Budget) -> Result<Self, String> {
        let length = pattern.len();
        if length > REGEX_LENGTH_MAX {
            return Err(format!(
                "the regular expression has {length} bytes, but {REGEX_LENGTH_MAX} are the limit"
            ));
        }
        budget.length = budget.length.checked_sub(length).ok_or_else(|| {
            format!(
                "the regular expressions of the rule have more than {REGEXES_LENGTH_MAX} bytes together"
            )
        })?;
        let syntax = syntax::Config::new().nest_limit(NESTING_MAX);
        let parsed = parse_with(pattern, &syntax).map_err(|error| {
            // The last of the lines says what; those before draw the pattern.
            let text = error.to_string();
            let what = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("the regular expression is not valid: {what}")
        })?;
        let limit = SIZE_MAX.min(budget.size);
        let config = Config::new().nfa_size_limit(Some(limit)).which_captures(WhichCaptures::None);
        let built = Compiler::new().configure(config).build_from_hir(&parsed);
        // A failure has cost as much as it was allowed to.
        let used = built.as_ref().map_or(limit, NFA::memory_usage);
        budget.size = budget.size.saturating_sub(used);
        let nfa = built.map_err(|_| {
            "the regular expression would take too much memory: repeat less, or write [a-z0-9_] where \\w (all letters of Unicode) is not meant"
                .to_owned()
        })?;
        Self::of(pattern, nfa)
    }

    /// The pattern as its author wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0.pattern
    }

    fn of(pattern: &str, nfa: NFA) -> Result<Self, String> {
        let config = dfa::Config::new()
            .cache_capacity(CACHE_MAX)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(CLEARED_MAX))
            .minimum_bytes_per_state(Some(BYTES_PER_STATE))
            // Works on ASCII; a text beyond it is left to the other engine.
            .unicode_word_boundary(true);
        let built = dfa::Builder::new().configure(config).build_from_nfa(nfa);
        let automaton =
            built.map_err(|error| format!("the regular expression cannot be used: {error}"))?;
        let template = automaton.clone();
        let new: NewCache = Box::new(move || template.create_cache());
        Ok(Self(Arc::new(Inner { pattern: pattern.into(), automaton, caches: Pool::new(new) })))
    }

    /// Whether it matches somewhere in the text.
    pub(crate) fn is_match(&self, text: &[u8], fuel: &mut Fuel) -> Result<bool, Exhausted> {
        fuel.spend(1 + text.len() / 8)?;
        let Inner { automaton, caches, .. } = &*self.0;
        let input = Input::new(text).earliest(true);
        if let Ok(found) = automaton.try_search_fwd(&mut caches.get(), &input) {
            return Ok(found.is_some());
        }
        let nfa = automaton.get_nfa();
        let steps = nfa.states().len().saturating_mul(text.len() + 1);
        fuel.spend(GAVE_UP.saturating_add(steps))?;
        // Built again from what was built before, which cannot fail; without an answer there is no match.
        let machine = PikeVM::new_from_nfa(nfa.clone()).map_err(|_| Exhausted)?;
        Ok(machine.is_match(&mut machine.create_cache(), input))
    }
}

impl fmt::Debug for Regular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regular").finish_non_exhaustive()
    }
}
