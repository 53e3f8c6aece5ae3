//! The event log as the server puts it together.

use std::{path::Path, sync::Arc, time::Duration};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{EmbeddedOptions, EventBus, Sync};
use omni_event_log::{Appender, Config, EventLog, Parts, Publisher, open};
use omni_registry::Registry;
use omni_store::{Location, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the embedded bus is synced, as in the server.
const BUS_SYNC_EVERY: Duration = Duration::from_millis(500);

/// A log on a store, with a bus of its own.
pub(crate) struct Product {
    pub(crate) log: EventLog,
    pub(crate) bus: EventBus,
    pub(crate) loops: Option<(Appender, Publisher)>,
}

/// The two loops of a log.
pub(crate) struct Running {
    stop: CancellationToken,
    appending: JoinHandle<Result<(), Arc<omni_store::Error>>>,
    publishing: JoinHandle<omni_event_log::Closing>,
}

impl Product {
    /// Opens everything that lies in the location, and a bus in the folder.
    pub(crate) async fn open(location: &Location, folder: &Path) -> Self {
        let options =
            EmbeddedOptions { sync: Sync::Interval(BUS_SYNC_EVERY), ..EmbeddedOptions::default() };
        let bus = EventBus::embedded(folder, options).await.unwrap();
        Self::over(location, bus).await
    }

    /// Opens everything that lies in the location, over a bus that is open.
    pub(crate) async fn over(location: &Location, bus: EventBus) -> Self {
        let store = Store::open(location).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let parts = Parts {
            registry: Registry::open(store.clone(), clock.clone()).await.unwrap(),
            store,
            bus: bus.clone(),
            clock,
            random: Arc::new(Random::from_entropy()),
            writer: "bench".to_owned(),
            config: Config::default(),
        };
        let (log, appender, publisher) = open(parts).await.unwrap();
        Self { log, bus, loops: Some((appender, publisher)) }
    }

    /// Lets events in.
    pub(crate) fn run(&mut self) -> Running {
        let (appender, publisher) = self.loops.take().unwrap();
        let stop = CancellationToken::new();
        Running {
            appending: tokio::spawn(appender.run(stop.clone())),
            publishing: tokio::spawn(publisher.run(stop.clone())),
            stop,
        }
    }
}

impl Running {
    /// Ends as the server does: what was accepted is stored, what was stored is on the bus.
    pub(crate) async fn end(self, product: Product) {
        self.stop.cancel();
        self.appending.await.unwrap().unwrap();
        let closing = self.publishing.await.unwrap();
        product.bus.drain().await.unwrap();
        closing.confirm().await.unwrap();
        assert_eq!(product.log.stats().behind, 0);
    }
}
