//! What every test stands on: processes over one store, on a clock that is moved by hand, that can be killed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::{Clock, ManualClock, Random, SystemClock};
use omni_event_bus::EventBus;
use omni_event_log::{EventLog, Parts};
use omni_events::Org;
use omni_registry::Registry;
use omni_schedules::{Config, Definition, Fire, FireStatus, FiresQuery, Schedule, Schedules};
use omni_store::{
    Store,
    events::{Filter, Page, StoredEvent},
    executions::{self, Done, NewOutcome},
    schedules as store,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest that a test waits for a fact.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a runner looks, and how far the clock moves between two looks of a test.
const CHECK: Duration = Duration::from_millis(20);
/// A whole minute.
pub(crate) const START: i64 = 1_700_000_040;

/// One process.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) log: EventLog,
    pub(crate) registry: Registry,
    pub(crate) schedules: Schedules,
    logging: Vec<JoinHandle<()>>,
    running: Option<(JoinHandle<()>, CancellationToken)>,
}

/// Looks again and again until the fact is there, and answers it.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let clock = SystemClock::new();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock.elapsed() < PATIENCE, "waited in vain: {what}");
        clock.sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn postgres() -> Store {
    Store::temporary_postgres(&omni_store::testing::server_url()).await
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(START + seconds, 0).unwrap()
}

impl World {
    /// A process on a SQLite database of its own, whose runner runs.
    pub(crate) async fn new() -> Self {
        Self::on(Store::temporary().await).await
    }

    /// A process on this store, whose runner runs.
    pub(crate) async fn on(store: Store) -> Self {
        let mut world = Self::open(store, ManualClock::at_unix(START), 1).await;
        world.start();
        world
    }

    /// A process whose runner does not run yet.
    pub(crate) async fn open(store: Store, clock: ManualClock, seed: u64) -> Self {
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let random = Arc::new(Random::seeded(seed));
        let registry = Registry::open(store.clone(), time.clone()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            bus: EventBus::temporary().await,
            registry: registry.clone(),
            clock: time.clone(),
            random: random.clone(),
            writer: format!("test-{seed}"),
            config: omni_event_log::Config::default(),
        };
        let (log, appender, publisher) = omni_event_log::open(parts).await.unwrap();
        let never = CancellationToken::new();
        let (one, other) = (appender.run(never.clone()), publisher.run(never));
        let logging = vec![
            tokio::spawn(async move { drop(one.await) }),
            tokio::spawn(async move { drop(other.await) }),
        ];
        let config = Config { check_every: CHECK };
        let schedules = Schedules::new(store.clone(), log.clone(), (time, random), config);
        Self { store, clock, log, registry, schedules, logging, running: None }
    }

    pub(crate) fn start(&mut self) {
        let stop = CancellationToken::new();
        self.running = Some((tokio::spawn(self.schedules.runner().run(stop.clone())), stop));
    }

    /// Stops the runner as a server does.
    pub(crate) async fn stop(&mut self) {
        let (running, stop) = self.running.take().unwrap();
        stop.cancel();
        running.await.unwrap();
    }

    /// The end of the process, wherever it is.
    pub(crate) async fn kill(mut self) {
        let running = self.running.take().map(|(running, _)| running);
        for task in self.logging.drain(..).chain(running) {
            task.abort();
            let _ = task.await;
        }
    }

    /// The log takes nothing more; who appends waits for ever.
    pub(crate) fn hang_the_log(&mut self) {
        for task in self.logging.drain(..) {
            task.abort();
        }
    }

    pub(crate) async fn define(&self, definition: Value) -> Schedule {
        let definition: Definition = serde_json::from_value(definition).unwrap();
        self.schedules.create(&Org::default(), definition, Some("mona")).await.unwrap()
    }

    /// One that is due every minute.
    pub(crate) async fn minutely(&self, name: &str, more: Value) -> Schedule {
        let mut definition = json!({ "name": name, "kind": "interval", "intervalMs": 60_000 });
        for (member, value) in more.as_object().unwrap() {
            definition[member] = value.clone();
        }
        self.define(definition).await
    }

    pub(crate) async fn get(&self, name: &str) -> Schedule {
        self.schedules.get(&Org::default(), name).await.unwrap().unwrap()
    }

    /// Lets it be so many seconds after the start, without doing anything about it.
    pub(crate) fn pass_to(&self, seconds: i64) {
        let left = at(seconds) - self.clock.now();
        self.clock.advance(left.to_std().unwrap());
    }

    /// Lets it be so many seconds after the start, and waits until everything due is done.
    pub(crate) async fn go_to(&self, seconds: i64) {
        self.pass_to(seconds);
        self.settle().await;
    }

    /// Waits until everything due is done.
    pub(crate) async fn settle(&self) {
        eventually("nothing is due or taken up", async || {
            self.clock.advance(CHECK);
            let mut conn = self.store.read().await.unwrap();
            let wake = store::wake(&mut conn).await.unwrap();
            let now = self.clock.now();
            let is_over = wake.due.is_none_or(|due| due > now);
            // What is taken up is ready again when a lease is over.
            (is_over && wake.ready.is_none_or(|ready| ready > now + TimeDelta::seconds(10)))
                .then_some(())
        })
        .await;
    }

    pub(crate) async fn events(&self, source: &str) -> Vec<StoredEvent> {
        let filter = Filter::default();
        let mut page = Page { after: None, limit: 500, ascending: true };
        let mut all = Vec::new();
        loop {
            let found = self.log.list(&Org::default(), &filter, &page).await.unwrap();
            let Some(last) = found.last() else { break };
            page.after = Some(omni_store::events::Place {
                received_at: last.event.received_at,
                sequence: last.sequence,
            });
            all.extend(found);
        }
        all.retain(|stored| stored.event.source == source);
        all
    }

    /// The seconds after the start that a schedule fired for, in the order in which it did.
    pub(crate) async fn fired(&self, name: &str) -> Vec<i64> {
        let events = self.events(&format!("schedule:{name}")).await;
        events.iter().map(|stored| stored.event.time.timestamp() - START).collect()
    }

    pub(crate) async fn fires(&self, name: &str, status: Option<FireStatus>) -> Vec<Fire> {
        let query = FiresQuery { status, before: None, limit: 1000 };
        self.schedules.fires(&Org::default(), name, query).await.unwrap().unwrap()
    }

    /// The seconds after the start of the fires with this status, oldest first.
    pub(crate) async fn seconds(&self, name: &str, status: FireStatus) -> Vec<i64> {
        let mut seconds: Vec<i64> = self
            .fires(name, Some(status))
            .await
            .iter()
            .map(|fire| fire.nominal.timestamp() - START)
            .collect();
        seconds.sort_unstable();
        seconds
    }

    /// Automations are done with the event of the fire for this second.
    pub(crate) async fn work_is_done(&self, name: &str, second: i64) {
        let fires = self.fires(name, None).await;
        let fire = fires.iter().find(|fire| fire.nominal == at(second)).unwrap();
        let outcome = NewOutcome {
            org: "default".to_owned(),
            event_id: fire.event_id,
            status: "completed".to_owned(),
            retry_count: 0,
            processed_at: self.clock.now(),
            executions: 1,
            error: None,
            received_at: self.clock.now(),
        };
        let done = Done { outcome, executions: Vec::new(), dead: Vec::new() };
        let mut conn = self.store.write().await.unwrap();
        executions::commit_batch(&mut conn, &[done]).await.unwrap();
    }
}
