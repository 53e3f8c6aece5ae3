//! Wiring: every part opened in the order in which they need each other.

use std::{sync::Arc, time::Duration};

use omni_actions::Actions;
use omni_api::{App, Health};
use omni_automations::{Automations, Engine, EngineConfig};
use omni_clock::{Clock, Random, SystemClock};
use omni_egress::Egress;
use omni_event_bus::{EmbeddedOptions, EventBus, Sync};
use omni_event_log::{Appender, EventLog, Publisher};
use omni_registry::Registry;
use omni_sources::{Sources, webhook::Receiver};
use omni_store::{Location, Store};

use crate::{Config, Error, VERSION, data_dir::DataDir, metrics};

/// How often the bus is synced to disk. The store has committed before the bus is told, and what a power cut takes from
/// the bus is published again, so the bus need not sync for every event.
const BUS_SYNC_EVERY: Duration = Duration::from_millis(500);

/// Time and chance of a server; tests bring their own.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where ids and jitter come from.
    pub random: Arc<Random>,
}

impl Default for Environment {
    /// The clock of the machine and a seed of its own.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Arc::new(Random::from_entropy()) }
    }
}

/// Everything that a running server consists of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) app: App,
    pub(crate) bus: EventBus,
    pub(crate) registry: Registry,
    pub(crate) sources: Sources,
    pub(crate) automations: Automations,
    pub(crate) appender: Appender,
    pub(crate) publisher: Publisher,
    pub(crate) engine: Engine,
}

impl Parts {
    pub(crate) async fn open(
        config: &Config,
        data_dir: &DataDir,
        environment: Environment,
    ) -> Result<Self, Error> {
        let Environment { clock, random } = environment;
        let store = Store::open(&location(config, data_dir)).await?;
        let bus = open_bus(data_dir, &clock, &random).await?;
        let registry = Registry::open(store.clone(), clock.clone()).await?;
        let (log, appender, publisher) =
            open_log(&store, &bus, &registry, (&clock, &random)).await?;
        let sealer = Arc::new(data_dir.sealer(config)?);
        let sources = Sources::open(store.clone(), sealer, clock.clone(), random.clone()).await?;
        let receiver = Receiver::new(sources.clone(), log.clone());
        let actions = Arc::new(Actions::built_in(log.clone(), egress(config), clock.clone()));
        let automations =
            Automations::open(store.clone(), actions.clone(), clock.clone(), random.clone())
                .await?;
        let engine = Engine::new(
            automations.clone(),
            store.clone(),
            bus.clone(),
            (clock.clone(), random.clone()),
            EngineConfig::default(),
        );
        let metrics = metrics::text(log.clone(), bus.clone(), engine.stats(), registry.clone());
        let app = App {
            event_log: log,
            sources: sources.clone(),
            receiver,
            automations: automations.clone(),
            registry: registry.clone(),
            actions,
            store,
            clock,
            random,
            health: Health::new(),
            metrics,
            version: VERSION,
        };
        Ok(Self { app, bus, registry, sources, automations, appender, publisher, engine })
    }
}

fn location(config: &Config, data_dir: &DataDir) -> Location {
    match &config.database_url {
        Some(url) => Location::Postgres(url.clone()),
        None => Location::Sqlite(data_dir.path().join("omni.db")),
    }
}

async fn open_bus(
    data_dir: &DataDir,
    clock: &Arc<dyn Clock>,
    random: &Arc<Random>,
) -> Result<EventBus, Error> {
    let options = EmbeddedOptions {
        sync: Sync::Interval(BUS_SYNC_EVERY),
        clock: clock.clone(),
        random: random.clone(),
    };
    Ok(EventBus::embedded(data_dir.path(), options).await?)
}

async fn open_log(
    store: &Store,
    bus: &EventBus,
    registry: &Registry,
    (clock, random): (&Arc<dyn Clock>, &Arc<Random>),
) -> Result<(EventLog, Appender, Publisher), Error> {
    let parts = omni_event_log::Parts {
        store: store.clone(),
        bus: bus.clone(),
        registry: registry.clone(),
        clock: clock.clone(),
        random: random.clone(),
        writer: format!("omni-{}", std::process::id()),
        config: omni_event_log::Config::default(),
    };
    Ok(omni_event_log::open(parts).await?)
}

fn egress(config: &Config) -> Egress {
    Egress::new(omni_egress::Config {
        allow_loopback: config.egress_allow_loopback,
        // A rule must not call the server that runs it.
        listeners: vec![config.listen],
        ..omni_egress::Config::default()
    })
}
