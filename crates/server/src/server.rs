//! The life of a server: start, serve, drain.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use omni_api::Health;
use omni_event_bus::EventBus;
use omni_event_log::Closing;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Environment, Error,
    data_dir::DataDir,
    parts::{Agents, Parts},
};

/// A running server with every role. Dropping it stops without draining; call [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
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
    http: JoinHandle<std::io::Result<()>>,
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
        let listener = listen(config.listen).await?;
        let addr = listener
            .local_addr()
            .map_err(|source| Error::Listen { address: config.listen, source })?;
        let config = Config { listen: addr, ..config };
        let parts = Box::pin(Parts::open(&config, &data_dir, environment)).await?;
        let (health, bus) = (parts.app.health.clone(), parts.bus.clone());
        let stops = Stops::default();
        let tasks = spawn(parts, listener, &stops);
        health.set_ready();
        tracing::info!(address = %addr, data_dir = %config.data_dir.display(), "omni is ready");
        let drain = config.drain_timeout();
        Ok(Self { addr, drain, health, bus, stops, tasks, _data_dir: data_dir })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
        finish("the listener", self.tasks.http).await?.map_err(|_| Error::Ended("the listener"))?;
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

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

fn spawn(parts: Parts, listener: TcpListener, stops: &Stops) -> Tasks {
    let replays = parts.app.event_log.replays().runner();
    let timer = parts.app.event_log.timer();
    let auditor = parts.app.event_log.auditor(omni_automations::CONSUMER);
    // The address of the sender is kept with what a source refuses.
    let router = omni_api::router(parts.app).into_make_service_with_connect_info::<SocketAddr>();
    let intake = stops.intake.clone();
    // Answers are small and somebody waits for them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let http = axum::serve(listener, router)
        .with_graceful_shutdown(async move { intake.cancelled().await });
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
    tokio::spawn(bus_letters.run(stops.engine.clone()));
    // Gives its position back while the bus is there.
    tokio::spawn(definitions.run(stops.engine.clone()));
    tokio::spawn(dead_letters.run(stops.engine.clone()));
    Tasks {
        http: tokio::spawn(http.into_future()),
        engine: tokio::spawn(parts.engine.run(stops.engine.clone())),
        appender: tokio::spawn(parts.appender.run(stops.log.clone())),
        publisher: tokio::spawn(parts.publisher.run(stops.log.clone())),
        bridge: tokio::spawn(bridge),
        replays: tokio::spawn(replays.run(stops.engine.clone())),
        captures: tokio::spawn(captures.run(stops.log.clone())),
    }
}
