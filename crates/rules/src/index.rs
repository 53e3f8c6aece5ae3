//! Which rules may care about an event. It must stay true that a lookup never crosses organisations
//! and allocates only its result, for it runs once per event.

use std::collections::HashMap;

use crate::pattern;

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
    /// What a lookup returns.
    pub item: T,
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

/// All rules, by organisation and event type.
#[derive(Debug)]
pub struct RuleIndex<T> {
    /// Best first, so that a place in this list is a rank.
    ranked: Vec<Rule<T>>,
    orgs: HashMap<String, OrgRules>,
    refused: Vec<Refused>,
}

/// The rules of one organisation, as ascending ranks.
#[derive(Debug, Default)]
struct OrgRules {
    exact: HashMap<String, Vec<usize>>,
    patterns: Vec<usize>,
}

impl<T> Default for RuleIndex<T> {
    fn default() -> Self {
        Self { ranked: Vec::new(), orgs: HashMap::new(), refused: Vec::new() }
    }
}

impl<T> RuleIndex<T> {
    /// Builds the index. A rule whose pattern makes no sense is left out, so that it cannot keep the
    /// others from working; [`RuleIndex::refused`] names it.
    pub fn build(rules: Vec<Rule<T>>) -> Self {
        let mut index = Self::default();
        for rule in rules {
            match pattern::check(&rule.type_pattern) {
                Ok(()) => index.ranked.push(rule),
                Err(message) => {
                    index.refused.push(Refused { org: rule.org, order: rule.order, message });
                }
            }
        }
        // Stable: rules that agree in both keep the order in which they were given.
        index
            .ranked
            .sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.order.cmp(&b.order)));
        for (rank, rule) in index.ranked.iter().enumerate() {
            let org = index.orgs.entry(rule.org.clone()).or_default();
            if pattern::is_exact(&rule.type_pattern) {
                org.exact.entry(rule.type_pattern.clone()).or_default().push(rank);
            } else {
                org.patterns.push(rank);
            }
        }
        index
    }

    /// The rules of the organisation that listen to this event type, best first.
    pub fn candidates(&self, org: &str, event_type: &str) -> Vec<&T> {
        let Some(org) = self.orgs.get(org) else { return Vec::new() };
        let exact = org.exact.get(event_type).map_or(&[][..], Vec::as_slice);
        let mut found = Vec::with_capacity(exact.len());
        // Both lists ascend, so merging them keeps the ranks in order.
        let mut exact = exact.iter().peekable();
        for &rank in &org.patterns {
            if !pattern::matches(&self.ranked[rank].type_pattern, event_type) {
                continue;
            }
            while let Some(&better) = exact.next_if(|&&better| better < rank) {
                found.push(&self.ranked[better].item);
            }
            found.push(&self.ranked[rank].item);
        }
        found.extend(exact.map(|&rank| &self.ranked[rank].item));
        found
    }

    /// The rules that were left out, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// How many rules are in the index.
    pub fn len(&self) -> usize {
        self.ranked.len()
    }

    /// Whether no rule is in the index.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }
}
