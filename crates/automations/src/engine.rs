//! The engine: takes events from the bus, finds the automations that match, and has their plans run.
//!
//! Matching is on the consume path, actions are not: a plan runs in a task of its own, so a slow action holds up nothing
//! but its own event, and at most its own organisation. A message is settled by the recorder, after the commit.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use omni_clock::{Clock, Random};
use omni_event_bus::{Consumer, ConsumerConfig, Error, EventBus, Start};
use omni_event_log::{EventLog, Repeats};
use omni_events::SubjectPattern;
use omni_store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Automations,
    handling::Handling,
    in_hand::InHand,
    matching::Desk,
    plan::Runner,
    recorder::{Recorder, WAITING_MAX},
};

/// The durable consumer that all replicas share.
pub const CONSUMER: &str = "automations";
/// Wait before the consumer is opened again while the bus is away.
const OPEN_AGAIN: Duration = Duration::from_secs(1);
/// Events taken from the bus at once.
const BATCH_MAX: usize = 256;

/// How much the engine does at once.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Events whose actions run at the same time; a large event counts for several. One organisation has half of it.
    pub plans_max: usize,
    /// Events taken from the bus and not settled yet.
    pub in_flight_max: usize,
    /// How long running plans may take to end after a stop. Less than the server gives to all stages together, so that
    /// the others still end in order.
    pub drain_max: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { plans_max: 1024, in_flight_max: 4096, drain_max: Duration::from_secs(20) }
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
    /// Automations of the right type whose pattern or conditions did not hold.
    pub skipped: AtomicU64,
    /// Those of them that could not be decided within the limits of work.
    pub undecided: AtomicU64,
    /// Events found done already when they were delivered again.
    pub repeated: AtomicU64,
}

/// The loop that carries automations out; run one per process, replicas share the work.
#[derive(Debug)]
pub struct Engine {
    pub(crate) automations: Automations,
    pub(crate) store: Store,
    bus: EventBus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runner: Runner,
    pub(crate) config: EngineConfig,
    pub(crate) stats: Arc<EngineStats>,
    pub(crate) repeats: Repeats,
    /// Where executions are told.
    pub(crate) log: Option<EventLog>,
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
        let runner = Runner { clock: clock.clone(), random, store: store.clone() };
        let (stats, repeats) = (Arc::default(), Repeats::default());
        Self { automations, store, bus, clock, runner, config, stats, repeats, log: None }
    }

    /// Names the log that the events come from: it knows which of them may be on the bus twice, and takes in what
    /// automations announce. Without one, a first delivery is taken for the only one, and nothing is announced.
    #[must_use]
    pub fn with_log(self, log: EventLog) -> Self {
        Self { repeats: log.repeats(), log: Some(log), ..self }
    }

    /// The counters of this engine.
    pub fn stats(&self) -> Arc<EngineStats> {
        self.stats.clone()
    }

    /// Works until told to stop, then finishes what runs and records it.
    ///
    /// # Errors
    /// When the consumer cannot be opened.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let Some(mut consumer) = self.open(&stop).await? else { return Ok(()) };
        let (record, waiting) = mpsc::channel(WAITING_MAX);
        let in_hand = Arc::new(InHand::default());
        let recorder = Recorder {
            store: self.store.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            in_hand: in_hand.clone(),
            waiting,
        };
        let mut recorder = tokio::spawn(recorder.run());
        let ended = CancellationToken::new();
        let _ended = ended.clone().drop_guard();
        tokio::spawn(in_hand.clone().keep(self.clock.clone(), ended));
        let drain_max = self.config.drain_max;
        let handling = Handling::new(self, in_hand, record);
        let mut desk = Desk::default();
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = &mut recorder => {
                    tracing::error!("the recorder ended; events in hand will be delivered again");
                    return Ok(());
                }
                batch = consumer.next_batch(BATCH_MAX) => batch,
            };
            let is_over = batch.is_empty();
            let taken = stop.run_until_cancelled(handling.take(batch, &mut desk));
            if is_over || taken.await.is_none() {
                break;
            }
        }
        handling.drain(drain_max).await;
        drop(handling);
        if recorder.await.is_err() {
            tracing::error!("the recorder ended badly; its events will be delivered again");
        }
        Ok(())
    }

    /// Opens the consumer, as soon as the bus is there; `None` when it was told to stop before.
    async fn open(&self, stop: &CancellationToken) -> Result<Option<Consumer>, Error> {
        loop {
            match self.bus.consumer(self.consumer_config()).await {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(Error::Unavailable { reason }) => {
                    tracing::warn!(reason, "the engine waits for the bus");
                }
                Err(error) => return Err(error),
            }
            if stop.run_until_cancelled(self.clock.sleep(OPEN_AGAIN)).await.is_none() {
                return Ok(None);
            }
        }
    }

    fn consumer_config(&self) -> ConsumerConfig {
        ConsumerConfig {
            start: Start::First,
            max_in_flight: self.config.in_flight_max,
            ..ConsumerConfig::new(CONSUMER, vec![SubjectPattern::all()])
        }
    }
}
