//! Several processes on one store and one bus: a change through one is in force in the others at once.

use omni_clock::{ManualClock, SystemClock};
use omni_event_bus::{NatsOptions, testing::NatsServer};
use omni_event_log::{Config, Draft, EventLog, Parts, open};
use omni_events::{EventType, Org, Payload, payload::DefinitionChanged};
use omni_registry::{NewType, TypeOptions};
use omni_store::Store;
use serde_json::json;

use super::*;

/// One process. The clock of its registry stands still, so that nothing is read again by the clock.
struct Process {
    bus: EventBus,
    registry: Registry,
    log: EventLog,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    listening: tokio::task::JoinHandle<()>,
}

impl Process {
    async fn start(store: &Store, bus: EventBus, is_shared: bool) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random = Arc::new(Random::from_entropy());
        let still = Arc::new(ManualClock::at_unix(1_700_000_000));
        let registry = Registry::open(store.clone(), still).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            clock: clock.clone(),
            random: random.clone(),
            writer: format!("test-{}", random.next_u64()),
            config: Config::default(),
        };
        let (log, appender, publisher) = open(parts).await.unwrap();
        tokio::spawn(appender.run(CancellationToken::new()));
        tokio::spawn(publisher.run(CancellationToken::new()));
        let agent = Definitions::new(bus.clone(), registry.clone(), (&clock, &random), is_shared);
        let stop = CancellationToken::new();
        let listening = tokio::spawn(agent.run(stop.clone()));
        Self { bus, registry, log, clock, stop, listening }
    }

    /// What the API does with a type.
    async fn register(&self, name: &str) {
        let new = NewType {
            event_type: EventType::parse(name).unwrap(),
            schema: json!({ "required": ["total"] }),
            options: TypeOptions::default(),
            created_by: None,
        };
        let org = Org::default();
        let registered = self.registry.register(&org, new).await.unwrap();
        let changed = DefinitionChanged {
            kind: "eventType".to_owned(),
            name: name.to_owned(),
            change: "created".to_owned(),
            version: Some(registered.info.version),
        };
        self.log.tell_changed(&org, &changed).await;
    }

    async fn enforces(&self, name: &str) {
        let event_type = EventType::parse(name).unwrap();
        let empty = Payload::from_value(&json!({}));
        let enforced = async {
            while self.registry.check(&Org::default(), &event_type, &empty).is_ok() {
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enforced).await.unwrap();
    }
}

#[tokio::test]
async fn a_type_is_enforced_everywhere_at_once() {
    let server = NatsServer::start().await;
    let store = Store::temporary_postgres(&omni_store::testing::server_url()).await;
    let connect = async || EventBus::nats(NatsOptions::new(server.url())).await.unwrap();
    let one = Process::start(&store, connect().await, true).await;
    let two = Process::start(&store, connect().await, true).await;
    let mut three = Process::start(&store, connect().await, true).await;
    one.register("custom.first").await;
    two.register("custom.second").await;
    for process in [&one, &two, &three] {
        process.enforces("custom.first").await;
        process.enforces("custom.second").await;
    }

    // One that ends takes its position with it; the others go on.
    three.stop.cancel();
    (&mut three.listening).await.unwrap();
    let open = |process: &Process| process.bus.stats().consumers.len();
    assert_eq!((open(&one), open(&three)), (1, 0));
    one.register("custom.third").await;
    two.enforces("custom.third").await;
}

#[tokio::test]
async fn whatever_a_notice_says_it_is_only_a_reason_to_look() {
    let store = Store::temporary().await;
    let process = Process::start(&store, EventBus::temporary().await, false).await;
    let other = Registry::open(store.clone(), Arc::new(SystemClock::new())).await.unwrap();
    for number in 0..20 {
        let changed = DefinitionChanged {
            kind: "unheard of".to_owned(),
            name: "\u{0}".to_owned(),
            change: String::new(),
            version: Some(i32::MIN + number),
        };
        process.log.tell_changed(&Org::default(), &changed).await;
    }
    let new = NewType {
        event_type: EventType::parse("custom.a").unwrap(),
        schema: json!({ "required": ["total"] }),
        options: TypeOptions::default(),
        created_by: None,
    };
    other.register(&Org::default(), new).await.unwrap();
    // By another organisation, of another type: what is read is everything that changed.
    let org = Org::parse("acme").unwrap();
    let event_type = EventType::parse(DEFINITION_CHANGED).unwrap();
    let payload = json!({ "kind": "eventType", "name": "custom.b", "change": "deleted" });
    let draft = Draft::new(org, event_type, "test", Payload::from_value(&payload));
    process.log.append(draft).await.unwrap();
    process.enforces("custom.a").await;
}
