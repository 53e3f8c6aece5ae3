//! The agent that tells the bus which event types go to another stream than that of their domain.

use std::{sync::Arc, time::Duration};

use omni_clock::Clock;
use omni_event_bus::{Error, EventBus};
use omni_registry::{Registry, Routes};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pause between tries while the bus is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the routes of the bus as the registry has them.
#[derive(Debug)]
pub(crate) struct Routing {
    bus: EventBus,
    routes: watch::Receiver<Routes>,
    clock: Arc<dyn Clock>,
}

impl Routing {
    /// Sets the routes as they are now; nothing should be published before.
    pub(crate) async fn start(
        bus: &EventBus,
        registry: &Registry,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let mut routing = Self { bus: bus.clone(), routes: registry.routes(), clock };
        routing.set().await?;
        Ok(routing)
    }

    async fn set(&mut self) -> Result<(), Error> {
        let Routes { by_type, streams } = self.routes.borrow_and_update().clone();
        self.bus.set_routes(by_type, &streams).await
    }

    /// Runs until stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let follow = async {
            while self.routes.changed().await.is_ok() {
                while let Err(error) = self.set().await {
                    tracing::warn!(%error, "event types still go to the streams they went to before");
                    self.clock.sleep(PAUSE).await;
                }
            }
        };
        stop.run_until_cancelled(follow).await;
    }
}
