//! The appender: one task that commits whatever is waiting in one transaction, answers, and passes it on.
//!
//! Nobody is answered before the commit. It takes what waits without a timer: while one commit runs the next batch
//! gathers, so the batch grows with the load and a single event waits for nobody.

use std::sync::{Arc, atomic::Ordering};

use omni_events::Event;
use omni_store::events::{Committed, NewEvent, commit_batch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    AppendError, Appended,
    log::{Counters, Parts, Waiting, kib},
};

/// Bytes of events that wait for the bus in memory, in KiB; what does not fit is read from the store again.
const PASSED_ON_MAX: u32 = 32 << 10;
/// The place before a batch that nobody knows: the publisher then looks into the store.
const UNKNOWN: i64 = -1;

/// Committed events in the order of their places, for the publisher.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The place this process had committed before; a gap shows that a batch was dropped on the way.
    pub(crate) previous: i64,
    pub(crate) through: i64,
    pub(crate) events: Vec<Event>,
    /// Its part of what may wait for the bus.
    _room: OwnedSemaphorePermit,
}

/// The loop that commits; run exactly one per [`crate::open`].
#[derive(Debug)]
pub struct Appender {
    parts: Arc<Parts>,
    pub(crate) writer: i64,
    waiting: mpsc::Receiver<Waiting>,
    committed: mpsc::Sender<Batch>,
    counters: Arc<Counters>,
    passed_on: Arc<Semaphore>,
    /// Whether there may be events in the store that this process does not know it has committed.
    gap: bool,
}

impl Appender {
    pub(crate) fn new(
        parts: Arc<Parts>,
        writer: i64,
        waiting: mpsc::Receiver<Waiting>,
        committed: mpsc::Sender<Batch>,
        counters: Arc<Counters>,
    ) -> Self {
        let passed_on = Arc::new(Semaphore::new(PASSED_ON_MAX as usize));
        Self { parts, writer, waiting, committed, counters, passed_on, gap: false }
    }

    /// Commits until told to stop; then takes no more, commits what is waiting, and ends.
    ///
    /// # Errors
    /// When nothing that this process commits can be trusted any more (a sync to disk failed, another process took
    /// over): from then on nothing may be acknowledged, and the process has to end.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Arc<omni_store::Error>> {
        let mut batch = Vec::new();
        loop {
            let taken = tokio::select! {
                biased;
                taken = self.waiting.recv_many(&mut batch, self.parts.config.batch_max) => taken,
                () = stop.cancelled(), if !self.waiting.is_closed() => {
                    self.waiting.close();
                    continue;
                }
            };
            if taken == 0 {
                return Ok(());
            }
            self.commit(&mut batch).await?;
        }
    }

    async fn commit(&mut self, batch: &mut Vec<Waiting>) -> Result<(), Arc<omni_store::Error>> {
        // The room is given back when this ends: until then the events are in memory.
        let (waiting, _room): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|w| ((w.new, w.answer), w.room)).unzip();
        let (news, answers): (Vec<NewEvent>, Vec<_>) = waiting.into_iter().unzip();
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        match self.store(&news).await {
            Ok(committed) => {
                self.answer(news, answers, &committed);
                Ok(())
            }
            Err(error) => self.fail(answers, error),
        }
    }

    async fn store(&self, news: &[NewEvent]) -> Result<Vec<Committed>, omni_store::Error> {
        let mut conn = self.parts.store.write().await?;
        let published = self.counters.safe_through.load(Ordering::Acquire);
        commit_batch(&mut conn, self.writer, published, self.parts.clock.now(), news).await
    }

    fn answer(
        &mut self,
        news: Vec<NewEvent>,
        answers: Vec<oneshot::Sender<Result<Appended, AppendError>>>,
        committed: &[Committed],
    ) {
        let mut events = Vec::with_capacity(news.len());
        for ((new, answer), committed) in news.into_iter().zip(answers).zip(committed) {
            let result = match *committed {
                Committed::New { sequence } => {
                    let event_id = new.event.id;
                    events.push((sequence, new.event));
                    Ok(Appended { event_id, sequence, repeat: false })
                }
                Committed::Repeat { event_id, sequence } => {
                    self.counters.repeats.fetch_add(1, Ordering::Relaxed);
                    Ok(Appended { event_id, sequence, repeat: true })
                }
                Committed::Conflict { event_id } => Err(AppendError::Conflict { event_id }),
            };
            // A caller that has gone away still has its event.
            let _ = answer.send(result);
        }
        self.pass_on(events);
    }

    fn pass_on(&mut self, mut events: Vec<(i64, Event)>) {
        events.sort_unstable_by_key(|(sequence, _)| *sequence);
        let Some((through, _)) = events.last() else { return };
        let through = *through;
        self.counters.appended.fetch_add(events.len() as u64, Ordering::Relaxed);
        let previous = self.counters.committed_through.swap(through, Ordering::AcqRel);
        let previous = if std::mem::take(&mut self.gap) { UNKNOWN } else { previous };
        let size: usize = events.iter().map(|(_, event)| event.payload.as_bytes().len()).sum();
        let size = kib(size + events.len() * 1024, PASSED_ON_MAX);
        let events = events.into_iter().map(|(_, event)| event).collect();
        // When the publisher is behind, it will find these in the store.
        if let Ok(room) = self.passed_on.clone().try_acquire_many_owned(size) {
            let _ = self.committed.try_send(Batch { previous, through, events, _room: room });
        }
    }

    pub(crate) fn fail(
        &mut self,
        answers: Vec<oneshot::Sender<Result<Appended, AppendError>>>,
        error: omni_store::Error,
    ) -> Result<(), Arc<omni_store::Error>> {
        self.counters.commits_failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(error = %error, events = answers.len(), "a batch of events could not be stored");
        // When the connection broke during the commit, the events are in the store all the same, and perhaps only a
        // moment from now. Nobody was told of them, but a repeat with their key will be.
        self.gap = true;
        self.counters.doubt.store(true, Ordering::Release);
        let error = Arc::new(error);
        for answer in answers {
            let _ = answer.send(Err(AppendError::Store(error.clone())));
        }
        if error.ends_writing() { Err(error) } else { Ok(()) }
    }
}
