//! The engine: takes events from the bus, finds the automations that match, and has their plans run.
//!
//! Matching is on the consume path, actions are not: a plan runs in a task of its own, so a slow action holds up
//! nothing but its own event. A message is settled by the recorder, after the commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use omni_clock::{Clock, Random};
use omni_event_bus::{ConsumerConfig, Delivery, EventBus, Start};
use omni_events::{Event, SubjectPattern};
use omni_rules::Leaf;
use omni_store::{
    Store,
    executions::{Done, ExecutionRow, NewOutcome, for_event},
};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Automations, ExecutionStatus,
    compiled::Compiled,
    plan::{Runner, document},
    recorder::{Recorder, Settled, WAITING_MAX},
};

/// The durable consumer that all replicas share.
const CONSUMER: &str = "automations";
/// Events taken from the bus at once.
const BATCH_MAX: usize = 256;
/// How often the bus is told that a long plan still runs; a third of the time after which it would deliver again.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Skipped executions written per automation and second; more are only counted.
const SKIPS_PER_SECOND: u64 = 5;

/// How much the engine does at once.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Events whose actions run at the same time.
    pub plans_max: usize,
    /// Events taken from the bus and not settled yet.
    pub in_flight_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { plans_max: 512, in_flight_max: 4096 }
    }
}

/// What the engine has done since it was made; read by metrics.
#[derive(Debug, Default)]
pub struct EngineStats {
    /// Events taken from the bus.
    pub events: AtomicU64,
    /// Executions that succeeded.
    pub succeeded: AtomicU64,
    /// Executions with a failed action.
    pub failed: AtomicU64,
    /// Automations of the right type whose conditions did not hold.
    pub skipped: AtomicU64,
    /// Events found done already when they were delivered again.
    pub repeated: AtomicU64,
}

/// The loop that carries automations out; run one per process, replicas share the work.
#[derive(Debug)]
pub struct Engine {
    automations: Automations,
    store: Store,
    bus: EventBus,
    clock: Arc<dyn Clock>,
    runner: Runner,
    config: EngineConfig,
    stats: Arc<EngineStats>,
    started: DateTime<Utc>,
}

impl Engine {
    /// Puts an engine together; nothing happens before [`Engine::run`].
    pub fn new(
        automations: Automations,
        store: Store,
        bus: EventBus,
        (clock, random): (Arc<dyn Clock>, Arc<Random>),
        config: EngineConfig,
    ) -> Self {
        let runner = Runner { clock: clock.clone(), random };
        let (stats, started) = (Arc::default(), clock.now());
        Self { automations, store, bus, clock, runner, config, stats, started }
    }

    /// The counters of this engine.
    pub fn stats(&self) -> Arc<EngineStats> {
        self.stats.clone()
    }

    /// Works until told to stop, then finishes what runs and records it.
    ///
    /// # Errors
    /// When the consumer cannot be opened.
    pub async fn run(self, stop: CancellationToken) -> Result<(), omni_event_bus::Error> {
        let mut consumer = self.bus.consumer(self.consumer_config()).await?;
        let (settle, waiting) = mpsc::channel(WAITING_MAX);
        let recorder = Recorder {
            store: self.store.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            waiting,
        };
        let recorder = tokio::spawn(recorder.run());
        let plans = TaskTracker::new();
        let shared = Arc::new(Shared {
            room: Arc::new(Semaphore::new(self.config.plans_max)),
            plans: plans.clone(),
            settle,
            engine: self,
        });
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                batch = consumer.next_batch(BATCH_MAX) => batch,
            };
            if batch.is_empty() {
                break;
            }
            shared.clone().take(batch).await;
        }
        plans.close();
        plans.wait().await;
        drop(shared);
        if recorder.await.is_err() {
            tracing::error!("the recorder ended badly; its events will be delivered again");
        }
        Ok(())
    }

    fn consumer_config(&self) -> ConsumerConfig {
        ConsumerConfig {
            start: Start::First,
            max_in_flight: self.config.in_flight_max,
            ..ConsumerConfig::new(CONSUMER, vec![SubjectPattern::all()])
        }
    }
}

/// What the plans of one engine share.
#[derive(Debug)]
struct Shared {
    engine: Engine,
    room: Arc<Semaphore>,
    plans: TaskTracker,
    settle: mpsc::Sender<Settled>,
}

/// An automation and whether its conditions hold.
type Decision = (Arc<Compiled>, bool);

impl Shared {
    async fn take(self: Arc<Self>, batch: Vec<Delivery>) {
        let index = self.engine.automations.cache().index();
        self.engine.stats.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        for delivery in batch {
            let event = match delivery.event() {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(error = %error, "a bus message is no event and is set aside");
                    delivery.reject("the message is no event").await;
                    continue;
                }
            };
            let org = event.metadata.org.as_str();
            let candidates: Vec<Arc<Compiled>> =
                index.candidates(org, event.event_type.as_str()).into_iter().cloned().collect();
            if candidates.is_empty() {
                let done = self.done(&event, delivery.attempt, Vec::new());
                self.settle(Some(done), delivery).await;
                continue;
            }
            let document = document(&event);
            let decisions: Vec<Decision> = candidates
                .into_iter()
                .map(|compiled| {
                    let holds = compiled.conditions.evaluate(&document);
                    (compiled, holds)
                })
                .collect();
            // The room bounds the plans that run; while it is used up, the bus keeps the rest.
            let Ok(permit) = self.room.clone().acquire_owned().await else { return };
            let shared = self.clone();
            self.plans.spawn(async move {
                shared.carry_out(event, document, decisions, delivery).await;
                drop(permit);
            });
        }
    }

    async fn settle(&self, done: Option<Done>, delivery: Delivery) {
        // The recorder outlives every sender, so this fails only when it has panicked; then the event comes again.
        let _ = self.settle.send(Settled { done, delivery }).await;
    }

    async fn carry_out(
        &self,
        event: Event,
        document: Value,
        decisions: Vec<Decision>,
        delivery: Delivery,
    ) {
        let before = match self.done_before(&event, &delivery).await {
            Ok(before) => before,
            Err(error) => {
                tracing::warn!(error = %error, event = %event.id, "the store is away; the event is tried again");
                delivery.retry(None).await;
                return;
            }
        };
        let plan = self.run_plan(&event, &document, decisions, &before);
        tokio::pin!(plan);
        let executions = loop {
            tokio::select! {
                executions = &mut plan => break executions,
                () = self.engine.clock.sleep(HEARTBEAT) => delivery.in_progress().await,
            }
        };
        let done = self.done(&event, delivery.attempt, executions);
        self.settle(Some(done), delivery).await;
    }

    /// What was recorded for this event by an earlier delivery of it.
    async fn done_before(
        &self,
        event: &Event,
        delivery: &Delivery,
    ) -> Result<Vec<ExecutionRow>, omni_store::Error> {
        // A first delivery of an event younger than this process cannot have been handled by a dead one.
        if delivery.attempt <= 1 && event.received_at >= self.engine.started {
            return Ok(Vec::new());
        }
        let mut conn = self.engine.store.read().await?;
        let before = for_event(&mut conn, event.metadata.org.as_str(), event.id).await?;
        if !before.is_empty() {
            self.engine.stats.repeated.fetch_add(1, Ordering::Relaxed);
        }
        Ok(before)
    }

    async fn run_plan(
        &self,
        event: &Event,
        document: &Value,
        decisions: Vec<Decision>,
        before: &[ExecutionRow],
    ) -> Vec<ExecutionRow> {
        let mut executions = Vec::with_capacity(decisions.len());
        for (compiled, holds) in decisions {
            // Whichever version ran then has decided this event.
            if before.iter().any(|row| row.automation_id == compiled.automation.id) {
                continue;
            }
            if holds {
                let row = self.engine.runner.run(&compiled, event, document).await;
                let failed = row.status == ExecutionStatus::Failed.as_str();
                let stats = &self.engine.stats;
                let counter = if failed { &stats.failed } else { &stats.succeeded };
                counter.fetch_add(1, Ordering::Relaxed);
                executions.push(row);
            } else {
                self.engine.stats.skipped.fetch_add(1, Ordering::Relaxed);
                let now = self.engine.clock.now();
                if compiled.skips.admit(now.timestamp(), SKIPS_PER_SECOND) {
                    let why = compiled.conditions.explain(document);
                    executions.push(self.engine.runner.skip(&compiled, event, first_miss(&why)));
                }
            }
        }
        executions
    }

    fn done(&self, event: &Event, attempt: u32, executions: Vec<ExecutionRow>) -> Done {
        let ran = || executions.iter().filter(|row| row.conditions_matched);
        let failed = ran().find(|row| row.status == ExecutionStatus::Failed.as_str());
        let outcome = NewOutcome {
            org: event.metadata.org.as_str().to_owned(),
            event_id: event.id,
            status: if failed.is_some() { "failed" } else { "completed" }.to_owned(),
            retry_count: i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX),
            processed_at: self.engine.clock.now(),
            executions: i32::try_from(ran().count()).unwrap_or(i32::MAX),
            error: failed.and_then(|row| row.error.clone()),
        };
        Done { outcome, executions }
    }
}

/// Says which condition did not hold, and what was there instead.
fn first_miss(leaves: &[Leaf]) -> Option<String> {
    let leaf = leaves.iter().find(|leaf| !leaf.matched)?;
    let actual = leaf.actual.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    let actual: String = actual.chars().take(200).collect();
    Some(format!(
        "{} {} {} does not hold: found {actual}",
        leaf.field, leaf.operator, leaf.expected
    ))
}
