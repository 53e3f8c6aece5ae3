//! Capturing after an event was accepted: written later, under the policy of its type, bounded, never in the way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::TimeDelta;
use omni_clock::{Clock, ManualClock, Random};
use omni_event_bus::EventBus;
use omni_event_log::{
    Capture, CapturePolicy, Config, Draft, EventLog, Failure, Parts, PolicyError, Stage, open,
};
use omni_events::{EventType, Org, Payload, TypePattern};
use omni_registry::Registry;
use omni_store::{
    Store,
    payloads::{self, Body, PayloadRow},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

struct Rig {
    store: Store,
    log: EventLog,
    clock: ManualClock,
    stop: CancellationToken,
}

impl Rig {
    async fn on(store: Store) -> Self {
        let clock = ManualClock::at_unix(1_800_000_000);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let registry = Registry::open(store.clone(), shared.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: EventBus::temporary().await,
            registry,
            clock: shared,
            random: Arc::new(Random::from_entropy()),
            writer: "test".to_owned(),
            config: Config::default(),
        };
        let (log, appender, _publisher) = open(parts).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(appender.run(stop.clone()));
        Self { store, log, clock, stop }
    }

    fn agent(&self) -> JoinHandle<()> {
        tokio::spawn(self.log.captures().agent().run(self.stop.clone()))
    }

    async fn append(&self, name: &str, capture: Option<Capture>) -> Uuid {
        let mut draft = Draft::new(Org::default(), event_type(name), "test", Payload::default());
        draft.capture = capture;
        self.log.append(draft).await.unwrap().event_id
    }

    async fn set(&self, types: &str, policy: &str) {
        let policy: CapturePolicy = serde_json::from_str(policy).unwrap();
        let types = TypePattern::parse(types).unwrap();
        self.log.captures().set_policy(&Org::default(), &types, policy).await.unwrap();
    }

    async fn rows(&self, id: Uuid) -> Vec<PayloadRow> {
        let mut conn = self.store.read().await.unwrap();
        payloads::list(&mut conn, "default", id, 64 << 20).await.unwrap()
    }

    fn capture(&self, id: Uuid, name: &str, capture: Capture) {
        self.log.capture(id, &Org::default(), &event_type(name), capture);
    }

    /// Writes everything that waits, and ends.
    async fn written(&self, agent: JoinHandle<()>) {
        self.stop.cancel();
        agent.await.unwrap();
    }
}

fn event_type(name: &str) -> EventType {
    EventType::parse(name).unwrap()
}

fn at(stage: Stage, body: &'static [u8]) -> Capture {
    let headers: [(&str, &[u8]); 2] = [("Authorization", b"canary"), ("X-Trace", b"t-1")];
    Capture::new(stage, Some("application/json"), headers.into_iter(), None)
        .with_body(Bytes::from_static(body))
}

async fn every_stage(store: Store) {
    let rig = Rig::on(store).await;
    let agent = rig.agent();
    let id = rig.append("custom.x", None).await;
    rig.capture(id, "custom.x", at(Stage::AgentRequest, b"ask 1"));
    rig.capture(id, "custom.x", at(Stage::AgentRequest, b"ask 2"));
    rig.capture(id, "custom.x", at(Stage::AgentResponse, b"\0\xff"));
    rig.capture(id, "custom.x", at(Stage::ChannelSend, b"send"));
    let failure =
        Failure { consumer: "automations".into(), attempts: 3, errors: vec!["no".into()] };
    rig.log.capture_failure(id, &Org::default(), &event_type("custom.x"), &failure);
    rig.capture(Uuid::nil(), "custom.x", at(Stage::Error, b"of no event"));
    rig.written(agent).await;

    let rows = rig.rows(id).await;
    let stages: Vec<(&str, i32)> =
        rows.iter().map(|row| (row.head.stage.as_str(), row.head.part)).collect();
    let wanted = [
        ("agent_request", 0),
        ("agent_request", 1),
        ("agent_response", 0),
        ("channel_send", 0),
        ("error", 0),
    ];
    assert_eq!(stages, wanted);
    assert_eq!(rows[1].body, Body::Bytes(b"ask 2".to_vec()));
    assert_eq!(rows[2].body, Body::Bytes(b"\0\xff".to_vec()));
    let Body::Bytes(error) = &rows[4].body else { panic!("{rows:?}") };
    let error: serde_json::Value = serde_json::from_slice(error).unwrap();
    assert_eq!(
        error,
        serde_json::json!({ "consumer": "automations", "attempts": 3, "errors": ["no"] })
    );
    let headers = &rows[0].head.headers;
    assert_eq!(headers, r#"[["authorization","[redacted]"],["x-trace","t-1"]]"#);
    assert_eq!(rows[0].head.expires_at, Some(rig.clock.now() + TimeDelta::days(14)));
    let stats = rig.log.stats();
    assert_eq!((stats.captures_stored, stats.captures_dropped), (5, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_is_kept_in_parts_without_secrets() {
    every_stage(Store::temporary().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_is_kept_in_parts_without_secrets_on_postgres() {
    let url = omni_store::testing::server_url();
    every_stage(Store::temporary_postgres(&url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_of_the_type_decides() {
    let rig = Rig::on(Store::temporary().await).await;
    let agent = rig.agent();
    rig.set(">", r#"{"retentionDays":null}"#).await;
    rig.set("custom.quiet", r#"{"enabled":false}"#).await;
    rig.set("custom.some.*", r#"{"stages":["agent_response"],"retentionDays":1,"maxBytes":4}"#)
        .await;
    let raw = || Some(at(Stage::WebhookRaw, b"raw"));
    let mut ids = BTreeMap::new();
    for name in ["custom.any", "custom.quiet", "custom.some.one"] {
        let id = rig.append(name, raw()).await;
        rig.capture(id, name, at(Stage::AgentResponse, b"0123456789"));
        ids.insert(name, id);
    }
    rig.written(agent).await;
    let any = rig.rows(ids["custom.any"]).await;
    assert_eq!(any.len(), 2);
    assert!(any.iter().all(|row| row.head.expires_at.is_none()), "{any:?}");
    assert!(rig.rows(ids["custom.quiet"]).await.is_empty());
    let some = rig.rows(ids["custom.some.one"]).await;
    assert_eq!(some.len(), 1, "{some:?}");
    assert_eq!((&some[0].body, some[0].head.size), (&Body::Bytes(b"0123".to_vec()), 10));
    assert_eq!(some[0].head.expires_at, Some(rig.clock.now() + TimeDelta::days(1)));
}

/// Nobody writes, so everything waits: what has no room is dropped at once and counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_dropped_and_counted_and_nobody_waits() {
    let rig = Rig::on(Store::temporary().await).await;
    let id = rig.append("custom.x", None).await;
    for _ in 0..2000 {
        rig.capture(id, "custom.x", at(Stage::AgentRequest, b"small"));
    }
    assert_eq!(rig.log.stats().captures_dropped, 2000 - 1024);
    let agent = rig.agent();
    rig.written(agent).await;
    // A stage has at most a thousand parts; the rest is dropped, too.
    assert_eq!(rig.rows(id).await.len(), 1000);
    let stats = rig.log.stats();
    assert_eq!((stats.captures_stored, stats.captures_dropped), (1000, 1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_take_their_room() {
    let rig = Rig::on(Store::temporary().await).await;
    let id = rig.append("custom.x", None).await;
    let large = Bytes::from(vec![b'x'; 6 << 20]);
    for _ in 0..4 {
        let capture = Capture::new(Stage::AgentResponse, None, std::iter::empty(), None);
        rig.capture(id, "custom.x", capture.with_body(large.clone()));
    }
    assert_eq!(rig.log.stats().captures_dropped, 2, "16 MiB wait at most");
    let agent = rig.agent();
    rig.written(agent).await;
    assert_eq!(rig.rows(id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_of_another_replica_is_followed() {
    let store = Store::temporary().await;
    let (here, there) = (Rig::on(store.clone()).await, Rig::on(store).await);
    let agent = here.agent();
    there.set("custom.x", r#"{"enabled":false}"#).await;
    let raw = || Some(at(Stage::WebhookRaw, b"raw"));
    let followed = async {
        loop {
            here.clock.advance(Duration::from_secs(1));
            let id = here.append("custom.x", raw()).await;
            if here.rows(id).await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), followed).await.unwrap();
    here.written(agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_read_keeps_nothing() {
    let store = Store::temporary().await;
    let row = omni_store::capture_policies::PolicyRow {
        org: "default".into(),
        event_type: "custom.x".into(),
        policy: r#"{"ofANewerRelease":true}"#.into(),
        updated_at: ManualClock::at_unix(0).now(),
    };
    omni_store::capture_policies::set(&mut store.write().await.unwrap(), &row).await.unwrap();
    let rig = Rig::on(store).await;
    let id = rig.append("custom.x", Some(at(Stage::WebhookRaw, b"raw"))).await;
    assert!(rig.rows(id).await.is_empty());
    let listed = rig.log.captures().policies(&Org::default()).await;
    assert!(matches!(listed, Err(PolicyError::Unreadable { .. })), "{listed:?}");
}
