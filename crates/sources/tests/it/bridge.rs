//! The bridge over a real NATS server: what another system publishes, and what becomes of it.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, jetstream};
use omni_event_bus::{EventBus, Inbox, NatsOptions, testing::NatsServer};
use omni_event_log::Config;
use omni_sources::bridge::Bridge;
use omni_store::events::StoredEvent;
use serde_json::Value;
use tokio::{
    task::{JoinHandle, yield_now},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Spent only by a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log, a bus with an inbox, and another system that knows nothing of them.
struct Installation {
    world: World,
    bus: EventBus,
    inbox: Option<Inbox>,
    other: jetstream::Context,
    stop: CancellationToken,
    bridge: Option<JoinHandle<()>>,
}

impl Installation {
    async fn new(server: &NatsServer, config: Config) -> Self {
        let world = World::with(config).await;
        let bus = EventBus::nats(NatsOptions::new(server.url())).await.unwrap();
        let inbox = Some(bus.inbox("bridge").await.unwrap());
        let other = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        Self { world, bus, inbox, other, stop: CancellationToken::new(), bridge: None }
    }

    fn start(&mut self) {
        let clock = Arc::new(self.world.clock.clone());
        let bridge = Bridge::new(self.inbox.take().unwrap(), self.world.log.clone(), clock);
        self.bridge = Some(tokio::spawn(bridge.run(self.stop.clone())));
    }

    async fn publish(&self, subject: &'static str, headers: &[(&str, &str)], body: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let sent = self.other.publish_with_headers(subject, map, body.to_owned().into());
        sent.await.unwrap().await.unwrap();
    }

    /// Publishes a CloudEvent of the source `/orders` in binary mode.
    async fn order(&self, id: &str, body: &str) {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-type", "com.example.order.paid"),
            ("ce-source", "/orders"),
            ("ce-id", id),
            ("ce-time", "2026-01-31T23:59:59Z"),
        ];
        self.publish("in.default.shop", &headers, body).await;
    }

    /// Waits until the log has so many events.
    async fn events(&self, count: usize) -> Vec<StoredEvent> {
        let enough = async {
            loop {
                let events = self.world.events().await;
                if events.len() >= count {
                    return events;
                }
                yield_now().await;
            }
        };
        timeout(PATIENCE, enough).await.unwrap()
    }

    /// Waits until so many messages are with the bridge and not settled.
    async fn unsettled(&self, count: usize) {
        let mut consumer: jetstream::consumer::PullConsumer =
            self.other.get_consumer_from_stream("bridge", "INBOX").await.unwrap();
        let enough = async {
            while consumer.info().await.unwrap().num_ack_pending != count {
                yield_now().await;
            }
        };
        timeout(PATIENCE, enough).await.unwrap();
    }

    /// The stories of all dead letters, oldest first.
    async fn dead_letters(&self) -> Vec<Value> {
        let stream = self.other.get_stream("DEAD_LETTERS").await.unwrap();
        let state = stream.get_info().await.unwrap().state;
        let mut stories = Vec::new();
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let story = message.headers.get("Omni-Dead-Letter").unwrap();
            stories.push(serde_json::from_str(story.as_str()).unwrap());
        }
        stories
    }

    async fn end(&mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.bridge.take().unwrap()).await.unwrap().unwrap();
        self.bus.drain().await.unwrap();
    }
}

fn ids(events: &[StoredEvent]) -> Vec<&str> {
    let mut ids: Vec<&str> =
        events.iter().map(|e| e.event.metadata.provider_event_id.as_deref().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_foreign_event_arrives_once_however_often_it_is_published() {
    let server = NatsServer::start().await;
    let mut installation = Installation::new(&server, Config::default()).await;
    installation.start();
    installation.order("1", r#"{ "total": 1.50 }"#).await;
    installation.order("1", r#"{ "total": 1.50 }"#).await;
    installation.order("2", r#"{ "total": 2.50 }"#).await;
    let events = installation.events(2).await;
    assert_eq!(ids(&events), ["1", "2"]);
    let event = &events[0].event;
    assert_eq!(event.event_type.as_str(), "custom.com.example.order.paid");
    assert_eq!(event.source, "bridge:shop");
    assert_eq!(event.payload.as_str(), r#"{ "total": 1.50 }"#);
    assert_eq!(omni_events::rfc3339_millis(event.time), "2026-01-31T23:59:59.000Z");
    installation.unsettled(0).await;
    installation.end().await;
    assert_eq!(installation.dead_letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_structured_event_arrives_too() {
    let server = NatsServer::start().await;
    let mut installation = Installation::new(&server, Config::default()).await;
    installation.start();
    let body =
        r#"{"specversion":"1.0","id":"9","source":"/s","type":"custom.paid","data":{"a": [1]}}"#;
    let kind = [("Content-Type", "application/cloudevents+json; charset=utf-8")];
    installation.publish("in.default.shop", &kind, body).await;
    let events = installation.events(1).await;
    assert_eq!(events[0].event.event_type.as_str(), "custom.paid");
    assert_eq!(events[0].event.payload.as_str(), r#"{"a": [1]}"#);
    installation.end().await;
}

#[tokio::test]
async fn what_can_never_be_taken_is_a_dead_letter_and_holds_nobody_up() {
    let server = NatsServer::start().await;
    let mut installation = Installation::new(&server, Config::default()).await;
    installation.start();
    installation.publish("in.default.shop", &[], r#"{"no":"cloudevent"}"#).await;
    installation.publish("in.default.Shop", &[("ce-specversion", "1.0")], "").await;
    installation.order("1", "{}").await;
    installation.order("1", r#"{"changed":true}"#).await;
    installation.order("2", "{}").await;
    assert_eq!(ids(&installation.events(2).await), ["1", "2"]);
    installation.unsettled(0).await;
    installation.end().await;

    let mut dead = installation.dead_letters().await;
    dead.sort_unstable_by_key(|story| story["sequence"].as_u64());
    let reasons: Vec<&str> = dead.iter().map(|s| s["reasons"][0].as_str().unwrap()).collect();
    let wanted =
        ["`specversion` is missing", "`Shop` is not a source", "used before with another body"];
    assert_eq!(reasons.len(), wanted.len(), "{reasons:?}");
    for (reason, wanted) in reasons.iter().zip(wanted) {
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[tokio::test]
async fn a_full_log_makes_events_wait_and_no_dead_letters() {
    let server = NatsServer::start().await;
    let full = Config { waiting_max: 1, ..Config::default() };
    let mut installation = Installation::new(&server, full).await;
    let all: Vec<String> = (1..=9).map(|id| id.to_string()).collect();
    for id in &all {
        installation.order(id, "{}").await;
    }
    // They are taken in one batch, of which the log takes one.
    installation.start();
    let moving = async {
        while installation.world.events().await.len() < all.len() {
            installation.world.clock.advance(Duration::from_secs(31));
            yield_now().await;
        }
    };
    timeout(PATIENCE, moving).await.unwrap();
    assert_eq!(ids(&installation.world.events().await), all);
    installation.unsettled(0).await;
    installation.end().await;
    assert_eq!(installation.dead_letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_committed() {
    let server = NatsServer::start().await;
    let mut installation = Installation::new(&server, Config::default()).await;
    installation.world.stop().await;
    installation.order("1", "{}").await;
    installation.order("2", "{}").await;
    installation.start();
    installation.unsettled(2).await;
    installation.end().await;
    installation.unsettled(2).await;
    assert!(installation.world.events().await.is_empty());
    assert_eq!(installation.dead_letters().await, Vec::<Value>::new());
}
