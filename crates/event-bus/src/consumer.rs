//! A member of a consumer: takes messages and gives them to the program.

use std::{sync::Arc, time::Duration};

use crate::{
    ConsumerConfig, Delivery, Error, Pulled, Settlement,
    bus::Shared,
    delivery::Member,
    group::Group,
    ordered::{Look, Ordered},
    sleeping::sleep_until,
};

/// How long to wait before pulling again when pulling failed, so that a broken disk does not also burn the processor.
const PULL_FAILED_WAIT: Duration = Duration::from_secs(1);

/// Takes messages from the bus. Several of one name, here or in other processes, share the work.
#[derive(Debug)]
pub struct Consumer {
    member: Arc<Member>,
    /// What was pulled and not given to the caller, because the call was cancelled.
    pulled: Vec<Delivery>,
}

/// Why there are no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMore {
    /// The bus is draining.
    Drained,
    /// The consumer was removed.
    Forgotten,
}

impl Consumer {
    pub(crate) fn new(shared: Arc<Shared>, group: Arc<Group>) -> Self {
        Self { member: Arc::new(Member { shared, group }), pulled: Vec::new() }
    }

    /// The durable name.
    pub fn name(&self) -> &str {
        &self.member.group.config.name
    }

    pub(crate) fn config(&self) -> &ConsumerConfig {
        &self.member.group.config
    }

    /// Settles messages that are not given back one by one.
    pub(crate) async fn settle(&self, settlements: Vec<Settlement>) {
        self.member.settle(settlements).await;
    }

    /// Waits for the next message. `None` means the bus is draining, or the consumer was removed.
    ///
    /// May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.next_batch(1).await.pop()
    }

    /// Waits for a message, and takes what is there with it, up to `max`. Empty means the bus is draining, or
    /// the consumer was removed.
    ///
    /// May be cancelled like [`Consumer::next`].
    pub async fn next_batch(&mut self, max: usize) -> Vec<Delivery> {
        self.batch(max).await.unwrap_or_default()
    }

    /// Like [`Consumer::next_batch`], and says why there are no more; what it returns is never empty.
    pub(crate) async fn batch(&mut self, max: usize) -> Result<Vec<Delivery>, NoMore> {
        let max = max.max(1);
        while self.pulled.is_empty() {
            let pulled = match &self.member.group.ordered {
                Some(ordered) => self.member.take(ordered, max).await?,
                None => self.member.pull(max).await?,
            };
            let now = self.member.shared.clock.elapsed();
            let attempts_max = self.member.group.config.retry.max_attempts;
            let mut exhausted = Vec::new();
            for pulled in pulled {
                let delivery = Delivery::new(pulled, &self.member, now);
                let tired = delivery.attempt > attempts_max;
                if tired { &mut exhausted } else { &mut self.pulled }.push(delivery);
            }
            // Only what is kept in `self` outlives a cancellation here; the exhausted come back and are found again.
            for delivery in exhausted {
                delivery.exhausted().await;
            }
        }
        let rest = self.pulled.split_off(max.min(self.pulled.len()));
        let deliveries = std::mem::replace(&mut self.pulled, rest);
        let again = deliveries.iter().filter(|delivery| delivery.attempt > 1).count();
        for consumed in [&self.member.shared.counters.consumed, &self.member.group.consumed] {
            consumed.delivered.add(deliveries.len());
            consumed.redelivered.add(again);
        }
        Ok(deliveries)
    }
}

impl Member {
    /// Asks the backend until it has something.
    pub(crate) async fn pull(&self, max: usize) -> Result<Vec<Pulled>, NoMore> {
        loop {
            if self.group.forgotten.is_cancelled() {
                return Err(NoMore::Forgotten);
            }
            match self.shared.backend.pull(&self.group.config.name, max).await {
                Ok(pulled) if pulled.is_empty() => return Err(NoMore::Drained),
                Ok(pulled) => return Ok(pulled),
                Err(Error::Closed) => return Err(NoMore::Drained),
                Err(Error::NoConsumer { .. }) => {
                    self.shared.groups.forget(&self.group);
                    return Err(NoMore::Forgotten);
                }
                Err(error) => {
                    tracing::error!(
                        consumer = self.group.config.name,
                        error = &error as &dyn std::error::Error,
                        "pulling failed"
                    );
                    self.shared.clock.sleep(PULL_FAILED_WAIT).await;
                }
            }
        }
    }

    /// Takes what the lanes let go, and has more pulled while that is nothing.
    async fn take(&self, ordered: &Ordered, max: usize) -> Result<Vec<Pulled>, NoMore> {
        let (shared, group) = (&*self.shared, &*self.group);
        let name = &group.config.name;
        let mut changes = ordered.subscribe();
        loop {
            changes.mark_unchanged();
            if group.forgotten.is_cancelled() {
                return Err(NoMore::Forgotten);
            }
            if shared.closing.is_cancelled() {
                return Err(NoMore::Drained);
            }
            let epoch = shared.backend.epoch(name);
            let Look { pulled, room, lapse } = ordered.take(epoch, shared.clock.elapsed(), max)?;
            if !pulled.is_empty() {
                return Ok(pulled);
            }
            let _want = ordered.want(room.min(max));
            let lapsed = async {
                match lapse {
                    Some(lapse) => sleep_until(&*shared.clock, lapse).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = group.forgotten.cancelled() => {}
                () = shared.closing.cancelled() => {}
                () = lapsed => {}
            }
        }
    }
}
