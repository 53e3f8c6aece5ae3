//! `omni up`: the server, and what is to happen once it is ready.
//!
//! The first SIGTERM or SIGINT drains; the second ends at once with exit code 1.

use std::error::Error as StdError;

use omni_server::{Config, Overrides, Server, telemetry};
use owo_colors::OwoColorize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::apply;
use crate::cli::Up;
use crate::client::Client;
use crate::demo;
use crate::error::Error;
use crate::output::{Out, line};

/// What is logged while the demo tells its story on the same terminal: only what its rules say.
const DEMO_LOG: &str = "warn,omni::automation=info";

pub(super) async fn run(up: &Up, org: &str, out: Out) -> Result<(), Error> {
    let config = load(up)?;
    telemetry::init(&config.log).map_err(|error| failed(&error))?;
    let stop = CancellationToken::new();
    let signals = Signals::new()?;
    let server = Server::start(config).await.map_err(|error| failed(&error))?;
    tokio::spawn(signals.watch(stop.clone()));

    let url = format!("http://{}", server.addr());
    line(format!("{} {} (Ctrl-C drains and ends)", "omni is ready on".green(), url.bold()))?;
    let client = Client::new(&url, org)?;
    let mut told = Ok(());
    let served = server.run_until(async {
        told = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            done = begin(up, &client, out) => done,
        };
        if told.is_ok() && !up.demo_exit {
            stop.cancelled().await;
        }
    });
    served.await.map_err(|error| failed(&error))?;
    told
}

fn load(up: &Up) -> Result<Config, Error> {
    let overrides = Overrides {
        data_dir: up.data_dir.clone(),
        listen: up.listen,
        // The receiver of the demo listens on this machine.
        egress_allow_loopback: up.demo.then_some(true),
    };
    let mut config = Config::load(overrides).map_err(|error| failed(&error))?;
    if up.demo && config.log == Config::default().log {
        DEMO_LOG.clone_into(&mut config.log);
    }
    Ok(config)
}

/// What happens once the server is ready.
async fn begin(up: &Up, client: &Client, out: Out) -> Result<(), Error> {
    if !up.apply.is_empty() {
        apply::files(&up.apply, client, out).await?;
    }
    if up.demo {
        demo::run(client, !up.demo_exit).await?;
    }
    Ok(())
}

/// The two signals that end a server. Made before the server starts, so that none is missed.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::Server(format!("cannot listen to signals: {error}")))
        };
        Ok(Self { term: listen(SignalKind::terminate())?, int: listen(SignalKind::interrupt())? })
    }

    async fn watch(mut self, stop: CancellationToken) {
        self.next().await;
        stop.cancel();
        self.next().await;
        anstream::eprintln!("second signal: ending at once; what was acknowledged is stored");
        std::process::exit(1);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// An error of the server with everything that caused it.
fn failed(error: &omni_server::Error) -> Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Error::Server(text)
}
