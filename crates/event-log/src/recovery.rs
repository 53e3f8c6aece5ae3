//! Recovery: publishes what processes that have died left unpublished.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use omni_store::{Error, Kind, outbox};

use crate::{
    delivery::{PublishError, deliver},
    log::Parts,
};

/// A writer of a shared database whose sign of life has not changed for so long is taken for dead. Publishing for one
/// that lives is harmless, but it loses its right to commit.
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// The most that one look may add to the silence of a writer. This process may not have looked for long because the
/// store was away: then nobody could give a sign, and that is nobody's death.
const LOOK_MAX: Duration = Duration::from_secs(3);
/// Events read from the store at once; few, because each may be as large as a message may be.
const BATCH: i64 = 128;
/// Batches of one run beside others, which must see a sign of life from this process in between.
const BATCHES_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Recovery {
    parts: Arc<Parts>,
    own: i64,
    embedded: bool,
    done: bool,
    signs: Signs,
    /// How far the events of a dead writer are published.
    progress: HashMap<i64, i64>,
}

impl Recovery {
    pub(crate) fn new(parts: Arc<Parts>, own: i64) -> Self {
        let embedded = parts.store.kind() == Kind::Sqlite;
        let (signs, progress) = (Signs::default(), HashMap::new());
        Self { parts, own, embedded, done: false, signs, progress }
    }

    /// Whether what an earlier process left has yet to be published before anything new.
    pub(crate) fn goes_first(&self) -> bool {
        self.embedded && !self.done
    }

    /// Publishes for every dead writer and removes it.
    pub(crate) async fn run(&mut self) -> Result<(), PublishError> {
        if self.embedded && self.done {
            return Ok(());
        }
        let found = self.look().await;
        // What cannot be read now cannot be read later.
        self.done = matches!(found, Ok(()) | Err(PublishError::Store(Error::Corrupt { .. })));
        found
    }

    async fn look(&mut self) -> Result<(), PublishError> {
        let mut conn = self.parts.store.read().await?;
        let writers = outbox::writers(&mut conn).await?;
        drop(conn);
        self.progress.retain(|id, _| writers.iter().any(|writer| writer.id == *id));
        let now = self.parts.clock.elapsed();
        let unchanged = self.signs.unchanged_for(&writers, now);
        let mut found = Ok(());
        for (writer, silent) in writers.iter().zip(unchanged) {
            // An embedded store has one process at a time, so whoever is there besides us died before we started.
            if writer.id == self.own || !(self.embedded || silent >= DEAD_AFTER) {
                continue;
            }
            match self.publish_for(writer).await {
                Ok(()) => {}
                // A row that cannot be read must not keep back what other processes left.
                Err(error @ PublishError::Store(Error::Corrupt { .. })) => found = Err(error),
                Err(error) => return Err(error),
            }
        }
        found
    }

    /// Stops the writer, publishes what it left, and only then forgets it: if this process dies in between, the next
    /// finds the writer with its watermark.
    async fn publish_for(&mut self, writer: &outbox::Writer) -> Result<(), PublishError> {
        let mut conn = self.parts.store.write().await?;
        let stopped = outbox::fence(&mut conn, writer.id, writer.heartbeat_at).await?;
        drop(conn);
        if !stopped {
            // It lives after all.
            return Ok(());
        }
        if !self.publish_from(writer).await? {
            return Ok(());
        }
        let mut conn = self.parts.store.write().await?;
        outbox::retire(&mut conn, writer.id, writer.heartbeat_at).await?;
        Ok(())
    }

    /// Returns whether everything of the writer is published.
    async fn publish_from(&mut self, writer: &outbox::Writer) -> Result<bool, PublishError> {
        let after = self.progress.entry(writer.id).or_insert(writer.published_through);
        let batches = if self.embedded { usize::MAX } else { BATCHES_MAX };
        let mut count = 0;
        for _ in 0..batches {
            let mut conn = self.parts.store.read().await?;
            let missed = outbox::unpublished(&mut conn, writer.id, *after, BATCH).await?;
            drop(conn);
            let Some((through, _)) = missed.last() else {
                tracing::info!(writer = %writer.name, events = count, "published what a process left behind");
                return Ok(true);
            };
            let through = *through;
            count += missed.len();
            let events: Vec<_> = missed.into_iter().map(|(_, event)| event).collect();
            deliver(&self.parts, &events).await?;
            *after = through;
        }
        Ok(false)
    }
}

/// For how long the sign of life of each writer was seen not to change, by the own clock: the clocks of two machines
/// differ, and one may jump.
#[derive(Debug, Default)]
struct Signs {
    seen: HashMap<i64, (DateTime<Utc>, Duration)>,
    /// When was last looked.
    last: Duration,
}

impl Signs {
    /// For how long the sign of each writer has been the same.
    fn unchanged_for(&mut self, writers: &[outbox::Writer], now: Duration) -> Vec<Duration> {
        self.seen.retain(|id, _| writers.iter().any(|writer| writer.id == *id));
        let passed = now.saturating_sub(self.last).min(LOOK_MAX);
        self.last = now;
        let silent = |writer: &outbox::Writer| match self.seen.get_mut(&writer.id) {
            Some((sign, silent)) if *sign == writer.heartbeat_at => {
                *silent += passed;
                *silent
            }
            _ => {
                self.seen.insert(writer.id, (writer.heartbeat_at, Duration::ZERO));
                Duration::ZERO
            }
        };
        writers.iter().map(silent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sign_that_stays_the_same_is_a_sign_of_death() {
        let mut signs = Signs::default();
        let writer = |id, unix| outbox::Writer {
            id,
            name: String::new(),
            published_through: 0,
            heartbeat_at: DateTime::from_timestamp(unix, 0).unwrap(),
            fenced: false,
        };
        let mut look = |now, writers: &[outbox::Writer]| {
            let silent = signs.unchanged_for(writers, Duration::from_secs(now));
            silent.into_iter().map(|silent| silent.as_secs()).collect::<Vec<_>>()
        };
        // The first lives on a machine whose clock is a day behind and is set back once more; the second is dead.
        assert_eq!(look(100, &[writer(1, 5_000), writer(2, 90_000)]), [0, 0]);
        assert_eq!(look(102, &[writer(1, 5_010), writer(2, 90_000)]), [0, 2]);
        assert_eq!(look(104, &[writer(1, 4_000), writer(2, 90_000)]), [0, 4]);
        assert_eq!(look(105, &[writer(1, 4_000)]), [1]);
        // The store was away for an hour, and its writers find it again a moment after this process.
        assert_eq!(look(3705, &[writer(1, 4_000)]), [4]);
        assert_eq!(look(3706, &[writer(1, 7_600)]), [0]);
    }
}
