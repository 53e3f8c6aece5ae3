//! Wiring: every part opened in the order in which they need each other.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use omni_actions::Actions;
use omni_api::{App, Health};
use omni_automations::{Automations, Engine, EngineConfig};
use omni_clock::{Clock, Random, SystemClock};
use omni_egress::Egress;
use omni_event_bus::{EmbeddedOptions, EventBus, Sync};
use omni_event_log::{Appender, CaptureAgent, DeadLetterAgent, DeadLetters, EventLog, Publisher};
use omni_registry::Registry;
use omni_schedules::Schedules;
use omni_sources::{Sources, bridge::Bridge, webhook::Receiver};
use omni_store::{Location, Store};

use crate::{
    Config, Error, VERSION,
    bus_health::BusHealth,
    data_dir::DataDir,
    dead_letters::BusLetters,
    definitions::Definitions,
    housekeeping::Housekeeping,
    metrics::{self, Connections},
    routing::Routing,
};

/// How often the bus is synced to disk. The store has committed before the bus is told, and what a power cut takes from
/// the bus is published again, so the bus need not sync for every event.
const BUS_SYNC_EVERY: Duration = Duration::from_millis(500);

/// How long NATS may take to sync what it has answered: two minutes unless configured, with some room. A power cut takes
/// what it had not synced, and says nothing.
const NATS_SYNC_MAX: Duration = Duration::from_secs(150);

/// The name under which all replicas share the messages of other systems.
const BRIDGE: &str = "bridge";

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
    /// Takes what other systems publish; there is none on the embedded bus.
    pub(crate) bridge: Option<Bridge>,
    pub(crate) agents: Agents,
    pub(crate) connections: Connections,
}

/// The loops that look after the rest.
#[derive(Debug)]
pub(crate) struct Agents {
    pub(crate) routing: Routing,
    pub(crate) bus_health: BusHealth,
    pub(crate) bus_letters: BusLetters,
    pub(crate) definitions: Definitions,
    pub(crate) dead_letters: DeadLetterAgent,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) captures: CaptureAgent,
}

impl Parts {
    pub(crate) async fn open(
        config: &Config,
        data_dir: &DataDir,
        environment: Environment,
    ) -> Result<Self, Error> {
        let Environment { clock, random } = environment;
        let store = Store::open(&location(config, data_dir)).await?;
        let bus = open_bus(config, data_dir, &clock, &random).await?;
        let registry = Registry::open(store.clone(), clock.clone()).await?;
        let routing = Routing::start(&bus, &registry, clock.clone()).await?;
        let log_config = log_config(config);
        let (log, appender, publisher) =
            open_log(&store, &bus, &registry, (&clock, &random), log_config).await?;
        let sealer = Arc::new(data_dir.sealer(config)?);
        let sources = Sources::open(store.clone(), sealer, clock.clone(), random.clone()).await?;
        let receiver = new_receiver(config, &sources, &log)?;
        let schedules = new_schedules(config, &store, &log, (clock.clone(), random.clone()));
        let actions = Arc::new(Actions::built_in(log.clone(), egress(config), clock.clone()));
        let automations =
            Automations::open(store.clone(), actions.clone(), clock.clone(), random.clone())
                .await?;
        let engine = (automations.clone(), store.clone(), bus.clone());
        let engine = new_engine(engine, (&clock, &random), &log);
        let bridge = match config.nats_url {
            Some(_) => Some(Bridge::new(bus.inbox(BRIDGE).await?, log.clone(), clock.clone())),
            None => None,
        };
        let health = Health::new();
        let dead_letters = DeadLetters::new(log.clone());
        let time = (&clock, &*random);
        let is_shared = config.nats_url.is_some();
        let definitions = Definitions::new(bus.clone(), registry.clone(), time, is_shared);
        let following = (routing, definitions);
        let agents =
            Agents::new((&store, &bus, &log), &dead_letters, following, &health, (&clock, &random));
        let connections = Connections::default();
        let metrics = metrics::text(
            (log.clone(), dead_letters.clone()),
            bus.clone(),
            engine.stats(),
            (registry.clone(), connections.clone(), schedules.clone()),
        );
        let app = App {
            dead_letters: dead_letters.clone(),
            event_log: log,
            sources: sources.clone(),
            schedules,
            receiver,
            automations: automations.clone(),
            registry: registry.clone(),
            actions,
            store,
            clock,
            random,
            health,
            metrics,
            version: VERSION,
        };
        Ok(Self {
            app,
            bus,
            registry,
            sources,
            automations,
            appender,
            publisher,
            engine,
            bridge,
            agents,
            connections,
        })
    }
}

impl Agents {
    fn new(
        (store, bus, log): (&Store, &EventBus, &EventLog),
        letters: &DeadLetters,
        (routing, definitions): (Routing, Definitions),
        health: &Health,
        (clock, random): (&Arc<dyn Clock>, &Arc<Random>),
    ) -> Self {
        Self {
            routing,
            definitions,
            bus_health: BusHealth {
                bus: bus.clone(),
                log: log.clone(),
                shown: health.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            bus_letters: BusLetters::new(
                bus.clone(),
                letters.clone(),
                store.clone(),
                clock.clone(),
            ),
            dead_letters: letters.agent(),
            housekeeping: Housekeeping { store: store.clone(), clock: clock.clone() },
            captures: log.captures().agent(),
        }
    }
}

fn new_schedules(
    config: &Config,
    store: &Store,
    log: &EventLog,
    time: (Arc<dyn Clock>, Arc<Random>),
) -> Schedules {
    let check_every = Duration::from_millis(config.schedule_check_ms);
    let config = omni_schedules::Config { check_every };
    Schedules::new(store.clone(), log.clone(), time, config)
}

fn new_receiver(config: &Config, sources: &Sources, log: &EventLog) -> Result<Receiver, Error> {
    let proxies = config.proxies()?.networks();
    Ok(Receiver::new(sources.clone(), log.clone()).through(egress(config)).behind(proxies))
}

fn new_engine(
    (automations, store, bus): (Automations, Store, EventBus),
    (clock, random): (&Arc<dyn Clock>, &Arc<Random>),
    log: &EventLog,
) -> Engine {
    let time = (clock.clone(), random.clone());
    Engine::new(automations, store, bus, time, EngineConfig::default()).with_log(log.clone())
}

fn location(config: &Config, data_dir: &DataDir) -> Location {
    match &config.database_url {
        Some(url) => Location::Postgres(url.expose().to_owned()),
        None => Location::Sqlite(data_dir.path().join("omni.db")),
    }
}

async fn open_bus(
    config: &Config,
    data_dir: &DataDir,
    clock: &Arc<dyn Clock>,
    random: &Arc<Random>,
) -> Result<EventBus, Error> {
    if let Some(options) = config.nats_options(clock.clone(), random.clone()) {
        return Ok(EventBus::nats(options).await?);
    }
    let options = EmbeddedOptions {
        sync: Sync::Interval(BUS_SYNC_EVERY),
        clock: clock.clone(),
        random: random.clone(),
        ..EmbeddedOptions::default()
    };
    Ok(EventBus::embedded(data_dir.path(), options).await?)
}

fn log_config(config: &Config) -> omni_event_log::Config {
    let days = TimeDelta::days(config.capture_retention_days.into());
    let embedded = omni_event_log::Config {
        capture_retention: Some(days),
        ..omni_event_log::Config::default()
    };
    match config.nats_url {
        None => embedded,
        Some(_) => omni_event_log::Config {
            safe_after: NATS_SYNC_MAX,
            safe_when_drained: false,
            ..embedded
        },
    }
}

async fn open_log(
    store: &Store,
    bus: &EventBus,
    registry: &Registry,
    (clock, random): (&Arc<dyn Clock>, &Arc<Random>),
    config: omni_event_log::Config,
) -> Result<(EventLog, Appender, Publisher), Error> {
    let parts = omni_event_log::Parts {
        store: store.clone(),
        bus: bus.clone(),
        registry: registry.clone(),
        clock: clock.clone(),
        random: random.clone(),
        writer: format!("omni-{}", std::process::id()),
        config,
    };
    Ok(omni_event_log::open(parts).await?)
}

fn egress(config: &Config) -> Egress {
    Egress::new(omni_egress::Config {
        allow_loopback: config.egress_allow_loopback,
        // A rule must not call the server that runs it.
        listeners: [config.listen].into_iter().chain(config.ingest_listen).collect(),
        ..omni_egress::Config::default()
    })
}
