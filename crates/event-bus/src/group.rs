//! What everyone who uses one consumer in this process has in common.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::{ConsumerConfig, ConsumerStats, Error, Position, ordered::Ordered, stats::Consumed};

/// The members of one consumer in this process.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) config: ConsumerConfig,
    pub(crate) consumed: Consumed,
    /// The lanes, if its messages are ordered.
    pub(crate) ordered: Option<Ordered>,
    /// Set when the consumer was removed: its members end, whoever opens one of its name begins anew.
    pub(crate) forgotten: CancellationToken,
}

impl Group {
    fn new(config: ConsumerConfig, epoch: u64) -> Result<Self, Error> {
        let ordered = config.ordering.as_ref().map(|key| Ordered::new(&config, key, epoch));
        let ordered = ordered
            .transpose()
            .map_err(|reason| Error::Consumer { name: config.name.clone(), reason })?;
        Ok(Self {
            config,
            consumed: Consumed::default(),
            ordered,
            forgotten: CancellationToken::new(),
        })
    }
}

/// The consumers that were opened here, by name.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<HashMap<String, Arc<Group>>>);

impl Groups {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Group>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, consumer: &str) -> Option<Arc<Group>> {
        self.all().get(consumer).cloned()
    }

    /// The group of a consumer that the backend has opened, and whether it is new.
    pub(crate) fn open(
        &self,
        config: ConsumerConfig,
        epoch: u64,
    ) -> Result<(Arc<Group>, bool), Error> {
        let mut all = self.all();
        if let Some(group) = all.get(&config.name)
            // Where it would have begun does not matter, for it exists.
            && group.config == (ConsumerConfig { start: group.config.start, ..config.clone() })
        {
            return Ok((Arc::clone(group), false));
        }
        let group = Arc::new(Group::new(config, epoch)?);
        if let Some(old) = all.insert(group.config.name.clone(), Arc::clone(&group)) {
            old.forgotten.cancel();
        }
        Ok((group, true))
    }

    /// Ends the members of a consumer that was removed.
    pub(crate) fn forget(&self, group: &Arc<Group>) {
        group.forgotten.cancel();
        let mut all = self.all();
        if all.get(&group.config.name).is_some_and(|current| Arc::ptr_eq(current, group)) {
            all.remove(&group.config.name);
        }
    }

    /// What the consumers at these positions have done.
    pub(crate) fn stats(&self, positions: Vec<Position>) -> Vec<ConsumerStats> {
        let all = self.all();
        let stats = |position: Position| match all.get(&position.consumer) {
            Some(group) => group.consumed.stats(position),
            None => Consumed::default().stats(position),
        };
        positions.into_iter().map(stats).collect()
    }
}
