//! A bus that lost what it had: what nobody has handled is published again, in order, and only that.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, sync::Arc, time::Duration};

use omni_clock::{Clock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Start};
use omni_event_log::{Closing, Config, Draft, EventLog, Parts, open};
use omni_events::{EventType, Org, Payload, SubjectPattern};
use omni_registry::Registry;
use omni_store::{
    Store, bus,
    executions::{Done, NewOutcome, commit_batch},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A log that runs.
struct Running {
    log: EventLog,
    bus: EventBus,
    stop: CancellationToken,
    appending: JoinHandle<()>,
    publishing: JoinHandle<Closing>,
}

impl Running {
    async fn start(store: &Store, directory: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let bus = EventBus::embedded(directory, EmbeddedOptions::default()).await.unwrap();
        let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry,
            clock,
            random: Arc::new(Random::from_entropy()),
            writer: "test".to_owned(),
            config: Config { safe_after: Duration::from_millis(10), ..Config::default() },
        };
        let (log, appender, publisher) = open(parts).await.unwrap();
        let stop = CancellationToken::new();
        let appending = appender.run(stop.clone());
        let appending = tokio::spawn(async move { appending.await.unwrap() });
        let publishing = tokio::spawn(publisher.run(stop.clone()));
        Self { log, bus, stop, appending, publishing }
    }

    async fn append(&self, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for n in 0..count {
            let payload = Payload::parse(n.to_string().into()).unwrap();
            let event_type = EventType::parse("custom.test").unwrap();
            let draft = Draft::new(Org::default(), event_type, "test", payload);
            ids.push(self.log.append(draft).await.unwrap().event_id);
        }
        ids
    }

    /// Takes everything that comes until this event has come.
    async fn take_until(&self, last: Uuid) -> Vec<Uuid> {
        let all = ConsumerConfig::new("test", vec![SubjectPattern::all()]);
        let config = ConsumerConfig { start: Start::First, ..all };
        let mut consumer = self.bus.consumer(config).await.unwrap();
        let mut ids = Vec::new();
        let taking = async {
            while ids.last() != Some(&last) {
                let delivery = consumer.next().await.unwrap();
                ids.push(delivery.event().unwrap().id);
                delivery.ack().await;
            }
        };
        let taken = tokio::time::timeout(Duration::from_secs(20), taking).await;
        assert!(taken.is_ok(), "{last} did not come after {} events", ids.len());
        ids
    }

    async fn stop(self) {
        self.stop.cancel();
        self.appending.await.unwrap();
        let closing = self.publishing.await.unwrap();
        self.bus.drain().await.unwrap();
        closing.confirm().await.unwrap();
    }

    /// Nothing is said to anybody, as in a crash.
    async fn kill(self) {
        self.publishing.abort();
        self.appending.abort();
        let _ = (self.publishing.await, self.appending.await);
    }
}

async fn handle(store: &Store, events: impl IntoIterator<Item = Uuid>) {
    let done = |event_id| Done {
        outcome: NewOutcome {
            event_id,
            org: "default".into(),
            status: "completed".into(),
            retry_count: 0,
            processed_at: SystemClock::new().now(),
            executions: 0,
            error: None,
            received_at: SystemClock::new().now(),
        },
        executions: Vec::new(),
        dead: Vec::new(),
    };
    let batch: Vec<Done> = events.into_iter().map(done).collect();
    let mut conn = store.write().await.unwrap();
    commit_batch(&mut conn, &batch).await.unwrap();
}

async fn known(store: &Store) -> bus::Bus {
    bus::get(&mut store.read().await.unwrap()).await.unwrap()
}

async fn eventually(what: &str, look: impl AsyncFn() -> bool) {
    let looking = async {
        while !look().await {
            SystemClock::new().sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), looking).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_bus_had_and_nobody_handled_is_published_again_in_order() {
    let (store, directory) = (Store::temporary().await, tempfile::tempdir().unwrap());
    let first = directory.path().join("first");
    let running = Running::start(&store, &first).await;
    let ids = running.append(500).await;
    eventually("the first streams are known", async || !known(&store).await.identity.is_empty())
        .await;
    handle(&store, ids[..100].iter().chain(&ids[200..300]).copied()).await;
    running.stop().await;
    let before = known(&store).await.identity;

    std::fs::remove_dir_all(&first).unwrap();
    let running = Running::start(&store, &first).await;
    let new = running.append(3).await;
    let wanted: Vec<Uuid> = ids[100..200].iter().chain(&ids[300..]).chain(&new).copied().collect();
    assert_eq!(running.take_until(new[2]).await, wanted);
    eventually("the new streams are known", async || {
        let known = known(&store).await;
        known.identity != before && known.healer.is_none()
    })
    .await;
    running.stop().await;

    // Nothing more to do at the next start: what is handled by nobody is on the bus.
    let running = Running::start(&store, &first).await;
    let last = running.append(1).await;
    assert_eq!(running.take_until(last[0]).await, last);
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_it_is_published_again_begins_it_again() {
    let (store, directory) = (Store::temporary().await, tempfile::tempdir().unwrap());
    let running = Running::start(&store, &directory.path().join("0")).await;
    let ids = running.append(300).await;
    eventually("the first streams are known", async || !known(&store).await.identity.is_empty())
        .await;
    let first = known(&store).await.identity;
    running.kill().await;
    // Each time the streams are lost as well, and the process dies at another moment.
    for round in 1..6 {
        let running = Running::start(&store, &directory.path().join(round.to_string())).await;
        eventually("it has begun", async || {
            known(&store).await.healer.is_some() || known(&store).await.identity != first
        })
        .await;
        running.kill().await;
    }
    let running = Running::start(&store, &directory.path().join("last")).await;
    let mut taken = running.take_until(ids[299]).await;
    taken.dedup();
    assert_eq!(taken, ids);
    eventually("the new streams are known", async || known(&store).await.identity != first).await;
    running.stop().await;
}

/// The search for what is not handled must not begin with the first event of years ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_before_which_all_is_handled_moves_on() {
    let (store, directory) = (Store::temporary().await, tempfile::tempdir().unwrap());
    let running = Running::start(&store, &directory.path().join("bus")).await;
    let ids = running.append(50).await;
    handle(&store, ids[..40].iter().copied()).await;
    running.take_until(ids[49]).await;
    running.stop().await;
    let running = Running::start(&store, &directory.path().join("bus")).await;
    eventually("it moves up to the first in doubt", async || {
        known(&store).await.settled_through == 40
    })
    .await;
    running.kill().await;
}
