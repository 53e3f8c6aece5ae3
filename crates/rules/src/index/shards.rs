//! A map of which a changed copy costs little, however large it is. It must stay true that copies share all shards but
//! those that were changed since.

use std::{hash::BuildHasher, sync::Arc};

use crate::hash::{Hasher, Map};

type Shard<V> = Map<Box<str>, V>;

/// Entries of a shard, on average at most.
const FILL: usize = 64;

/// Values by name. Without a value it has no shard.
#[derive(Debug, Clone)]
pub(crate) struct Shards<V> {
    /// A power of two.
    shards: Vec<Arc<Shard<V>>>,
    hasher: Hasher,
    len: usize,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { shards: Vec::new(), hasher: Hasher::default(), len: 0 }
    }
}

impl<V: Clone> Shards<V> {
    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.shards.get(self.place(name))?.get(name)
    }

    /// Sets or removes the value of a name.
    pub(crate) fn set(&mut self, name: &str, value: Option<V>) {
        if self.len >= self.shards.len() * FILL {
            self.grow();
        }
        let place = self.place(name);
        let shard = Arc::make_mut(&mut self.shards[place]);
        let before = shard.len();
        match value {
            Some(value) => drop(shard.insert(name.into(), value)),
            None => drop(shard.remove(name)),
        }
        self.len = self.len - before + shard.len();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(&self, name: &str) -> usize {
        self.hasher.hash_one(name) as usize & self.shards.len().wrapping_sub(1)
    }

    fn grow(&mut self) {
        let count = (self.shards.len() * 2).max(1);
        let mut shards: Vec<Shard<V>> = Vec::new();
        shards.resize_with(count, Map::default);
        for (name, value) in self.shards.iter().flat_map(|shard| shard.iter()) {
            let place = self.hasher.hash_one(name) as usize & (count - 1);
            shards[place].insert(name.clone(), value.clone());
        }
        self.shards = shards.into_iter().map(Arc::new).collect();
    }
}
