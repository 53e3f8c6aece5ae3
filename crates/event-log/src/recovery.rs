//! Recovery: publishes what processes that have died left unpublished.

use std::sync::Arc;

use chrono::TimeDelta;
use omni_store::{Kind, outbox};

use crate::{log::Parts, publisher::PublishError};

/// A writer of a shared database that has given no sign of life for so long is taken for dead. Publishing for one that
/// lives is harmless: the bus drops the repeat.
const DEAD_AFTER_SECONDS: i64 = 15;
/// Events read from the store at once.
const BATCH: i64 = 512;

#[derive(Debug)]
pub(crate) struct Recovery {
    parts: Arc<Parts>,
    own: i64,
    done: bool,
}

impl Recovery {
    pub(crate) fn new(parts: Arc<Parts>, own: i64) -> Self {
        Self { parts, own, done: false }
    }

    /// Publishes for every dead writer and removes it.
    pub(crate) async fn run(&mut self) -> Result<(), PublishError> {
        // An embedded store has one process at a time, so whoever is there besides us died before we started.
        let embedded = self.parts.store.kind() == Kind::Sqlite;
        if embedded && self.done {
            return Ok(());
        }
        let mut conn = self.parts.store.read().await?;
        let writers = outbox::writers(&mut conn).await?;
        drop(conn);
        let dead_since = self.parts.clock.now() - TimeDelta::seconds(DEAD_AFTER_SECONDS);
        for writer in writers {
            if writer.id != self.own && (embedded || writer.heartbeat_at < dead_since) {
                self.publish_for(&writer).await?;
            }
        }
        self.done = true;
        Ok(())
    }

    /// Publishes what the writer left, then ends it, then looks once more: it may have committed in between.
    async fn publish_for(&self, writer: &outbox::Writer) -> Result<(), PublishError> {
        let (after, before) = self.publish_from(writer.id, writer.published_through).await?;
        let mut conn = self.parts.store.write().await?;
        let ended = outbox::retire(&mut conn, writer.id, writer.heartbeat_at).await?;
        drop(conn);
        if !ended {
            // It lives after all.
            return Ok(());
        }
        let (_, late) = self.publish_from(writer.id, after).await?;
        let events = before + late;
        if events > 0 {
            tracing::info!(writer = %writer.name, events, "published what a process left behind");
        }
        Ok(())
    }

    async fn publish_from(
        &self,
        writer: i64,
        mut after: i64,
    ) -> Result<(i64, usize), PublishError> {
        let mut count = 0;
        loop {
            let mut conn = self.parts.store.read().await?;
            let missed = outbox::unpublished(&mut conn, writer, after, BATCH).await?;
            drop(conn);
            let Some((through, _)) = missed.last() else { return Ok((after, count)) };
            after = *through;
            count += missed.len();
            let events: Vec<_> = missed.into_iter().map(|(_, event)| event).collect();
            self.parts.bus.publish(&events).await?;
        }
    }
}
