//! Dead letters, each told once.

use omni_clock::{Random, SystemClock};
use omni_event_bus::{ConsumerConfig, Start};
use omni_event_log::{Config, Parts, open};
use omni_events::{EventType, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::events::{Filter, Page, StoredEvent};

use super::*;

/// A log that runs, with its bus.
struct World {
    store: Store,
    bus: EventBus,
    log: EventLog,
    clock: Arc<dyn Clock>,
}

impl World {
    async fn start() -> Self {
        let (store, bus) = (Store::temporary().await, EventBus::temporary().await);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry,
            clock: clock.clone(),
            random: Arc::new(Random::from_entropy()),
            writer: "test".to_owned(),
            config: Config::default(),
        };
        let (log, appender, publisher) = open(parts).await.unwrap();
        tokio::spawn(appender.run(CancellationToken::new()));
        tokio::spawn(publisher.run(CancellationToken::new()));
        Self { store, bus, log, clock }
    }

    fn agent(&self) -> DeadLetters {
        let (bus, log) = (self.bus.clone(), self.log.clone());
        DeadLetters::new(bus, log, self.store.clone(), self.clock.clone())
    }

    async fn append(&self, org: &str) -> Event {
        let payload = Payload::parse(br#"{"n": 1}"#.to_vec().into()).unwrap();
        let org = Org::parse(org).unwrap();
        let draft =
            Draft::new(org.clone(), EventType::parse("custom.test").unwrap(), "test", payload);
        let id = self.log.append(draft).await.unwrap().event_id;
        self.log.get(&org, id).await.unwrap().unwrap().event
    }

    /// Takes so many messages as a consumer and gives them up.
    async fn reject(&self, consumer: &str, count: usize) {
        let all = ConsumerConfig::new(consumer, vec![SubjectPattern::all()]);
        let mut consumer =
            self.bus.consumer(ConsumerConfig { start: Start::First, ..all }).await.unwrap();
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_secs(20), consumer.next());
            next.await.unwrap().unwrap().reject("it is poison").await;
        }
    }

    async fn told(&self, org: &str) -> Vec<StoredEvent> {
        let mut conn = self.store.read().await.unwrap();
        let filter = Filter {
            types: vec![omni_events::TypePattern::parse(TYPE).unwrap()],
            ..Filter::default()
        };
        let page = Page { after: None, limit: 1000, ascending: true };
        omni_store::events::list(&mut conn, org, &filter, &page).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_told_once_and_one_about_it_never() {
    let world = World::start().await;
    let event = world.append("acme").await;
    world.reject("shop", 1).await;
    let mut agent = world.agent();
    agent.look().await.unwrap();
    agent.look().await.unwrap();
    // After a crash before the position was written, and by another process.
    world.agent().look().await.unwrap();
    let told = world.told("acme").await;
    let [about] = told.as_slice() else { panic!("{told:?}") };
    let payload: payload::DeadLetter = serde_json::from_str(about.event.payload.as_str()).unwrap();
    assert_eq!(
        (payload.event_id, payload.event_type),
        (event.id.to_string(), "custom.test".into())
    );
    assert_eq!((payload.consumer.as_str(), payload.attempts), ("shop", 1));
    assert_eq!(payload.error, "it is poison");
    assert_eq!(about.event.metadata.causation_id, Some(event.id));
    assert_eq!(about.event.metadata.correlation_id, event.metadata.correlation_id);
    let known = bus::get(&mut world.store.read().await.unwrap()).await.unwrap();
    assert!(known.letters_through > DateTime::UNIX_EPOCH);

    // Now the event about it is given up as well: the second message of the same consumer.
    world.reject("shop", 1).await;
    assert_eq!(world.bus.dead_letters(10).await.unwrap().len(), 2);
    agent.look().await.unwrap();
    assert_eq!(world.told("acme").await.len(), 1);
    assert!(world.told("default").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_engine_gave_up_is_not_pending() {
    let world = World::start().await;
    let event = world.append("default").await;
    world.reject("shop", 1).await;
    world.agent().look().await.unwrap();
    let get = async || world.log.get(&Org::default(), event.id).await.unwrap().unwrap();
    assert_eq!(get().await.outcome, None, "others do not decide what becomes of an event");
    world.reject(omni_automations::CONSUMER, 1).await;
    world.agent().look().await.unwrap();
    let outcome = get().await.outcome.unwrap();
    assert_eq!(
        (outcome.status.as_str(), outcome.error.as_deref()),
        ("failed", Some("it is poison"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_dead_letters_than_are_read_at_once_are_all_told() {
    let world = World::start().await;
    for _ in 0..LIMIT + 6 {
        world.append("default").await;
    }
    world.reject("shop", LIMIT + 6).await;
    world.agent().look().await.unwrap();
    assert_eq!(world.told("default").await.len(), LIMIT + 6);
}
