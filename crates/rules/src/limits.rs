//! What a rule may cost, measured before it is kept. It must stay true that a pattern is measured before anything walks it
//! without end or multiplies it, and that a refusal names what was measured and the limit.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    filter::{Branch, Filter, Leaf, Whole},
    pattern::{self, Pattern},
    predicate::Predicate,
    problem::Problem,
};

/// The longest pattern, in bytes of JSON without spaces.
pub const PATTERN_LENGTH_MAX: usize = 64 * 1024;

/// How deep lists and objects of a pattern may nest.
pub const PATTERN_NESTING_MAX: usize = 64;

/// The most ways to satisfy one pattern: several `$or` beside each other multiply.
pub const BRANCHES_MAX: usize = 256;

/// The most values that a pattern compares with, each counted once for every way to satisfy the pattern that it is part of.
pub const VALUES_MAX: usize = 1_000;

/// The most stars of one wildcard.
pub const WILDCARD_STARS_MAX: usize = 32;

/// The most that asking a whole pattern once may cost, in steps of some ten nanoseconds, see [`Cost::steps`].
pub const VERIFY_STEPS_MAX: usize = 20_000;

/// The most problems of one pattern that are listed.
pub(crate) const PROBLEMS_MAX: usize = 50;

/// The text that a cost is estimated for, in bytes.
const TEXT_TYPICAL: usize = 256;

/// What a filter costs: for those who budget rules, and those who look for the expensive one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Ways to satisfy the pattern.
    pub branches: usize,
    /// Fields that are asked, in all branches.
    pub fields: usize,
    /// Questions to values, in all branches.
    pub predicates: usize,
    /// Questions that a regular expression answers, in all branches.
    pub regexes: usize,
    /// Bytes of the pattern as JSON without spaces.
    pub bytes: usize,
    /// Conditions beside the pattern.
    pub conditions: usize,
    /// Steps of some ten nanoseconds that asking every question of the pattern once takes, if each field has one text of
    /// 256 bytes. Most events take far less: an index answers most questions without asking.
    pub steps: usize,
}

impl Filter {
    /// What the filter costs.
    pub fn cost(&self) -> Cost {
        let conditions = self.conditions.len();
        Cost { bytes: self.written.len(), conditions, ..of_branches(&self.branches) }
    }
}

/// What conjunctions cost.
pub(crate) fn of_branches(branches: &[Branch]) -> Cost {
    let mut cost = Cost { branches: branches.len(), ..Cost::default() };
    let leaves = branches.iter().flat_map(|branch| &branch.groups).flat_map(|group| &group.leaves);
    for leaf in leaves {
        cost.fields += 1;
        for predicate in questions(leaf) {
            cost.predicates += 1;
            let (steps, regexes) = of_predicate(predicate);
            cost.steps = cost.steps.saturating_add(steps);
            cost.regexes += regexes;
        }
    }
    cost
}

fn questions(leaf: &Leaf) -> impl Iterator<Item = &Predicate> {
    let whole = leaf.whole.iter().flat_map(|whole| match whole {
        Whole::Absent => &[][..],
        Whole::NoneOf(list) | Whole::AllOf(list) => list,
    });
    leaf.any.iter().chain(whole)
}

/// The steps of one question, and how many regular expressions are in it.
fn of_predicate(predicate: &Predicate) -> (usize, usize) {
    const SEARCH: usize = TEXT_TYPICAL / 8;
    match predicate {
        Predicate::AnythingBut(list) | Predicate::Every(list) => {
            list.iter().map(of_predicate).fold((1, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        }
        Predicate::EqualsFold(_)
        | Predicate::PrefixFold(_)
        | Predicate::SuffixFold(_)
        | Predicate::Contains(_) => (1 + SEARCH, 0),
        Predicate::Wildcard(glob) => (1 + glob.parts.len() + SEARCH, 0),
        // Where its automaton has to grow, a byte takes some times as long.
        Predicate::Matches(_) => (1 + 4 * SEARCH, 1),
        _ => (1, 0),
    }
}

/// Refuses a pattern that is too large, before anything else looks at it.
pub(crate) fn measure(pattern: &Pattern) -> Result<(), Problem> {
    let refused = |message: String| Problem { pointer: String::new(), message };
    let Pattern(value) = pattern;
    if is_deeper(value, PATTERN_NESTING_MAX) {
        return Err(refused(format!(
            "the pattern is nested deeper than {PATTERN_NESTING_MAX}, which is the limit: ask fewer levels at once"
        )));
    }
    let bytes = length(value);
    if bytes > PATTERN_LENGTH_MAX {
        return Err(refused(format!(
            "the pattern has {bytes} bytes, but {PATTERN_LENGTH_MAX} are the limit: make several rules of it"
        )));
    }
    let size = value.as_object().map_or(Size::ONE, Size::of);
    if size.branches > BRANCHES_MAX {
        return Err(refused(format!(
            "there are {} ways to satisfy the pattern, but {BRANCHES_MAX} are the limit: each `$or` beside another multiplies them, so make several rules of it",
            size.branches
        )));
    }
    if size.values > VALUES_MAX {
        return Err(refused(format!(
            "the pattern compares with {} values, each counted in every way to satisfy it, but {VALUES_MAX} are the limit: make several rules of it",
            size.values
        )));
    }
    Ok(())
}

/// Refuses conjunctions that would take too long to ask.
pub(crate) fn check_steps(branches: &[Branch]) -> Result<(), Problem> {
    let Cost { steps, .. } = of_branches(branches);
    if steps <= VERIFY_STEPS_MAX {
        return Ok(());
    }
    let message = format!(
        "asking the pattern takes about {steps} steps, but {VERIFY_STEPS_MAX} are the limit: use fewer wildcards and regular expressions, or make several rules of it"
    );
    Err(Problem { pointer: String::new(), message })
}

/// Whether a value nests deeper than so many levels; looks no deeper.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|field| is_deeper(field, levels - 1))
        }
        _ => false,
    }
}

/// The bytes of a value as JSON.
fn length(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail; if it did, the length would be too much.
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}

/// How large a pattern becomes when its alternatives are multiplied out.
#[derive(Clone, Copy)]
struct Size {
    branches: usize,
    values: usize,
}

impl Size {
    const NONE: Self = Self { branches: 0, values: 0 };
    const ONE: Self = Self { branches: 1, values: 0 };

    fn of(fields: &Map<String, Value>) -> Self {
        fields.iter().fold(Self::ONE, |size, (name, value)| size.and(Self::of_field(name, value)))
    }

    fn of_field(name: &str, value: &Value) -> Self {
        if let Some(members) = pattern::or_members(name, value) {
            return members.fold(Self::NONE, |size, member| size.or(Self::of(member)));
        }
        if let Some(members) = pattern::and_members(name, value) {
            return members.fold(Self::ONE, |size, member| size.and(Self::of(member)));
        }
        match value {
            Value::Object(fields) if !pattern::is_operators(fields) => Self::of(fields),
            leaf => Self { branches: 1, values: values(leaf) },
        }
    }

    fn and(self, other: Self) -> Self {
        let first = self.values.saturating_mul(other.branches);
        let second = other.values.saturating_mul(self.branches);
        Self {
            branches: self.branches.saturating_mul(other.branches),
            values: first.saturating_add(second),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            branches: self.branches.saturating_add(other.branches),
            values: self.values.saturating_add(other.values),
        }
    }
}

/// How many texts, numbers, booleans and nulls are in a value.
fn values(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(fields) => fields.values().map(values).sum(),
        _ => 1,
    }
}
