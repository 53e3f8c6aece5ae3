//! Replays over real stores and a real bus, by processes that die: each original comes back once, in order, and nothing
//! that was not asked for happens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::{ConsumerConfig, EmbeddedOptions, EventBus, Start, Sync};
use omni_event_log::{
    Config, Draft, EventLog, Parts, ReplayJob, ReplaySelection, ReplaySpec, open,
};
use omni_events::{Event, EventType, Org, Payload, SubjectPattern, TypePattern};
use omni_registry::Registry;
use omni_store::{
    Store,
    events::{Filter, Page},
    testing::server_url,
};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The longest that a test waits for a fact.
const PATIENCE: Duration = Duration::from_secs(30);

/// What outlives a process.
struct World {
    clock: ManualClock,
    store: Store,
    bus: EventBus,
    config: Config,
    _directory: tempfile::TempDir,
}

/// A process with a log and a runner of replays, on a runtime of its own.
struct Process {
    log: EventLog,
    runtime: Option<Runtime>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl World {
    async fn new(store: Store) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::at_unix(1_800_000_000);
        let options = EmbeddedOptions {
            sync: Sync::Interval(Duration::from_millis(100)),
            clock: Arc::new(clock.clone()),
            ..EmbeddedOptions::default()
        };
        let bus = EventBus::embedded(directory.path(), options).await.unwrap();
        Self { clock, store, bus, config: Config::default(), _directory: directory }
    }

    async fn start(&self) -> Process {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let (store, bus, config) = (self.store.clone(), self.bus.clone(), self.config);
        let opening = async move {
            let registry = Registry::open(store.clone(), clock.clone()).await.unwrap();
            let random = Arc::new(Random::from_entropy());
            let parts =
                Parts { store, bus, registry, clock, random, writer: "test".into(), config };
            let (log, appender, publisher) = open(parts).await.unwrap();
            let stop = CancellationToken::new();
            tokio::spawn(appender.run(stop.clone()));
            tokio::spawn(publisher.run(stop.clone()));
            tokio::spawn(log.replays().runner().run(stop));
            log
        };
        let log = runtime.spawn(opening).await.unwrap();
        Process { log, runtime: Some(runtime) }
    }

    /// Lets time pass until the fact is there.
    async fn pass_until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let real = SystemClock::new();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(real.elapsed() < PATIENCE, "waited in vain: {what}");
            self.clock.advance(Duration::from_millis(50));
            real.sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets time pass until a replay has ended.
    async fn ended(&self, process: &Process, id: Uuid) -> ReplayJob {
        self.pass_until("the replay ends", async || {
            let job = process.log.replays().get(&Org::default(), id).await.unwrap().unwrap();
            job.row.finished_at.is_some().then_some(job)
        })
        .await
    }
}

impl Process {
    async fn append(&self, event_type: &str, n: usize) -> Event {
        let payload = Payload::parse(format!("{{\"n\":  {n}, \"x\": 1.50}}").into()).unwrap();
        let event_type = EventType::parse(event_type).unwrap();
        let mut draft = Draft::new(Org::default(), event_type, "test", payload);
        draft.metadata.hops = 3;
        draft.metadata.instance_id = Some(format!("i-{n}"));
        let id = self.log.append(draft).await.unwrap().event_id;
        self.log.get(&Org::default(), id).await.unwrap().unwrap().event
    }

    async fn start(&self, spec: &ReplaySpec) -> Uuid {
        self.log.replays().start(&Org::default(), spec, None, None).await.unwrap().row.id
    }

    /// Events of a source in the order of the log.
    async fn of_source(&self, source: Option<&str>) -> Vec<Event> {
        let filter = Filter { source: source.map(str::to_owned), ..Filter::default() };
        let page = Page { after: None, limit: 1000, ascending: true };
        let found = self.log.list(&Org::default(), &filter, &page).await.unwrap();
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|stored| stored.sequence);
        found.into_iter().map(|stored| stored.event).collect()
    }

    /// What came back, without what tells of it.
    async fn replayed(&self) -> Vec<Event> {
        let mut all = self.of_source(None).await;
        all.retain(|event| event.metadata.replay_of.is_some());
        all
    }

    async fn told(&self) -> Vec<String> {
        let all = self.of_source(Some("replay")).await;
        let told = all.into_iter().filter(|event| event.metadata.replay_of.is_none());
        told.map(|event| format!("{} {}", event.event_type.as_str(), event.payload.as_str()))
            .collect()
    }

    /// As `kill -9` does it.
    async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(|| runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

fn everything(rate: u32) -> ReplaySpec {
    let types = vec![TypePattern::parse("custom.>").unwrap()];
    let selection = ReplaySelection { types, ..ReplaySelection::default() };
    ReplaySpec { rate_per_second: rate, ..ReplaySpec::new(selection) }
}

async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    test(Store::temporary().await).await;
    test(Store::temporary_postgres(&server_url()).await).await;
}

fn originals(events: &[Event]) -> Vec<Uuid> {
    events.iter().filter_map(|event| event.metadata.replay_of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_comes_back_once_in_order_and_points_at_its_original() {
    on_both(async |store| {
        let world = World::new(store).await;
        let process = world.start().await;
        let mut wanted = Vec::new();
        for n in 0..150 {
            wanted.push(process.append(["custom.a", "custom.b"][n % 2], n).await);
            process.append("custom.left.out", n).await;
            world.clock.advance(Duration::from_millis(n as u64 % 3));
        }
        let types = ["custom.a", "custom.b"].map(|text| TypePattern::parse(text).unwrap()).to_vec();
        let selection = ReplaySelection { types, ..ReplaySelection::default() };
        let spec = ReplaySpec { rate_per_second: 1000, ..ReplaySpec::new(selection) };
        let plan = process.log.replays().plan(&Org::default(), &spec).await.unwrap();
        let counts: Vec<_> =
            plan.types.iter().map(|count| (count.event_type.as_str(), count.events)).collect();
        assert_eq!(counts, [("custom.a", 75), ("custom.b", 75)]);
        assert_eq!(process.of_source(Some("replay")).await, [], "a plan does nothing");

        let id = process.start(&spec).await;
        let job = world.ended(&process, id).await;
        assert_eq!(
            (job.row.status.as_str(), job.row.total, job.row.done),
            ("completed", Some(150), 150)
        );
        assert_eq!((job.row.failed, job.skipped), (0, 0));
        let back = process.replayed().await;
        assert_eq!(originals(&back), wanted.iter().map(|event| event.id).collect::<Vec<_>>());
        for (event, original) in back.iter().zip(&wanted) {
            assert_eq!(event.payload.as_str(), original.payload.as_str(), "byte for byte");
            assert_eq!(event.metadata.replay.as_ref().unwrap().id, id);
            assert_eq!(event.metadata.causation_id, Some(original.id));
            assert_eq!(event.metadata.correlation_id, original.metadata.correlation_id);
            assert_eq!(event.metadata.instance_id, original.metadata.instance_id);
            assert_eq!((event.time, event.metadata.hops), (original.time, 3));
            assert!(event.received_at >= original.received_at && event.id != original.id);
        }
        let told = [
            format!(r#"system.replay.started {{"replayId":"{id}","events":150}}"#),
            format!(r#"system.replay.completed {{"replayId":"{id}","events":150,"failed":0}}"#),
        ];
        assert_eq!(process.told().await, told);

        // What a replay brought back is not brought back again.
        let plan = process.log.replays().plan(&Org::default(), &spec).await.unwrap();
        assert_eq!(plan.types.iter().map(|count| count.events).sum::<i64>(), 150);
        let id = process.start(&spec).await;
        assert_eq!(world.ended(&process, id).await.row.done, 150);
        assert_eq!(process.replayed().await.len(), 300);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_replaced_and_no_event_comes_back_twice() {
    on_both(async |store| {
        let world = World::new(store).await;
        let mut process = world.start().await;
        let mut wanted = Vec::new();
        for n in 0..120 {
            wanted.push(process.append("custom.a", n).await.id);
        }
        let id = process.start(&everything(40)).await;
        for reached in [20, 60, 100] {
            world
                .pass_until("some have come back", async || {
                    (process.replayed().await.len() >= reached).then_some(())
                })
                .await;
            process.kill().await;
            process = world.start().await;
            // On PostgreSQL the lease of the dead one has to end first.
            world.clock.advance(Duration::from_secs(31));
        }
        let job = world.ended(&process, id).await;
        assert_eq!((job.row.status.as_str(), job.row.done, job.row.failed), ("completed", 120, 0));
        assert!(job.row.epoch >= 4, "{job:?}");
        assert_eq!(originals(&process.replayed().await), wanted);
        assert_eq!(process.told().await.len(), 2, "begun once, ended once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_cancelled_stops_and_keeps_what_it_did() {
    let world = World::new(Store::temporary().await).await;
    let process = world.start().await;
    for n in 0..200 {
        process.append("custom.a", n).await;
    }
    let id = process.start(&everything(40)).await;
    world
        .pass_until("some have come back", async || {
            (process.replayed().await.len() >= 10).then_some(())
        })
        .await;
    let replays = process.log.replays();
    assert!(replays.cancel(&Org::default(), id).await.unwrap());
    let job = world.ended(&process, id).await;
    assert_eq!(job.row.status, "cancelled");
    let back = process.replayed().await.len();
    assert!((10..100).contains(&back), "{back}");
    assert_eq!(job.row.done, i64::try_from(back).unwrap(), "what was done is counted");
    assert!(!replays.cancel(&Org::default(), id).await.unwrap(), "it has ended");
    assert_eq!(process.told().await.len(), 2);
    // Nobody takes it up again.
    world.clock.advance(Duration::from_mins(1));
    let other = process.start(&everything(100_000)).await;
    world.ended(&process, other).await;
    assert_eq!(process.replayed().await.len(), back + 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bus_has_long_forgotten_is_brought_back() {
    let world = World::new(Store::temporary().await).await;
    let process = world.start().await;
    let event = process.append("custom.a", 1).await;
    let all = ConsumerConfig::new("test", vec![SubjectPattern::all()]);
    let mut consumer =
        world.bus.consumer(ConsumerConfig { start: Start::First, ..all }).await.unwrap();
    let delivery = consumer.next().await.unwrap();
    assert_eq!(delivery.event().unwrap().id, event.id);
    delivery.ack().await;
    world.clock.advance(Duration::from_hours(24 * 40));
    assert_eq!(
        world.bus.purge_expired().await.unwrap(),
        1,
        "the bus keeps custom events for a week"
    );
    let id = process.start(&everything(500)).await;
    world.ended(&process, id).await;
    loop {
        let delivery = consumer.next().await.unwrap();
        let seen = delivery.event().unwrap();
        delivery.ack().await;
        if seen.metadata.replay_of == Some(event.id) {
            assert_eq!(seen.payload.as_str(), event.payload.as_str());
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_full_is_waited_for_and_the_order_stays() {
    let mut world = World::new(Store::temporary().await).await;
    world.config = Config { waiting_max: 3, ..Config::default() };
    let process = world.start().await;
    let mut wanted = Vec::new();
    for n in 0..100 {
        wanted.push(process.append("custom.a", n).await.id);
    }
    // Groups of 64, where 3 may wait.
    let id = process.start(&everything(100_000)).await;
    let job = world.ended(&process, id).await;
    assert_eq!((job.row.done, job.row.failed), (100, 0));
    assert_eq!(originals(&process.replayed().await), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_expunged_is_left_out_and_counted() {
    let world = World::new(Store::temporary().await).await;
    let process = world.start().await;
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(process.append("custom.a", n).await);
    }
    let mut conn = world.store.write().await.unwrap();
    let now = world.clock.now();
    omni_store::expunges::expunge(&mut conn, "default", events[1].id, ("asked for", now))
        .await
        .unwrap();
    drop(conn);
    let id = process.start(&everything(500)).await;
    let job = world.ended(&process, id).await;
    assert_eq!((job.row.done, job.row.failed, job.skipped), (2, 0, 1));
    assert_eq!(originals(&process.replayed().await), [events[0].id, events[2].id]);
    let one = process.log.replays().one(&Org::default(), events[1].id, (None, false), None).await;
    assert!(one.unwrap_err().to_string().contains("taken out"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_comes_back_once_per_key_and_a_replay_stands_for_its_original() {
    let world = World::new(Store::temporary().await).await;
    let process = world.start().await;
    let event = process.append("custom.a", 1).await;
    let replays = process.log.replays();
    let org = Org::default();
    let one = async |id, key| replays.one(&org, id, (None, false), key).await.unwrap().unwrap();
    let first = one(event.id, Some("k")).await;
    assert_eq!(one(event.id, Some("k")).await.event_id, first.event_id);
    // The same key for another wish is a conflict and no answer.
    assert!(replays.one(&org, event.id, (None, true), Some("k")).await.is_err());
    let again = one(first.event_id, None).await;
    assert_ne!(again.event_id, first.event_id);
    assert_eq!(originals(&process.replayed().await), [event.id, event.id]);
    assert_eq!(replays.one(&org, Uuid::nil(), (None, false), None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_events_come_back_and_what_makes_no_sense_is_refused() {
    let world = World::new(Store::temporary().await).await;
    let process = world.start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(process.append("custom.a", n).await.id);
    }
    let named = ReplaySelection { ids: vec![ids[3], ids[1], Uuid::nil()], ..Default::default() };
    let spec = ReplaySpec::new(named.clone());
    let job = world.ended(&process, process.start(&spec).await).await;
    assert_eq!((job.row.total, job.row.done), (Some(2), 2));
    assert_eq!(originals(&process.replayed().await), [ids[1], ids[3]]);

    let now = world.clock.now();
    let both = ReplaySelection { from: Some(now), ..named };
    let never = ReplaySelection { from: Some(now), to: Some(now), ..Default::default() };
    for (selection, rate, field) in
        [(both, 1, "/ids"), (never, 1, "/to"), (ReplaySelection::default(), 0, "/ratePerSecond")]
    {
        let spec = ReplaySpec { rate_per_second: rate, ..ReplaySpec::new(selection) };
        let refused = process.log.replays().start(&Org::default(), &spec, None, None).await;
        let refused = refused.expect_err("it makes no sense").to_string();
        assert!(refused.starts_with(field), "{refused}");
    }
}

/// A request that is repeated under its key begins nothing new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_begins_one_replay() {
    on_both(async |store| {
        let world = World::new(store).await;
        let process = world.start().await;
        let replays = process.log.replays();
        let begin = async |rate| {
            let key = Some("k".to_owned());
            replays.start(&Org::default(), &everything(rate), None, key).await
        };
        let first = begin(1).await.unwrap().row.id;
        assert_eq!(begin(1).await.unwrap().row.id, first);
        assert!(begin(2).await.unwrap_err().to_string().contains(&first.to_string()));
        assert_eq!(replays.list(&Org::default(), None, 10).await.unwrap().len(), 1);
        world.clock.jump(TimeDelta::days(8));
        assert_ne!(begin(2).await.unwrap().row.id, first, "keys are known for a week");
    })
    .await;
}
