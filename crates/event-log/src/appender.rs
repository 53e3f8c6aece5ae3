//! The appender: one task that commits whatever is waiting in one transaction, answers, and passes it on.
//!
//! Nobody is answered before the commit. It takes what waits without a timer: while one commit runs the next batch
//! gathers, so the batch grows with the load and a single event waits for nobody.

use std::sync::{Arc, atomic::Ordering};

use omni_events::Event;
use omni_store::events::{Committed, NewEvent, commit_batch};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    AppendError, Appended,
    log::{Counters, Parts, Waiting},
};

/// Committed events in the order of their places, for the publisher.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The place this process had committed before; a gap shows that a batch was dropped on the way.
    pub(crate) previous: i64,
    pub(crate) through: i64,
    pub(crate) events: Vec<Event>,
}

/// The loop that commits; run exactly one per [`crate::open`].
#[derive(Debug)]
pub struct Appender {
    parts: Arc<Parts>,
    writer: i64,
    waiting: mpsc::Receiver<Waiting>,
    committed: mpsc::Sender<Batch>,
    counters: Arc<Counters>,
}

impl Appender {
    pub(crate) fn new(
        parts: Arc<Parts>,
        writer: i64,
        waiting: mpsc::Receiver<Waiting>,
        committed: mpsc::Sender<Batch>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { parts, writer, waiting, committed, counters }
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
        let (news, answers): (Vec<NewEvent>, Vec<_>) =
            batch.drain(..).map(|waiting| (waiting.new, waiting.answer)).unzip();
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
        &self,
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

    fn pass_on(&self, mut events: Vec<(i64, Event)>) {
        events.sort_unstable_by_key(|(sequence, _)| *sequence);
        let Some((through, _)) = events.last() else { return };
        let through = *through;
        self.counters.appended.fetch_add(events.len() as u64, Ordering::Relaxed);
        let previous = self.counters.committed_through.swap(through, Ordering::AcqRel);
        let events = events.into_iter().map(|(_, event)| event).collect();
        // When the publisher is behind, it will find these in the store.
        let _ = self.committed.try_send(Batch { previous, through, events });
    }

    fn fail(
        &self,
        answers: Vec<oneshot::Sender<Result<Appended, AppendError>>>,
        error: omni_store::Error,
    ) -> Result<(), Arc<omni_store::Error>> {
        self.counters.commits_failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(error = %error, events = answers.len(), "a batch of events could not be stored");
        let error = Arc::new(error);
        for answer in answers {
            let _ = answer.send(Err(AppendError::Store(error.clone())));
        }
        if error.ends_writing() { Err(error) } else { Ok(()) }
    }
}
