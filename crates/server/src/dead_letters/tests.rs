//! Dead letters of the bus, each recorded and told once.

use omni_clock::{Random, SystemClock};
use omni_event_bus::{ConsumerConfig, Start};
use omni_event_log::{Config, Draft, EventLog, Parts, open};
use omni_events::{EventType, Payload, SubjectPattern, payload};
use omni_registry::Registry;
use omni_store::{
    dead_letters::DeadLetterRow,
    events::{Filter, Page, StoredEvent},
};
use uuid::Uuid;

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

    fn agent(&self) -> BusLetters {
        let letters = DeadLetters::new(self.log.clone());
        BusLetters::new(self.bus.clone(), letters, self.store.clone(), self.clock.clone())
    }

    async fn letters(&self, org: &str) -> Vec<DeadLetterRow> {
        let mut conn = self.store.read().await.unwrap();
        let page = letters::Page { after: None, limit: 1000, ascending: true };
        let heads = letters::list(&mut conn, org, &letters::Filter::default(), &page).await;
        let mut rows = Vec::new();
        for head in heads.unwrap() {
            rows.extend(letters::get(&mut conn, org, head.id).await.unwrap());
        }
        rows
    }

    /// Waits until every letter is told.
    async fn all_told(&self) {
        let stop = CancellationToken::new();
        let agent = DeadLetters::new(self.log.clone()).agent();
        let running = tokio::spawn(agent.run(stop.clone()));
        tokio::time::timeout(Duration::from_secs(20), async {
            while !letters::untold(&mut self.store.read().await.unwrap(), 1)
                .await
                .unwrap()
                .is_empty()
            {
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        stop.cancel();
        running.await.unwrap();
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
            types: vec![omni_events::TypePattern::parse("system.dead_letter").unwrap()],
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
    world.all_told().await;
    world.all_told().await;
    let rows = world.letters("acme").await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.head.event_id, row.head.consumer.as_str()), (event.id, "shop"));
    assert_eq!((row.head.status.as_str(), row.message().unwrap()), (PENDING, None));
    assert_eq!(row.head.next_retry_at, Some(row.head.dead_at + TimeDelta::hours(1)));
    let told = world.told("acme").await;
    let [about] = told.as_slice() else { panic!("{told:?}") };
    let payload: payload::DeadLetter = serde_json::from_str(about.event.payload.as_str()).unwrap();
    assert_eq!(
        (payload.event_id, payload.event_type),
        (event.id.to_string(), "custom.test".into())
    );
    assert_eq!((payload.consumer.as_str(), payload.attempts), ("shop", 1));
    assert_eq!(
        (payload.error.as_str(), payload.dead_letter_id),
        ("it is poison", Some(row.head.id.to_string()))
    );
    assert_eq!(about.event.metadata.causation_id, Some(event.id));
    assert_eq!(about.event.metadata.correlation_id, event.metadata.correlation_id);
    let known = bus::get(&mut world.store.read().await.unwrap()).await.unwrap();
    assert!(known.letters_through > DateTime::UNIX_EPOCH);

    // Now the event about it is given up as well: the second message of the same consumer.
    world.reject("shop", 1).await;
    assert_eq!(world.bus.dead_letters(10).await.unwrap().len(), 2);
    agent.look().await.unwrap();
    world.all_told().await;
    assert_eq!(world.letters("acme").await.len(), 2);
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
    assert_eq!(world.letters("default").await.len(), 2, "one of each consumer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_a_consumer_gives_up_again_belongs_to_its_letter() {
    let world = World::start().await;
    world.append("default").await;
    world.reject("shop", 1).await;
    let mut agent = world.agent();
    agent.look().await.unwrap();
    let dead = DeadLetters::new(world.log.clone());
    let id = world.letters("default").await[0].head.id;
    let retried = dead.retry(&Org::default(), id, "ann").await.unwrap();
    let retry = retried.head.retry_event_id.unwrap();
    world.reject("shop", 1).await;
    world.reject("mail", 2).await;
    agent.look().await.unwrap();
    world.agent().look().await.unwrap();
    let rows = world.letters("default").await;
    let mut consumers: Vec<_> = rows.iter().map(|row| row.head.consumer.as_str()).collect();
    consumers.sort_unstable();
    assert_eq!(consumers, ["mail", "mail", "shop"], "another consumer has a letter of its own");
    let shop = rows.iter().find(|row| row.head.id == id).unwrap();
    assert_eq!((shop.head.status.as_str(), shop.head.retries), (PENDING, 1));
    assert_eq!(shop.reasons(), ["it is poison", "it is poison"]);

    // The engine gives up the event of the retry: its outcome says so, and there is no letter about it.
    dead.retry(&Org::default(), id, "ann").await.unwrap();
    world.reject(omni_automations::CONSUMER, 3).await;
    agent.look().await.unwrap();
    let about = |event: Uuid| rows.iter().any(|row| row.head.event_id == event);
    assert!(about(retry), "that of `mail`");
    let engines: Vec<_> = world.letters("default").await;
    let engines = engines.iter().filter(|row| row.head.consumer == omni_automations::CONSUMER);
    assert_eq!(engines.count(), 1, "of the first event only");
    let outcome = world.log.get(&Org::default(), retry).await.unwrap().unwrap().outcome.unwrap();
    assert_eq!(outcome.status, "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_event_is_kept_and_cannot_be_retried() {
    let world = World::start().await;
    let id = Uuid::from_u128(7);
    let message = omni_event_bus::Message {
        id,
        subject: "custom.test._._".into(),
        data: b"{oops".as_slice().into(),
    };
    world.bus.publish_raw(vec![message]).await.unwrap();
    world.reject("shop", 1).await;
    world.agent().look().await.unwrap();
    let rows = world.letters("default").await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.head.event_id, id);
    assert_eq!(row.message().unwrap().as_deref(), Some(&b"{oops"[..]));
    let dead = DeadLetters::new(world.log.clone());
    let error = dead.retry(&Org::default(), row.head.id, "ann").await.unwrap_err();
    assert!(error.to_string().contains("is no event that can be read"), "{error}");
    assert_eq!(world.letters("default").await[0].head.status, PENDING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_dead_letters_than_are_read_at_once_are_all_told() {
    let world = World::start().await;
    for _ in 0..LIMIT + 6 {
        world.append("default").await;
    }
    world.reject("shop", LIMIT + 6).await;
    world.agent().look().await.unwrap();
    world.all_told().await;
    assert_eq!(world.told("default").await.len(), LIMIT + 6);
}
