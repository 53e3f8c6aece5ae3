//! What the engine does with one event: match it, wait for room, run its plan, have it recorded.
//!
//! It must stay true that every event taken here ends in exactly one way: recorded and then settled, given back to the
//! bus with a reason, or left in hand when the process stops, to be delivered again.

mod before;

use std::{
    any::Any,
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use omni_event_bus::Delivery;
use omni_events::Event;
use omni_rules::RuleIndex;
use omni_store::executions::{Done, ExecutionRow, NewOutcome};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::before::Before;
use crate::{
    Engine, ExecutionStatus, announcing,
    compiled::Compiled,
    in_hand::InHand,
    letters::letters,
    matching::{Decision, Desk, Matched, UNDECIDED, Verdict, document},
    recorder::Settled,
    replaying,
    room::{Room, Rooms},
    trying::Patience,
};

/// How long automations that did not run are explained for one event.
const EXPLAINED_FOR: Duration = Duration::from_millis(20);
/// What is written of one when that time is over.
const UNEXPLAINED: &str = "it did not match; `omni event explain` says why";

/// What the events of one engine share.
#[derive(Debug)]
pub(crate) struct Handling {
    engine: Engine,
    rooms: Rooms,
    plans: TaskTracker,
    in_hand: Arc<InHand>,
    record: mpsc::Sender<Settled>,
    /// Nothing new begins.
    closing: CancellationToken,
    /// What runs is left.
    abandon: CancellationToken,
}

/// An event with candidates, on its way.
struct Work {
    event: Event,
    attempt: u32,
    matched: Matched,
    /// Made again when the event had to wait for room, so that what waits is small.
    ready: Option<(Room, Value)>,
}

impl Handling {
    pub(crate) fn new(
        engine: Engine,
        in_hand: Arc<InHand>,
        record: mpsc::Sender<Settled>,
    ) -> Arc<Self> {
        let rooms = Rooms::new(engine.config.plans_max);
        let (closing, abandon) = (CancellationToken::new(), CancellationToken::new());
        let plans = TaskTracker::new();
        Arc::new(Self { engine, rooms, plans, in_hand, record, closing, abandon })
    }

    /// Matches a batch on the consume path; plans run in tasks of their own.
    pub(crate) async fn take(self: &Arc<Self>, batch: Vec<Delivery>, desk: &mut Desk) {
        self.engine.stats.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        // All at once, so that none waits here without the bus being told.
        let mut events = Vec::with_capacity(batch.len());
        for delivery in batch {
            let attempt = delivery.attempt;
            match delivery.event() {
                Ok(event) => {
                    if self.in_hand.take(event.id, delivery).await {
                        events.push((event, attempt));
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error, "a bus message is no event and is set aside");
                    delivery.reject("the message is no event").await;
                }
            }
        }
        let index = self.engine.automations.cache().index();
        for (event, attempt) in events {
            self.begin(&index, desk, event, attempt).await;
            // Matching may take milliseconds, and a batch is long: others of this thread have their turn.
            tokio::task::yield_now().await;
        }
    }

    async fn begin(
        self: &Arc<Self>,
        index: &RuleIndex<Arc<Compiled>>,
        desk: &mut Desk,
        event: Event,
        attempt: u32,
    ) {
        let second = self.engine.clock.elapsed().as_secs();
        let cache = self.engine.automations.cache();
        let matched = desk.matching(index, cache, &event, second);
        let matched = matched.and_then(|matched| {
            let needed = !matched.decisions.is_empty();
            Ok((needed.then(|| document(&event)).transpose()?, matched))
        });
        match matched {
            Ok((Some(document), matched)) => {
                let ready = self.rooms.try_enter(&event).map(|room| (room, document));
                let work = Work { event, attempt, matched, ready };
                let handling = self.clone();
                self.plans.spawn(async move { handling.carry_out(work).await });
            }
            Ok((None, matched)) => {
                self.count(&matched);
                let mut done = self.done(&event, attempt, &[], Vec::new());
                tell_undecided(&mut done.outcome, &event, matched.undecided_fault());
                let unheard = || replaying::fault_without_candidates(&event);
                if let Some(fault) = (!matched.is_heard()).then(unheard).flatten() {
                    "failed".clone_into(&mut done.outcome.status);
                    done.outcome.error = Some(fault);
                }
                self.record(Settled::new(event.id, Some(done))).await;
            }
            Err(reason) => {
                tracing::error!(event = %event.id, reason, "no automation could be judged on an event");
                let mut done = self.done(&event, attempt, &[], Vec::new());
                "failed".clone_into(&mut done.outcome.status);
                done.outcome.error = Some(format!("no automation could be judged: {reason}"));
                self.record(Settled::new(event.id, Some(done))).await;
            }
        }
    }

    /// Counts the automations that listen and did not run, most of which nothing is written about.
    fn count(&self, matched: &Matched) {
        let stats = &self.engine.stats;
        stats.skipped.fetch_add(matched.skipped as u64, Ordering::Relaxed);
        stats.undecided.fetch_add(matched.undecided as u64, Ordering::Relaxed);
    }

    async fn record(&self, settled: Settled) {
        // It fails only when the recorder has ended, and then the engine ends, too.
        let _ = self.record.send(settled).await;
    }

    async fn carry_out(&self, work: Work) {
        let event = work.event.id;
        let handled = AssertUnwindSafe(self.handle(work)).catch_unwind();
        match self.abandon.run_until_cancelled(handled).await {
            Some(Ok(Some(settled))) => self.record(settled).await,
            // The process stops: the event stays in hand until it has, and comes again.
            None | Some(Ok(None)) => {}
            Some(Err(panic)) => {
                let reason = format!("the engine panicked: {}", message_of(&*panic));
                tracing::error!(event = %event, reason, "an event could not be handled");
                for delivery in self.in_hand.release(event).await {
                    delivery.fail(&reason).await;
                }
            }
        }
    }

    /// `None` when the process stops before anything has begun, or before it could be told.
    async fn handle(&self, work: Work) -> Option<Settled> {
        let Work { event, attempt, matched, ready } = work;
        let (_room, document) = if let Some(ready) = ready {
            ready
        } else {
            let room = self.closing.run_until_cancelled(self.rooms.enter(&event)).await??;
            (room, document(&event).unwrap_or_default())
        };
        let Some(before) = self.look_back(&event, attempt, &matched.decisions).await? else {
            return Some(Settled::new(event.id, None));
        };
        self.count(&matched);
        let undecided = matched.undecided_fault();
        let decisions = matched.decisions;
        let executions = self.run_plan(&event, &document, decisions, &before).await?;
        let mut done = self.done(&event, attempt, &before.executions, executions);
        tell_undecided(&mut done.outcome, &event, undecided);
        Some(Settled::new(event.id, Some(done)))
    }

    /// `None` when the process stops before what was done could be told: then it is done again, under the same keys.
    async fn run_plan(
        &self,
        event: &Event,
        document: &Value,
        decisions: Vec<Decision>,
        before: &Before,
    ) -> Option<Vec<ExecutionRow>> {
        let Engine { runner, stats, clock, log, .. } = &self.engine;
        let mut executions = Vec::with_capacity(decisions.len());
        let mut patience = Patience::new(clock.elapsed());
        // Whichever version ran then has decided this event.
        let decided: HashSet<Uuid> =
            before.executions.iter().map(|row| row.automation_id).collect();
        let open = decisions.into_iter().filter(|(one, _)| !decided.contains(&one.automation.id));
        let (runs, rest): (Vec<_>, Vec<_>) =
            open.partition(|(_, verdict)| *verdict == Verdict::Runs);
        for (compiled, _) in runs {
            // Boxed, so that an event that waits for room does not hold the place of what it will do.
            let subject = (event, document);
            let run = runner.run(&compiled, subject, &before.earlier, &mut patience);
            let row = Box::pin(run).await;
            let counter = if is_failure(&row) { &stats.failed } else { &stats.succeeded };
            counter.fetch_add(1, Ordering::Relaxed);
            if let Some(log) = log.as_ref().filter(|_| announcing::is_told(&compiled, event)) {
                let about = (event, &*compiled, &row);
                if !Box::pin(announcing::announce(log, &**clock, about)).await {
                    return None;
                }
            }
            executions.push(row);
        }
        executions.extend(self.skipped(event, document, rest).await);
        Some(executions)
    }

    /// Says why some automations did not run. Nobody waits for that, so it comes last, lets others have their turn, and ends
    /// soon: a hostile event can make every one of them slow to explain.
    async fn skipped(
        &self,
        event: &Event,
        document: &Value,
        decisions: Vec<Decision>,
    ) -> Vec<ExecutionRow> {
        let Engine { runner, clock, .. } = &self.engine;
        let mut rows = Vec::with_capacity(decisions.len());
        let mut spent = Duration::ZERO;
        for (compiled, verdict) in decisions {
            let why = if spent < EXPLAINED_FOR {
                tokio::task::yield_now().await;
                let began = clock.elapsed();
                let proof = compiled.filter.explain(document);
                spent += clock.elapsed().saturating_sub(began);
                // One rule by itself may be decided where all of them together were too much.
                if proof.matched { UNDECIDED.to_owned() } else { proof.summary() }
            } else if verdict == Verdict::Undecided {
                UNDECIDED.to_owned()
            } else {
                UNEXPLAINED.to_owned()
            };
            rows.push(runner.skip(&compiled, event, Some(why)));
        }
        rows
    }

    /// What is to be recorded; the outcome is about all executions, those of an earlier delivery included.
    fn done(
        &self,
        event: &Event,
        attempt: u32,
        before: &[ExecutionRow],
        executions: Vec<ExecutionRow>,
    ) -> Done {
        let ran = || before.iter().chain(&executions).filter(|row| row.conditions_matched);
        let failed = ran().find(|row| is_failure(row));
        let now = self.engine.clock.now();
        let outcome = NewOutcome {
            org: event.metadata.org.as_str().to_owned(),
            event_id: event.id,
            status: if failed.is_some() { "failed" } else { "completed" }.to_owned(),
            retry_count: i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX),
            processed_at: now,
            executions: i32::try_from(ran().count()).unwrap_or(i32::MAX),
            error: failed.and_then(|row| row.error.clone()),
            received_at: event.received_at,
        };
        let dead = letters(event, &executions, now);
        Done { outcome, executions, dead }
    }

    /// Lets what runs end, for a bounded time; what has not begun is left for the next process.
    pub(crate) async fn drain(&self, at_most: Duration) {
        self.plans.close();
        self.closing.cancel();
        tokio::select! {
            biased;
            () = self.plans.wait() => {}
            () = self.engine.clock.sleep(at_most) => {
                let left = self.plans.len();
                tracing::warn!(left, "plans are left unfinished; their events will be delivered again");
                self.abandon.cancel();
                self.plans.wait().await;
            }
        }
    }
}

/// Says in the outcome that automations could not be decided: they are no failure of the event, but nobody must take it for
/// an event that nothing wanted. The retry of a dead letter has not succeeded then.
fn tell_undecided(outcome: &mut NewOutcome, event: &Event, fault: Option<String>) {
    let Some(fault) = fault else { return };
    if replaying::is_retry(event) {
        "failed".clone_into(&mut outcome.status);
    }
    outcome.error = Some(match outcome.error.take() {
        Some(error) => format!("{error}; {fault}"),
        None => fault,
    });
}

pub(crate) fn is_failure(row: &ExecutionRow) -> bool {
    row.status == ExecutionStatus::Failed.as_str()
}

/// What a panic says.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
