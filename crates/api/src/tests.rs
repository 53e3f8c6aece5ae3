//! The API over a real product without a network: every handle is the real one, on a temporary store and bus.

mod captures;
mod grpc;
mod hostile;
mod publish;
mod rest;
mod schedules;
mod schemas;
mod table;
mod tenancy;
mod webhooks;

use std::sync::Arc;

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use omni_actions::Actions;
use omni_automations::Automations;
use omni_clock::{Clock, Random, SystemClock};
use omni_crypto::{Sealer, Secret};
use omni_egress::{Config as EgressConfig, Egress};
use omni_event_bus::EventBus;
use omni_event_log::{Config, DeadLetters, Parts};
use omni_registry::Registry;
use omni_schedules::Schedules;
use omni_sources::{Sources, webhook::Receiver};
use omni_store::Store;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use crate::{App, Health, router};

/// The product behind its router; its loops stop when it is dropped.
pub(crate) struct Product {
    pub(crate) router: Router,
    pub(crate) health: Health,
    pub(crate) store: Store,
    _stop: DropGuard,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem of the code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}

impl Product {
    pub(crate) async fn open() -> Self {
        Self::on(Store::temporary().await).await
    }

    pub(crate) async fn on(store: Store) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random = Arc::new(Random::seeded(1));
        let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: EventBus::temporary().await,
            registry: registry.clone(),
            clock: clock.clone(),
            random: random.clone(),
            writer: "test".into(),
            config: Config::default(),
        };
        let (event_log, appender, publisher) = omni_event_log::open(parts).await.unwrap();
        let sealer = Arc::new(Sealer::new(&Secret::from(vec![7; 32])).unwrap());
        let sources =
            Sources::open(store.clone(), sealer, clock.clone(), random.clone()).await.unwrap();
        let egress = Egress::new(EgressConfig::default());
        let actions = Arc::new(Actions::built_in(event_log.clone(), egress, clock.clone()));
        let automations =
            Automations::open(store.clone(), actions.clone(), clock.clone(), random.clone())
                .await
                .unwrap();
        let schedules = Schedules::new(
            store.clone(),
            event_log.clone(),
            (clock.clone(), random.clone()),
            omni_schedules::Config::default(),
        );
        let stop = CancellationToken::new();
        tokio::spawn(appender.run(stop.clone()));
        tokio::spawn(publisher.run(stop.clone()));
        let health = Health::new();
        health.set_ready();
        let app = App {
            dead_letters: DeadLetters::new(event_log.clone()),
            receiver: Receiver::new(sources.clone(), event_log.clone()),
            event_log,
            sources,
            schedules,
            automations,
            registry,
            actions,
            store: store.clone(),
            clock,
            random,
            health: health.clone(),
            metrics: Arc::new(|| "# EOF\n".to_owned()),
            version: "0.0.0",
        };
        Self { router: router(app), health, store, _stop: stop.drop_guard() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends JSON with more headers.
    pub(crate) async fn json(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.json(("POST", path), &[], body).await
    }
}
