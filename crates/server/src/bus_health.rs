//! The agent that says when the bus cannot be reached: in an event once per outage, and in `/readyz` at once.
//!
//! Readiness does not suffer: the store takes events while the bus is away.

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock, Random};
use omni_event_bus::{EventBus, Health};
use omni_event_log::{AppendError, EventLog};
use omni_events::payload::HealthDegraded;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::system;

/// The type of the event.
const TYPE: &str = "system.health.degraded";
/// Whose keys make the event one, however often it is tried.
const SCOPE: &str = "system.health";
/// The pause between tries while the store is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches the bus of one process.
#[derive(Debug)]
pub(crate) struct BusHealth {
    pub(crate) bus: EventBus,
    pub(crate) log: EventLog,
    pub(crate) shown: omni_api::Health,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
}

impl BusHealth {
    /// Runs until stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut health = self.bus.health();
        // Ends also when nothing can change any more.
        let _ = stop.run_until_cancelled(Box::pin(self.watch(&mut health))).await;
    }

    async fn watch(
        &self,
        health: &mut watch::Receiver<Health>,
    ) -> Result<(), watch::error::RecvError> {
        let mut said = false;
        loop {
            let now = *health.borrow_and_update();
            self.shown.set_bus(name(now));
            match now {
                Health::Up => said = false,
                Health::Degraded { attempts } if !said => {
                    self.say(attempts).await;
                    said = true;
                }
                Health::Reconnecting { .. } | Health::Degraded { .. } => {}
            }
            health.changed().await?;
        }
    }

    async fn say(&self, attempts: u32) {
        let reason = format!(
            "it cannot be reached, {attempts} tries so far; events wait for it in the store"
        );
        tracing::error!(reason, "the bus is not well");
        let payload = HealthDegraded { component: "bus".to_owned(), reason };
        let key = self.random.uuid_v7(self.clock.now()).to_string();
        loop {
            let Some(draft) = system::draft(TYPE, &payload) else { return };
            match self.log.append(draft.deduplicated(SCOPE, key.clone(), [0; 32])).await {
                Err(AppendError::Overloaded | AppendError::Store(_)) => {
                    self.clock.sleep(PAUSE).await;
                }
                Err(error) => return tracing::error!(%error, "no event tells of it"),
                Ok(_) => return,
            }
        }
    }
}

fn name(health: Health) -> omni_api::Connection {
    match health {
        Health::Up => omni_api::Connection::Up,
        Health::Reconnecting { .. } => omni_api::Connection::Reconnecting,
        Health::Degraded { .. } => omni_api::Connection::Degraded,
    }
}
