//! What an index keeps of a rule besides its filter. It must stay true that entries have one order, that of their rules.

use std::{cmp::Ordering, sync::Arc};

use super::Rule;
use crate::filter::Filter;

/// A rule without its filter.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) org: Box<str>,
    pub(crate) type_pattern: Box<str>,
    pub(crate) order: Box<str>,
    pub(crate) priority: i32,
    /// Later rules have larger numbers.
    pub(crate) number: u64,
    pub(crate) item: T,
}

impl<T> Entry<T> {
    /// Takes a rule apart.
    pub(crate) fn new(rule: Rule<T>, number: u64) -> (Arc<Self>, Arc<Filter>) {
        let Rule { org, type_pattern, priority, order, filter, item } = rule;
        let entry = Self {
            org: org.into(),
            type_pattern: type_pattern.into(),
            order: order.into(),
            priority,
            number,
            item,
        };
        (Arc::new(entry), filter)
    }

    /// Best first; rules that agree in all keep the order in which they came.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        let by_priority = other.priority.cmp(&self.priority);
        by_priority
            .then_with(|| self.order.cmp(&other.order))
            .then_with(|| self.number.cmp(&other.number))
    }
}
