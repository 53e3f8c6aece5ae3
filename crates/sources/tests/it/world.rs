//! What every test stands on: an installation in a temporary directory, on a clock that stands still.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use omni_clock::{ManualClock, Random};
use omni_crypto::{Sealer, Secret};
use omni_event_bus::EventBus;
use omni_event_log::{Config, EventLog, Parts};
use omni_events::Org;
use omni_registry::Registry;
use omni_sources::{
    Definition, QuarantineQuery, Quarantined, Sources,
    webhook::{Admitted, Incoming, Receiver, Reply},
};
use omni_store::{
    Store,
    events::{Filter, Page, StoredEvent},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The example of GitHub's documentation.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) sources: Sources,
    pub(crate) log: EventLog,
    pub(crate) receiver: Receiver,
    stop: CancellationToken,
    appending: Option<JoinHandle<Result<(), Arc<omni_store::Error>>>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    /// One whose log has these limits.
    pub(crate) async fn with(config: Config) -> Self {
        let store = Store::temporary().await;
        let clock = ManualClock::at_unix(1_700_000_000);
        let parts = Parts { config, ..parts(&store, &clock).await };
        let (log, appender, publisher) = omni_event_log::open(parts).await.unwrap();
        let stop = CancellationToken::new();
        let appending = tokio::spawn(appender.run(stop.clone()));
        tokio::spawn(publisher.run(stop.clone()));
        let sources = open_sources(&store, &clock, 7).await;
        let receiver = Receiver::new(sources.clone(), log.clone());
        Self { store, clock, sources, log, receiver, stop, appending: Some(appending) }
    }

    /// Defines a source from its document.
    pub(crate) async fn define(&self, document: serde_json::Value) {
        let definition: Definition = serde_json::from_value(document).unwrap();
        self.sources.create(&Org::default(), definition, None).await.unwrap();
    }

    /// Defines the source `github` with the secret of GitHub's example.
    pub(crate) async fn define_github(&self) {
        self.define(
            serde_json::json!({ "name": "github", "provider": "github", "secret": SECRET }),
        )
        .await;
    }

    /// Sends a request to a source of the default organisation.
    pub(crate) async fn send(&self, source: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.ask(source, incoming(headers, body)).await
    }

    /// Sends any request to a source of the default organisation.
    pub(crate) async fn ask(&self, source: &str, incoming: Incoming) -> Reply {
        let (headers, remote) = (&incoming.headers, incoming.remote);
        match self.receiver.admit(&Org::default(), source, headers, remote) {
            Ok(admitted) => self.receiver.receive(admitted, incoming).await,
            Err(reply) => reply,
        }
    }

    /// Asks whether a source takes a request of nobody in particular.
    pub(crate) fn admit(&self, org: &Org, source: &str) -> Result<Admitted, Reply> {
        self.receiver.admit(org, source, &HeaderMap::new(), None)
    }

    /// Sends what GitHub would send, signed.
    pub(crate) async fn push(&self, delivery: &str, body: &str) -> Reply {
        let signature = sign(body);
        let headers = [
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", delivery),
            ("X-Hub-Signature-256", &signature),
            ("Content-Type", "application/json"),
        ];
        self.send("github", &headers, body).await
    }

    /// Stops the event log, as a server does that drains.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        self.appending.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        let page = Page { after: None, limit: 500, ascending: true };
        self.log.list(&Org::default(), &Filter::default(), &page).await.unwrap()
    }

    pub(crate) async fn quarantine(&self, source: &str) -> Vec<Quarantined> {
        let query = QuarantineQuery { limit: 500, ..QuarantineQuery::default() };
        self.sources.quarantine(&Org::default(), source, query).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What an event log on this store is made of.
pub(crate) async fn parts(store: &Store, clock: &ManualClock) -> Parts {
    let clock = Arc::new(clock.clone());
    Parts {
        store: store.clone(),
        bus: EventBus::temporary().await,
        registry: Registry::open(store.clone(), clock.clone()).await.unwrap(),
        clock,
        random: Arc::new(Random::seeded(1)),
        writer: "test".to_owned(),
        config: Config::default(),
    }
}

/// Another replica on the same store, or one with another master key.
pub(crate) async fn open_sources(store: &Store, clock: &ManualClock, master: u8) -> Sources {
    let sealer = Arc::new(Sealer::new(&Secret::from(vec![master; 32])).unwrap());
    let random = Arc::new(Random::seeded(2));
    Sources::open(store.clone(), sealer, Arc::new(clock.clone()), random).await.unwrap()
}

pub(crate) fn incoming(headers: &[(&str, &str)], body: &str) -> Incoming {
    let parsed = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
    };
    Incoming {
        method: Method::POST,
        uri: http::Uri::from_static("/webhooks/x"),
        headers: headers.iter().map(parsed).collect::<HeaderMap>(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        remote: Some("192.0.2.7:4711".parse().unwrap()),
    }
}

pub(crate) fn sign(body: &str) -> String {
    let tag = omni_crypto::hmac_sha256(SECRET.as_bytes(), &[body.as_bytes()]);
    format!("sha256={}", hex::encode(tag))
}

/// The JSON of an answer.
pub(crate) fn json(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{reply:?}"))
}

/// Checks the form of a refusal and gives its detail.
pub(crate) fn problem(reply: &Reply, status: StatusCode, code: &str) -> String {
    let body = json(reply);
    assert_eq!((reply.status, &body["code"]), (status, &code.into()), "{reply:?}");
    assert_eq!(body["status"], status.as_u16());
    assert_eq!(reply.headers[0].1, "application/problem+json");
    let again = reply.headers.iter().any(|(name, _)| name == "retry-after");
    let wanted = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    assert_eq!(again, wanted.contains(&status), "{reply:?}");
    body["detail"].as_str().unwrap().to_owned()
}
