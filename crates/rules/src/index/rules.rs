//! Rules that change while they are used. It must stay true that readers never wait, that a change is in force for whoever
//! loads after it, and that two changes never lose one another.

use std::{
    fmt,
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use hashbrown::{HashTable, hash_table::Entry as Found};

use super::{Refused, Rule, RuleIndex, check, entry::Entry, key, partition::Partition};
use crate::hash::Hasher;

/// Rules for many readers, and changes of single rules that cost about a millisecond, however many rules there are.
pub struct Rules<T> {
    index: ArcSwap<RuleIndex<T>>,
    writer: Mutex<Writer<T>>,
    /// Held while parts are joined, which may take longer and does not keep others from changes.
    joining: Mutex<()>,
}

/// What changes need.
struct Writer<T> {
    /// By organisation and order.
    entries: HashTable<Arc<Entry<T>>>,
    hasher: Hasher,
    /// The number of the next rule.
    next: u64,
}

impl<T> Rules<T> {
    /// Holds these rules from now on. Of rules with the same organisation and order the last counts.
    pub fn new(rules: Vec<Rule<T>>) -> Self {
        let (index, writer) = Writer::of(rules);
        Self {
            index: ArcSwap::from_pointee(index),
            writer: Mutex::new(writer),
            joining: Mutex::new(()),
        }
    }

    /// The rules as they are now. Hold it for one event or one batch.
    pub fn load(&self) -> Arc<RuleIndex<T>> {
        self.index.load_full()
    }

    /// Replaces all rules, as [`Rules::new`] takes them.
    pub fn replace(&self, rules: Vec<Rule<T>>) {
        let (index, new) = Writer::of(rules);
        let mut writer = self.writer();
        *writer = new;
        self.index.store(Arc::new(index));
    }

    /// Adds a rule, or changes the one of the same organisation and order. The items of an older state are dropped when
    /// nobody holds it any more.
    ///
    /// # Errors
    ///
    /// When the type pattern makes no sense; then nothing has changed.
    pub fn put(&self, rule: Rule<T>) -> Result<(), Refused> {
        check(&rule)?;
        let entry = {
            let mut writer = self.writer();
            let (entry, filter) = Entry::new(rule, writer.next);
            writer.next += 1;
            let mut index = RuleIndex::clone(&self.index.load());
            if let Some(before) = writer.insert(&entry) {
                index.remove(&before);
            }
            let partition = index.partition(&entry.org, key(&entry.type_pattern));
            let partition = match partition {
                Some(partition) => Partition::clone(partition).with(&entry, &filter),
                None => Partition::build(&[(entry.clone(), filter)]),
            };
            index.set(&entry.org, key(&entry.type_pattern), Some(partition));
            index.len += 1;
            self.index.store(Arc::new(index));
            entry
        };
        self.join(&entry.org, key(&entry.type_pattern));
        Ok(())
    }

    /// Removes a rule; whether there was one.
    pub fn remove(&self, org: &str, order: &str) -> bool {
        let removed = {
            let mut writer = self.writer();
            let removed = writer.remove(org, order);
            if let Some(entry) = &removed {
                let mut index = RuleIndex::clone(&self.index.load());
                index.remove(entry);
                self.index.store(Arc::new(index));
            }
            removed
        };
        if let Some(entry) = &removed {
            self.join(org, key(&entry.type_pattern));
        }
        removed.is_some()
    }

    /// Joins parts of a partition after the change that made this necessary is in force.
    fn join(&self, org: &str, key: Option<&str>) {
        // Whoever joins now will see what is due, or the next change will.
        let Ok(_joining) = self.joining.try_lock() else { return };
        while let Some(joined) = self.load().partition(org, key).and_then(|p| p.join()) {
            let _writer = self.writer();
            let mut index = RuleIndex::clone(&self.index.load());
            let partition = index.partition(org, key).map(|partition| Partition::clone(partition));
            let Some(partition) = partition.and_then(|p| p.with_joined(joined)) else { return };
            index.set(org, key, Some(partition));
            self.index.store(Arc::new(index));
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer<T>> {
        // A panic cannot leave it half changed but for a rule that is missing, and the rest goes on.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Writer<T> {
    fn of(rules: Vec<Rule<T>>) -> (RuleIndex<T>, Self) {
        let mut refused = Vec::new();
        let mut accepted = Vec::with_capacity(rules.len());
        let mut writer = Self::default();
        for rule in rules {
            if let Err(problem) = check(&rule) {
                refused.push(problem);
                continue;
            }
            let (entry, filter) = Entry::new(rule, writer.next);
            writer.next += 1;
            writer.insert(&entry);
            accepted.push((entry, filter));
        }
        // Those that a later one has replaced are held nowhere else.
        accepted.retain(|(entry, _)| Arc::strong_count(entry) > 1);
        (RuleIndex::of(&accepted, refused), writer)
    }

    /// Adds a rule; the one that it replaces, if there is one.
    fn insert(&mut self, entry: &Arc<Entry<T>>) -> Option<Arc<Entry<T>>> {
        let Self { entries, hasher, .. } = self;
        let name = name_of(entry);
        let found = entries.entry(
            hasher.hash_one(name),
            |own| name_of(own) == name,
            |own| hasher.hash_one(name_of(own)),
        );
        match found {
            Found::Occupied(mut own) => Some(std::mem::replace(own.get_mut(), entry.clone())),
            Found::Vacant(place) => {
                place.insert(entry.clone());
                None
            }
        }
    }

    fn remove(&mut self, org: &str, order: &str) -> Option<Arc<Entry<T>>> {
        let hash = self.hasher.hash_one((org, order));
        let found = self.entries.find_entry(hash, |own| name_of(own) == (org, order));
        found.ok().map(|own| own.remove().0)
    }
}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Self { entries: HashTable::new(), hasher: Hasher::default(), next: 0 }
    }
}

fn name_of<T>(entry: &Entry<T>) -> (&str, &str) {
    (&entry.org, &entry.order)
}

impl<T> RuleIndex<T> {
    fn remove(&mut self, entry: &Arc<Entry<T>>) {
        let key = key(&entry.type_pattern);
        if let Some(partition) = self.partition(&entry.org, key) {
            let partition = Partition::clone(partition).without(entry);
            self.set(&entry.org, key, partition);
            self.len -= 1;
        }
    }
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> fmt::Debug for Rules<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rules").field(&self.load()).finish()
    }
}
