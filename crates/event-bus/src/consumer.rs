//! A member of a consumer: takes messages and gives them to the program.

use std::{sync::Arc, time::Duration};

use crate::{ConsumerConfig, Delivery, Error, bus::Shared, delivery::Member};

/// How long to wait before pulling again when pulling failed, so that a broken disk does not also burn the processor.
const PULL_FAILED_WAIT: Duration = Duration::from_secs(1);

/// Takes messages from the bus. Several of one name, here or in other processes, share the work.
#[derive(Debug)]
pub struct Consumer {
    member: Arc<Member>,
}

impl Consumer {
    pub(crate) fn new(shared: Arc<Shared>, config: ConsumerConfig) -> Self {
        let ConsumerConfig { name, retry, .. } = config;
        Self { member: Arc::new(Member { shared, name, retry }) }
    }

    /// The durable name.
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// Waits for the next message. `None` means the bus is draining, or the consumer was removed.
    ///
    /// May be cancelled: nothing is lost, at worst a message comes after its ack wait.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.next_batch(1).await.pop()
    }

    /// Waits for a message, and takes what is there with it, up to `max`. Empty means the bus is draining, or
    /// the consumer was removed.
    ///
    /// May be cancelled like [`Consumer::next`].
    pub async fn next_batch(&mut self, max: usize) -> Vec<Delivery> {
        let shared = &self.member.shared;
        loop {
            let pulled = match shared.backend.pull(&self.member.name, max.max(1)).await {
                Ok(pulled) if pulled.is_empty() => return Vec::new(),
                Ok(pulled) => pulled,
                Err(Error::Closed | Error::NoConsumer { .. }) => return Vec::new(),
                Err(error) => {
                    tracing::error!(
                        consumer = self.member.name,
                        error = &error as &dyn std::error::Error,
                        "pulling failed"
                    );
                    shared.clock.sleep(PULL_FAILED_WAIT).await;
                    continue;
                }
            };
            let attempts_max = self.member.retry.max_attempts;
            let mut deliveries = Vec::with_capacity(pulled.len());
            for delivery in pulled.into_iter().map(|pulled| Delivery::new(pulled, &self.member)) {
                if delivery.attempt > attempts_max {
                    delivery.exhausted().await;
                } else {
                    deliveries.push(delivery);
                }
            }
            if !deliveries.is_empty() {
                let again = deliveries.iter().filter(|delivery| delivery.attempt > 1).count();
                shared.counters.delivered.add(deliveries.len());
                shared.counters.redelivered.add(again);
                return deliveries;
            }
        }
    }
}
