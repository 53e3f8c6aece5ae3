//! The product in the process of the test: real sockets, a temporary directory, a clock of the test's choice.

use std::{future::Future, net::SocketAddr, sync::Arc};

use http::Method;
use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::testing::NatsServer;
use omni_server::{Config, Environment, Server};
use omni_store::{Location, testing};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Http, Reply, eventually, github};

/// The secret of the GitHub source that [`TestApp::add_github`] makes.
pub const SECRET: &str = "a secret of the test";

/// Where a test keeps its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// SQLite in the directory of the test.
    Embedded,
    /// A schema of its own on the PostgreSQL that `cargo xtask test` starts.
    Postgres,
}

/// What carries the events of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The embedded bus in the directory of the test.
    Embedded,
    /// A NATS server that belongs to the test.
    Nats,
}

/// A whole server, and a client for it.
#[derive(Debug)]
pub struct TestApp {
    /// Talks to the server.
    pub http: Http,
    /// The address of the server, such as `http://127.0.0.1:41233`.
    pub url: String,
    /// The NATS server it uses, to be killed and started again.
    pub nats: Option<NatsServer>,
    server: Option<Server>,
    config: Config,
    environment: Environment,
    _dir: TempDir,
}

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
impl TestApp {
    /// Starts a server with the embedded bus, on the clock of the machine.
    pub async fn start(database: Database) -> Self {
        Self::start_on(database, Arc::new(SystemClock::new())).await
    }

    /// Starts a server with the embedded bus, on the given clock.
    pub async fn start_on(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self::start_with(database, Bus::Embedded, clock).await
    }

    /// Starts a server with the given bus, on the clock of the machine.
    pub async fn start_over(database: Database, bus: Bus) -> Self {
        Self::start_with(database, bus, Arc::new(SystemClock::new())).await
    }

    /// Starts a server with the embedded bus on the PostgreSQL at the URL, on the clock of the machine.
    pub async fn start_at(url: &str) -> Self {
        Self::start_in(Some(url.to_owned()), Bus::Embedded, Arc::new(SystemClock::new())).await
    }

    /// Starts a server with the embedded store and bus, on the clock of the machine, with changed settings.
    pub async fn start_as(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_changed((None, Bus::Embedded), Arc::new(SystemClock::new()), change).await
    }

    async fn start_with(database: Database, bus: Bus, clock: Arc<dyn Clock>) -> Self {
        let database_url = match database {
            Database::Embedded => None,
            Database::Postgres => match testing::temporary_schema(&testing::server_url()).await {
                Location::Postgres(url) => Some(url),
                Location::Sqlite(_) => None,
            },
        };
        Self::start_in(database_url, bus, clock).await
    }

    async fn start_in(database_url: Option<String>, bus: Bus, clock: Arc<dyn Clock>) -> Self {
        Self::start_changed((database_url, bus), clock, |_| {}).await
    }

    async fn start_changed(
        (database_url, bus): (Option<String>, Bus),
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let nats = match bus {
            Bus::Embedded => None,
            Bus::Nats => Some(NatsServer::start().await),
        };
        let dir = TempDir::new().expect("a directory for the test");
        let mut config = Config {
            data_dir: dir.path().join("data"),
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: database_url.map(Into::into),
            nats_url: nats.as_ref().map(|nats| nats.url().into()),
            egress_allow_loopback: true,
            drain_seconds: 20,
            ..Config::default()
        };
        change(&mut config);
        let environment = Environment { clock, random: Arc::new(Random::from_entropy()) };
        let server = Server::start_in(config.clone(), environment.clone()).await.expect("a server");
        let url = format!("http://{}", server.addr());
        let (http, server) = (Http::new(&url), Some(server));
        Self { http, url, nats, server, config, environment, _dir: dir }
    }

    /// The address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.server.as_ref().expect("it runs").addr()
    }

    /// The address where it takes webhooks alone.
    pub fn ingest_addr(&self) -> SocketAddr {
        self.server.as_ref().and_then(Server::ingest_addr).expect("it has one")
    }

    /// Drains the server and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        let started = Server::start_in(self.config.clone(), self.environment.clone()).await;
        let server = started.expect("a server on the same data");
        self.url = format!("http://{}", server.addr());
        self.http = Http::new(&self.url);
        self.server = Some(server);
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await.expect("the server drains");
        }
    }

    /// Ends the test: every event must have an outcome, and the server must drain.
    pub async fn finish(mut self) {
        self.settled().await;
        self.stop().await;
    }

    /// Waits until every event has an outcome.
    pub async fn settled(&self) {
        eventually("every event has an outcome", async || {
            let pending = self.http.get("/api/events?status=pending").await.expect(200).json();
            pending["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    }

    /// Makes a source `github` with [`SECRET`].
    pub async fn add_github(&self) {
        let source =
            json!({ "name": "github", "kind": "webhook", "provider": "github", "secret": SECRET });
        self.http.post("/api/sources", &source).await.expect(201);
    }

    /// Saves an automation and answers its id.
    pub async fn add_automation(&self, definition: &Value) -> String {
        let saved = self.http.post("/api/automations", definition).await.expect(201).json();
        saved["id"].as_str().expect("an automation has an id").to_owned()
    }

    /// Sends a signed GitHub delivery.
    pub async fn deliver(&self, event: &str, delivery: &str, body: &str) -> Reply {
        let headers = github::headers(SECRET, event, delivery, body.as_bytes());
        self.http.send(Method::POST, "/webhooks/github", &headers, body.to_owned()).await
    }

    /// Triggers an event by hand and answers its id.
    pub async fn trigger(&self, event_type: &str, payload: &Value) -> String {
        let body = json!({ "eventType": event_type, "payload": payload });
        let reply = self.http.post("/api/events/trigger", &body).await.expect(201).json();
        reply["eventId"].as_str().expect("a trigger answers with the event").to_owned()
    }

    /// Waits until the event has an outcome, and answers it with the event.
    pub async fn outcome(&self, event_id: &str) -> Value {
        let path = format!("/api/events/{event_id}");
        eventually("the event has an outcome", async || {
            let event = self.http.get(&path).await.expect(200).json();
            (!event["outcome"].is_null() && event["outcome"]["status"] != "pending")
                .then_some(event)
        })
        .await
    }

    /// What automations did with an event, oldest first.
    pub async fn executions(&self, event_id: &str) -> Vec<Value> {
        self.outcome(event_id).await;
        let list = self.http.get(&format!("/api/events/{event_id}/executions")).await.expect(200);
        let mut items = list.json()["items"].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["id"].as_str().unwrap_or_default().to_owned());
        items
    }
}

/// Runs a test on both databases, one after the other.
pub async fn on_both<F: Future<Output = ()>>(test: impl Fn(Database) -> F) {
    test(Database::Embedded).await;
    test(Database::Postgres).await;
}
