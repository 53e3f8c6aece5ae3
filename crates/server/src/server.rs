//! The life of a server: start, serve, drain.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use omni_api::Health;
use omni_event_bus::EventBus;
use omni_event_log::Closing;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Environment, Error,
    data_dir::DataDir,
    listener::{self, Listener},
    parts::{Agents, Parts},
};

/// A running server with every role. Dropping it stops without draining; call [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    ingest_addr: Option<SocketAddr>,
    drain: Duration,
    health: Health,
    bus: EventBus,
    stops: Stops,
    tasks: Tasks,
    /// Released last, when nothing writes any more.
    _data_dir: DataDir,
}

/// What tells each stage to stop; a later stage works until the earlier has ended.
#[derive(Debug, Default)]
struct Stops {
    intake: CancellationToken,
    engine: CancellationToken,
    log: CancellationToken,
    rest: CancellationToken,
}

#[derive(Debug)]
struct Tasks {
    http: JoinHandle<()>,
    engine: JoinHandle<Result<(), omni_event_bus::Error>>,
    appender: JoinHandle<Result<(), Arc<omni_store::Error>>>,
    publisher: JoinHandle<Closing>,
    bridge: JoinHandle<()>,
    replays: JoinHandle<()>,
    captures: JoinHandle<()>,
}

impl Server {
    /// Opens everything and serves; when this returns, the address accepts requests.
    ///
    /// # Errors
    /// When the data directory is in use, or a part cannot be opened.
    pub async fn start(config: Config) -> Result<Self, Error> {
        Self::start_in(config, Environment::default()).await
    }

    /// Like [`Server::start`], with the given time and chance.
    ///
    /// # Errors
    /// When the data directory is in use, or a part cannot be opened.
    pub async fn start_in(config: Config, environment: Environment) -> Result<Self, Error> {
        let data_dir = DataDir::open(&config.data_dir)?;
        let (addr, main) = listen(config.listen)?;
        let ingest = config.ingest_listen.map(listen).transpose()?;
        let ingest_addr = ingest.as_ref().map(|(addr, _)| *addr);
        let config = Config { listen: addr, ingest_listen: ingest_addr, ..config };
        let parts = Box::pin(Parts::open(&config, &data_dir, environment)).await?;
        let (health, bus) = (parts.app.health.clone(), parts.bus.clone());
        let listeners = listeners(&config, &parts, main, ingest.map(|(_, tcp)| tcp))?;
        let stops = Stops::default();
        let tasks = spawn(parts, listeners, &stops);
        health.set_ready();
        tracing::info!(address = %addr, data_dir = %config.data_dir.display(), "omni is ready");
        let drain = config.drain_timeout();
        Ok(Self { addr, ingest_addr, drain, health, bus, stops, tasks, _data_dir: data_dir })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address on which it takes webhooks and nothing else, if there is one.
    pub fn ingest_addr(&self) -> Option<SocketAddr> {
        self.ingest_addr
    }

    /// Serves until the signal, then drains.
    ///
    /// # Errors
    /// When a part ends by itself, above all when the store can no longer be trusted to keep what it commits: then
    /// nothing more is acknowledged, and the process should exit.
    pub async fn run_until(mut self, signal: impl Future<Output = ()>) -> Result<(), Error> {
        let ended = tokio::select! {
            () = signal => None,
            appender = &mut self.tasks.appender => Some(appender.map_or_else(
                |_| Error::Ended("the event log"),
                |result| result.map_or_else(Error::Log, |()| Error::Ended("the event log")),
            )),
            engine = &mut self.tasks.engine => Some(engine.map_or_else(
                |_| Error::Ended("the engine"),
                |result| result.map_or_else(Error::Bus, |()| Error::Ended("the engine")),
            )),
            _ = &mut self.tasks.publisher => Some(Error::Ended("the publisher")),
            _ = &mut self.tasks.http => Some(Error::Ended("the listener")),
        };
        match ended {
            None => self.shutdown().await,
            Some(error) => {
                tracing::error!(error = %error, "stopping at once");
                Err(error)
            }
        }
    }

    /// Drains: takes no more requests, finishes what runs, commits and settles it, and ends.
    ///
    /// # Errors
    /// When that takes longer than the configured time; what is unfinished is taken up at the next start.
    pub async fn shutdown(self) -> Result<(), Error> {
        tracing::info!("draining");
        self.health.set_draining();
        let (drain, seconds) = (self.drain, self.drain.as_secs());
        let done = tokio::time::timeout(drain, self.drain()).await;
        done.map_err(|_| Error::Deadline { seconds })??;
        tracing::info!("drained");
        Ok(())
    }

    async fn drain(self) -> Result<(), Error> {
        self.stops.intake.cancel();
        finish("the listener", self.tasks.http).await?;
        finish("the bridge", self.tasks.bridge).await?;
        self.stops.engine.cancel();
        finish("the engine", self.tasks.engine).await??;
        finish("the replays", self.tasks.replays).await?;
        self.stops.log.cancel();
        finish("the event log", self.tasks.appender).await?.map_err(Error::Log)?;
        finish("capturing", self.tasks.captures).await?;
        let closing = finish("the publisher", self.tasks.publisher).await?;
        self.stops.rest.cancel();
        self.bus.drain().await?;
        // Only now is everything that was published on disk.
        closing.confirm().await?;
        Ok(())
    }
}

async fn finish<T>(name: &'static str, task: JoinHandle<T>) -> Result<T, Error> {
    task.await.map_err(|error| {
        tracing::error!(error = %error, "{name} ended badly");
        Error::Ended(name)
    })
}

/// Binds an address; the one that comes back has the port that the system chose.
fn listen(address: SocketAddr) -> Result<(SocketAddr, TcpListener), Error> {
    let tcp = listener::bind(address)?;
    let addr = tcp.local_addr().map_err(|source| Error::Listen { address, source })?;
    Ok((addr, tcp))
}

/// The listeners and what each serves. Each has caps of its own, so that whoever fills the one for webhooks does not
/// lock out who looks after the server.
fn listeners(
    config: &Config,
    parts: &Parts,
    main: TcpListener,
    ingest: Option<TcpListener>,
) -> Result<Vec<Listener>, Error> {
    let (limits, proxies) = (config.limits(listener::raise_limit()), config.proxies()?);
    let counts = &parts.connections;
    let router = omni_api::router(parts.app.clone());
    let main = Listener::new(main, router, limits.clone(), proxies.clone(), counts.main.clone());
    let ingest = ingest.map(|tcp| {
        let router = omni_api::router_of_webhooks(parts.app.clone());
        Listener::new(tcp, router, limits, proxies, counts.ingest.clone())
    });
    Ok([main].into_iter().chain(ingest).collect())
}

fn spawn(parts: Parts, listeners: Vec<Listener>, stops: &Stops) -> Tasks {
    let replays = parts.app.event_log.replays().runner();
    let timer = parts.app.event_log.timer();
    let schedules = parts.app.schedules.runner();
    let auditor = parts.app.event_log.auditor(omni_automations::CONSUMER);
    tokio::spawn(parts.registry.refresher().run(stops.rest.clone()));
    tokio::spawn(parts.sources.refresher().run(stops.rest.clone()));
    tokio::spawn(parts.automations.refresher().run(stops.rest.clone()));
    tokio::spawn(parts.bus.retention().run(stops.rest.clone()));
    let bridging = stops.intake.clone();
    let bridge = parts.bridge;
    let bridge = async move {
        if let Some(bridge) = bridge {
            bridge.run(bridging).await;
        }
    };
    let Agents {
        routing,
        bus_health,
        bus_letters,
        definitions,
        dead_letters,
        housekeeping,
        captures,
    } = parts.agents;
    tokio::spawn(housekeeping.run(stops.rest.clone()));
    tokio::spawn(auditor.run(stops.rest.clone()));
    tokio::spawn(routing.run(stops.rest.clone()));
    tokio::spawn(bus_health.run(stops.rest.clone()));
    // While the log takes events.
    tokio::spawn(timer.run(stops.engine.clone()));
    tokio::spawn(schedules.run(stops.engine.clone()));
    tokio::spawn(bus_letters.run(stops.engine.clone()));
    // Gives its position back while the bus is there.
    tokio::spawn(definitions.run(stops.engine.clone()));
    tokio::spawn(dead_letters.run(stops.engine.clone()));
    Tasks {
        http: tokio::spawn(listener::run(listeners, stops.intake.clone())),
        engine: tokio::spawn(parts.engine.run(stops.engine.clone())),
        appender: tokio::spawn(parts.appender.run(stops.log.clone())),
        publisher: tokio::spawn(parts.publisher.run(stops.log.clone())),
        bridge: tokio::spawn(bridge),
        replays: tokio::spawn(replays.run(stops.engine.clone())),
        captures: tokio::spawn(captures.run(stops.log.clone())),
    }
}
