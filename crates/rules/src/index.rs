//! Which rules match an event: by organisation and type first, then by their filters. It must stay true that a look-up
//! never crosses organisations, and that a change disturbs no look-up.

mod entry;
mod part;
mod partition;
mod rules;
mod shards;

use std::{fmt, sync::Arc};

pub use self::rules::Rules;
use self::{entry::Entry, partition::Partition, shards::Shards};
use crate::{
    filter::Filter,
    hash::Map,
    matcher::{Scratch, fuel},
    reader::Unreadable,
    type_pattern,
};

/// One rule: what it listens to, how it ranks, and what the caller wants back.
#[derive(Debug, Clone)]
pub struct Rule<T> {
    /// The organisation that owns it.
    pub org: String,
    /// An event type, or a pattern such as `message.*` or `custom.webhook.github.>`.
    pub type_pattern: String,
    /// Higher comes first.
    pub priority: i32,
    /// Decides between equal priorities, smaller first; a name or an id.
    pub order: String,
    /// What must hold for the event besides its type.
    pub filter: Arc<Filter>,
    /// What a lookup returns.
    pub item: T,
}

/// What an event matched.
#[derive(Debug)]
pub struct Matches<'a, T> {
    /// The items of the rules that hold, best first.
    pub items: Vec<&'a T>,
    /// How many rules listen to the type.
    pub listening: usize,
    /// The items of rules that could not be decided within the limits of work, and therefore do not hold.
    pub undecided: Vec<&'a T>,
}

/// A rule that was left out of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The organisation of the rule.
    pub org: String,
    /// The `order` of the rule, which tells the caller which one it is.
    pub order: String,
    /// What is wrong with its pattern.
    pub message: String,
}

/// All rules, by organisation and event type, as they are at one time. See [`Rules`] for those that change.
pub struct RuleIndex<T> {
    orgs: Shards<Arc<OrgRules<T>>>,
    len: usize,
    refused: Arc<[Refused]>,
}

/// The rules of one organisation.
struct OrgRules<T> {
    exact: Shards<Arc<Partition<T>>>,
    patterns: Option<Arc<Partition<T>>>,
}

/// What the parts of an index found for one event.
struct Collected<'a, T> {
    found: Vec<&'a Entry<T>>,
    undecided: Vec<&'a Entry<T>>,
    listening: usize,
    /// How many parts found something.
    parts: usize,
    /// The steps that are left.
    left: usize,
}

impl<T> RuleIndex<T> {
    /// Builds the index. A rule whose pattern makes no sense is left out, so that it cannot keep the
    /// others from working; [`RuleIndex::refused`] names it.
    pub fn build(rules: Vec<Rule<T>>) -> Self {
        let mut refused = Vec::new();
        let mut accepted = Vec::with_capacity(rules.len());
        for (number, rule) in (0..).zip(rules) {
            match check(&rule) {
                Ok(()) => accepted.push(Entry::new(rule, number)),
                Err(problem) => refused.push(problem),
            }
        }
        Self::of(&accepted, refused)
    }

    /// The index of rules that were checked.
    fn of(rules: &[Accepted<T>], refused: Vec<Refused>) -> Self {
        let mut partitions: Map<Partitioned<'_>, Vec<Accepted<T>>> = Map::default();
        for rule in rules {
            partitions
                .entry((&rule.0.org, key(&rule.0.type_pattern)))
                .or_default()
                .push(rule.clone());
        }
        let mut index = Self { len: rules.len(), refused: refused.into(), ..Self::default() };
        for ((org, key), rules) in partitions {
            index.set(org, key, Some(Partition::build(&rules)));
        }
        index
    }

    /// The rules of the organisation that listen to this event type, best first.
    pub fn candidates(&self, org: &str, event_type: &str) -> Vec<&T> {
        let Some(org) = self.orgs.get(org) else { return Vec::new() };
        let partitions = org.partitions(event_type);
        let mut found: Vec<_> =
            partitions.flat_map(|partition| partition.listening(event_type)).collect();
        found.sort_by(|a, b| a.rank(b));
        found.into_iter().map(|entry| &entry.item).collect()
    }

    /// Some of the rules that listen to this event type, from a place on and round again, in no order: for showing a few of
    /// those that did not match. As many as asked for of those that name the type, and of those with a pattern; the work does
    /// not grow with the rules that there are.
    pub fn some(&self, org: &str, event_type: &str, (from, at_most): (usize, usize)) -> Vec<&T> {
        let Some(org) = self.orgs.get(org) else { return Vec::new() };
        let partitions = org.partitions(event_type);
        let found = partitions.flat_map(|partition| partition.some(event_type, from).take(at_most));
        found.map(|entry| &entry.item).collect()
    }

    /// The rules of the organisation that listen to this event type and hold for the event, as its bytes.
    ///
    /// # Errors
    ///
    /// When the event is not a JSON object.
    pub fn matching<'a>(
        &'a self,
        org: &str,
        event_type: &str,
        event: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Matches<'a, T>, Unreadable> {
        let mut collected = Collected {
            found: Vec::new(),
            undecided: Vec::new(),
            listening: 0,
            parts: 0,
            left: fuel(event, 0),
        };
        scratch.work.begin();
        if let Some(org) = self.orgs.get(org) {
            for partition in org.partitions(event_type) {
                partition.matching(event_type, event, scratch, &mut collected)?;
            }
        }
        Ok(collected.ranked())
    }

    /// The rules that were left out, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// How many rules are in the index.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no rule is in the index.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn partition(&self, org: &str, key: Option<&str>) -> Option<&Arc<Partition<T>>> {
        let org = self.orgs.get(org)?;
        key.map_or(org.patterns.as_ref(), |key| org.exact.get(key))
    }

    /// Sets or removes the rules of one type, or those with patterns.
    fn set(&mut self, org: &str, key: Option<&str>, partition: Option<Partition<T>>) {
        let mut rules = self.orgs.get(org).map_or_else(OrgRules::default, |org| (**org).clone());
        let partition = partition.map(Arc::new);
        match key {
            Some(key) => rules.exact.set(key, partition),
            None => rules.patterns = partition,
        }
        let is_empty = rules.patterns.is_none() && rules.exact.is_empty();
        self.orgs.set(org, (!is_empty).then(|| Arc::new(rules)));
    }
}

/// A rule that was checked, in its two parts.
type Accepted<T> = (Arc<Entry<T>>, Arc<Filter>);

/// An organisation, and what [`key`] says of a type pattern.
type Partitioned<'a> = (&'a str, Option<&'a str>);

/// Under which name rules with a type pattern are kept: their type, or none for patterns.
fn key(type_pattern: &str) -> Option<&str> {
    type_pattern::is_exact(type_pattern).then_some(type_pattern)
}

/// Whether the type pattern of a rule makes sense.
fn check<T>(rule: &Rule<T>) -> Result<(), Refused> {
    type_pattern::check(&rule.type_pattern).map_err(|message| Refused {
        org: rule.org.clone(),
        order: rule.order.clone(),
        message,
    })
}

impl<T> OrgRules<T> {
    fn partitions(&self, event_type: &str) -> impl Iterator<Item = &Partition<T>> {
        self.exact.get(event_type).into_iter().chain(&self.patterns).map(|partition| &**partition)
    }
}

impl<'a, T> Collected<'a, T> {
    fn ranked(mut self) -> Matches<'a, T> {
        // What one part found is in its order.
        if self.parts > 1 {
            self.found.sort_by(|a, b| a.rank(b));
        }
        Matches {
            items: self.found.into_iter().map(|entry| &entry.item).collect(),
            listening: self.listening,
            undecided: self.undecided.into_iter().map(|entry| &entry.item).collect(),
        }
    }
}

impl<T> Default for RuleIndex<T> {
    fn default() -> Self {
        Self { orgs: Shards::default(), len: 0, refused: Arc::default() }
    }
}

impl<T> Clone for RuleIndex<T> {
    fn clone(&self) -> Self {
        Self { orgs: self.orgs.clone(), len: self.len, refused: self.refused.clone() }
    }
}

impl<T> fmt::Debug for RuleIndex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len, refused, .. } = self;
        f.debug_struct("RuleIndex")
            .field("len", len)
            .field("refused", refused)
            .finish_non_exhaustive()
    }
}

impl<T> Default for OrgRules<T> {
    fn default() -> Self {
        Self { exact: Shards::default(), patterns: None }
    }
}

impl<T> Clone for OrgRules<T> {
    fn clone(&self) -> Self {
        Self { exact: self.exact.clone(), patterns: self.patterns.clone() }
    }
}
