//! A process of its own kind: store, bus, event log and engine on one clock that is moved by hand, and that can be
//! killed and started again.

use std::{
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::TimeDelta;
use omni_actions::{Action, Actions, Call, Error, Problem};
use omni_automations::{Automation, Automations, Definition, Engine, EngineConfig, Execution};
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::{EmbeddedOptions, EventBus, Sync};
use omni_event_log::{Draft, EventLog, Parts, open};
use omni_events::{EventType, Org, Payload, Replay};
use omni_registry::Registry;
use omni_store::{
    Location, Store,
    events::Outcome,
    executions::{Filter, Page},
};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The longest that a test waits for a fact.
const PATIENCE: Duration = Duration::from_secs(12);

/// Looks again and again until the fact is there, and answers it.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let clock = SystemClock::new();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock.elapsed() < PATIENCE, "waited in vain: {what}");
        clock.sleep(Duration::from_millis(3)).await;
    }
}

/// What a [`Probe`] does when it is run.
pub(crate) enum Behaviour {
    Count,
    Panic,
    /// Waits until the gate is open.
    Gate(watch::Sender<bool>),
    /// Fails so many times, asking for a pause.
    Fail(usize, Option<Duration>),
    /// Answers so many bytes.
    Answer(usize),
    /// Answers its config, filled in.
    Echo,
}

/// An action that writes down the effect keys with which it was run.
pub(crate) struct Probe {
    kind: &'static str,
    behaviour: Behaviour,
    keys: Mutex<Vec<String>>,
}

impl Probe {
    pub(crate) fn new(kind: &'static str, behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self { kind, behaviour, keys: Mutex::default() })
    }

    pub(crate) fn counting() -> Arc<Self> {
        Self::new("count", Behaviour::Count)
    }

    pub(crate) fn gated() -> Arc<Self> {
        Self::new("hang", Behaviour::Gate(watch::Sender::new(false)))
    }

    pub(crate) fn open_gate(&self) {
        if let Behaviour::Gate(gate) = &self.behaviour {
            gate.send_replace(true);
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }

    pub(crate) async fn ran(&self, times: usize) {
        eventually("the action runs", async || (self.keys().len() >= times).then_some(())).await;
    }
}

#[async_trait]
impl Action for Probe {
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn describe(&self) -> &'static str {
        "A probe."
    }
    fn config_schema(&self) -> Value {
        json!({ "type": "object" })
    }
    fn check(&self, _: &Value) -> Vec<Problem> {
        Vec::new()
    }
    async fn run(&self, call: &Call<'_>, config: Value) -> Result<Value, Error> {
        let times = {
            let mut keys = self.keys.lock().unwrap();
            keys.push(call.effect_key.clone());
            keys.len()
        };
        match &self.behaviour {
            Behaviour::Panic => panic!("a fault in the action"),
            Behaviour::Gate(gate) => {
                gate.subscribe().wait_for(|open| *open).await.unwrap();
            }
            Behaviour::Fail(failures, retry_after) if times <= *failures => {
                let error = Error::transient("not today");
                return Err(Error { retry_after: *retry_after, ..error });
            }
            Behaviour::Count | Behaviour::Fail(..) => {}
            Behaviour::Answer(bytes) => return Ok("x".repeat(*bytes).into()),
            Behaviour::Echo => return Ok(config),
        }
        Ok(json!({ "times": times }))
    }
}

/// What outlives a process.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
    actions: Arc<Actions>,
    directory: tempfile::TempDir,
}

/// A process.
pub(crate) struct Process {
    pub(crate) bus: EventBus,
    pub(crate) log: EventLog,
    pub(crate) automations: Automations,
    stop: CancellationToken,
    engine: Option<JoinHandle<()>>,
    stop_log: CancellationToken,
    loops: Vec<JoinHandle<()>>,
    /// Its own, so that nothing of it goes on after it was killed.
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
    pub(crate) async fn new(probes: &[&Arc<Probe>]) -> Self {
        let actions = probes
            .iter()
            .fold(Actions::new(), |actions, probe| actions.with(Arc::clone(probe) as _));
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("omni.db"));
        let store = Store::open(&location).await.unwrap();
        let clock = ManualClock::at_unix(1_800_000_000);
        Self { clock, store, directory, actions: Arc::new(actions) }
    }

    /// Changes the database behind the back of the process.
    pub(crate) fn sql(&self, sql: &str) {
        let path = self.directory.path().join("omni.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// One text of each row that a query finds.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let path = self.directory.path().join("omni.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut query = connection.prepare(sql).unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub(crate) async fn start(&self) -> Process {
        self.start_with(EngineConfig::default()).await
    }

    pub(crate) async fn start_with(&self, config: EngineConfig) -> Process {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let (store, actions) = (self.store.clone(), self.actions.clone());
        let directory = self.directory.path().to_owned();
        let opening = open_process(directory, store, actions, (clock, config));
        let mut process = runtime.spawn(opening).await.unwrap();
        process.runtime = Some(runtime);
        process
    }

    /// Lets time pass in steps that are shorter than any heartbeat's tolerance.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds.div_ceil(5) {
            self.clock.advance(Duration::from_secs(5));
            settle_down().await;
        }
    }

    /// What became of an event, while time passes until something did: what waits may begin to wait late.
    pub(crate) async fn outcome_in_time(&self, process: &Process, event: Uuid) -> Outcome {
        let look = async || {
            self.pass(5).await;
            process.outcome_now("default", event).await
        };
        eventually("the event has an outcome as time passes", look).await
    }

    pub(crate) fn set_back(&self, seconds: i64) {
        self.clock.jump(TimeDelta::seconds(-seconds));
    }
}

async fn open_process(
    directory: PathBuf,
    store: Store,
    actions: Arc<Actions>,
    (clock, config): (Arc<dyn Clock>, EngineConfig),
) -> Process {
    let random = Arc::new(Random::from_entropy());
    let sync = Sync::Interval(Duration::from_millis(100));
    let options = EmbeddedOptions {
        sync,
        clock: clock.clone(),
        random: random.clone(),
        ..EmbeddedOptions::default()
    };
    let bus = EventBus::embedded(&directory, options).await.unwrap();
    let parts = Parts {
        store: store.clone(),
        bus: bus.clone(),
        registry: Registry::open(store.clone(), clock.clone()).await.unwrap(),
        clock: clock.clone(),
        random: random.clone(),
        writer: "test".to_owned(),
        config: omni_event_log::Config::default(),
    };
    let (log, appender, publisher) = open(parts).await.unwrap();
    let automations =
        Automations::open(store.clone(), actions, clock.clone(), random.clone()).await.unwrap();
    let engine = Engine::new(automations.clone(), store, bus.clone(), (clock, random), config)
        .with_log(log.clone());
    let (stop, stop_log) = (CancellationToken::new(), CancellationToken::new());
    let (stopped, log_stopped) = (stop.clone(), stop_log.clone());
    let engine = Some(tokio::spawn(async move { engine.run(stopped).await.unwrap() }));
    let appender = appender.run(log_stopped.clone());
    let loops = vec![
        tokio::spawn(async move { appender.await.unwrap() }),
        tokio::spawn(async move { drop(publisher.run(log_stopped).await) }),
    ];
    Process { bus, log, automations, stop, engine, stop_log, loops, runtime: None }
}

/// Lets every task that can go on do so.
pub(crate) async fn settle_down() {
    SystemClock::new().sleep(Duration::from_millis(15)).await;
}

impl Process {
    pub(crate) async fn define(&self, name: &str, definition: Value) -> Automation {
        self.define_for("default", name, definition).await
    }

    /// Saves an automation that is triggered by `custom.{name}` unless it says otherwise.
    pub(crate) async fn define_for(&self, org: &str, name: &str, definition: Value) -> Automation {
        let mut whole = json!({ "name": name, "triggerEventType": format!("custom.{name}") });
        let fields = definition.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(fields);
        let definition: Definition = serde_json::from_value(whole).unwrap();
        self.automations.create(&Org::parse(org).unwrap(), definition, None).await.unwrap()
    }

    pub(crate) async fn append(&self, name: &str) -> Uuid {
        self.append_as("default", name, "{}").await
    }

    pub(crate) async fn append_as(&self, org: &str, name: &str, payload: &str) -> Uuid {
        let event_type = EventType::parse(&format!("custom.{name}")).unwrap();
        let payload = Payload::parse(payload.as_bytes().to_vec().into()).unwrap();
        let draft = Draft::new(Org::parse(org).unwrap(), event_type, "test", payload);
        self.log.append(draft).await.unwrap().event_id
    }

    /// Brings an event back.
    pub(crate) async fn replay(&self, original: Uuid, replay: Replay) -> Uuid {
        let event = self.log.get(&Org::default(), original).await.unwrap().unwrap().event;
        let mut draft =
            Draft::new(Org::default(), event.event_type.clone(), "replay", event.payload.clone());
        draft.metadata.replay_of = Some(original);
        draft.metadata.replay = Some(Box::new(replay));
        self.log.append(draft).await.unwrap().event_id
    }

    /// What became of an event, as soon as something did.
    pub(crate) async fn outcome(&self, event: Uuid) -> Outcome {
        self.outcome_in("default", event).await
    }

    pub(crate) async fn outcome_in(&self, org: &str, event: Uuid) -> Outcome {
        eventually("the event has an outcome", || self.outcome_now(org, event)).await
    }

    async fn outcome_now(&self, org: &str, event: Uuid) -> Option<Outcome> {
        self.log.get(&Org::parse(org).unwrap(), event).await.unwrap().unwrap().outcome
    }

    /// Until the bus has nothing in hand, so that everything is settled.
    pub(crate) async fn idle(&self) {
        let look = async || {
            let all = self.bus.stats().consumers;
            all.iter().all(|c| c.in_flight == 0 && c.behind == 0).then_some(())
        };
        eventually("everything is settled", look).await;
    }

    pub(crate) async fn executions(&self, event: Uuid) -> Vec<Execution> {
        let filter = Filter { event_id: Some(event), ..Filter::default() };
        self.executions_of(&filter).await
    }

    pub(crate) async fn executions_of(&self, filter: &Filter) -> Vec<Execution> {
        let page = Page { after: None, limit: 1000, ascending: true };
        self.automations.executions(&Org::default(), filter, &page).await.unwrap()
    }

    /// As a stop signal does it.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.engine.take().unwrap().await.unwrap();
        self.stop_log.cancel();
        for done in self.loops.drain(..) {
            done.await.unwrap();
        }
        self.bus.drain().await.unwrap();
    }

    /// Tells the engine to stop; the handle is done when it has.
    pub(crate) fn stop_engine(&mut self) -> JoinHandle<()> {
        self.stop.cancel();
        self.engine.take().unwrap()
    }

    /// As `kill -9` does it: nothing that is under way is finished or recorded.
    pub(crate) async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(|| runtime.shutdown_timeout(PATIENCE)).await.unwrap();
        self.bus.drain().await.unwrap();
    }
}
