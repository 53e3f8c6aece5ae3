//! Which process is active for an ordered consumer: one at a time, for as long as it says so again and again.
//!
//! It must stay true that by our own count we are active no longer than the server lets nobody else be.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::{context::PublishErrorKind, stream::LastRawMessageErrorKind},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    super::{errors, session::Session, streams::LEASE},
    durable::Durable,
};
use crate::Error;

/// It is said again after this part of the time it is good for.
const RENEWALS: u32 = 3;
/// How much earlier it ends for us than for the server.
const MARGIN: Duration = Duration::from_secs(1);
/// The header that lets a text be written only if the last one has this number.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const DOING: &str = "ask who is active for a consumer";

/// The claim of this process.
#[derive(Debug)]
pub(super) struct Lease {
    /// The subject that it is written under.
    subject: String,
    bucket: String,
    /// Names this process, for people.
    holder: String,
    /// The number of the text with which we said it last.
    revision: Mutex<Option<u64>>,
}

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// It was ours and is, until this time.
    Still(Duration),
    /// It is ours now, until this time. Another process may have had it in between.
    Anew(Duration),
    /// Another process has it.
    No,
}

impl Lease {
    pub(super) fn new(session: &Session, consumer: &str) -> Self {
        let bucket = session.names.leases();
        Self {
            subject: format!("$KV.{bucket}.{consumer}"),
            bucket: format!("KV_{bucket}"),
            holder: Uuid::from_bytes(session.random.bytes()).to_string(),
            revision: Mutex::default(),
        }
    }

    /// Writes if the last text has the expected number; returns the new number.
    async fn write(
        &self,
        session: &Session,
        text: &str,
        expected: u64,
    ) -> Result<Option<u64>, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, expected.to_string());
        let seen = session.healed();
        let text = text.to_owned().into();
        let sent = session.jetstream.publish_with_headers(self.subject.clone(), headers, text);
        let kept = match sent.await {
            Ok(ack) => ack.await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(ack) => Ok(Some(ack.sequence)),
            Err(error) => match error.kind() {
                PublishErrorKind::WrongLastSequence => Ok(None),
                PublishErrorKind::StreamNotFound => {
                    session.heal(seen).await?;
                    Ok(None)
                }
                _ => Err(errors::unanswered(DOING)(error)),
            },
        }
    }

    /// Claims it, or says again that it is ours.
    pub(super) async fn claim(&self, session: &Session) -> Result<Claimed, Error> {
        let mut revision = self.revision.lock().await;
        let until = session.clock.elapsed() + LEASE.saturating_sub(MARGIN);
        if let Some(last) = *revision {
            *revision = self.write(session, &self.holder, last).await?;
            if revision.is_some() {
                return Ok(Claimed::Still(until));
            }
        }
        let last = self.free(session).await?;
        if let Some(last) = last {
            *revision = self.write(session, &self.holder, last).await?;
        }
        Ok(if revision.is_some() { Claimed::Anew(until) } else { Claimed::No })
    }

    /// The number of the last text if it says that nobody has it.
    async fn free(&self, session: &Session) -> Result<Option<u64>, Error> {
        let stream = session.jetstream.get_stream_no_info(&self.bucket).await;
        let stream = stream.map_err(errors::unanswered(DOING))?;
        match stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(message) => Ok(message.payload.is_empty().then_some(message.sequence)),
            Err(error) => match error.kind() {
                // Also where the bucket is missing: writing finds that out.
                LastRawMessageErrorKind::NoMessageFound | LastRawMessageErrorKind::JetStream(_) => {
                    Ok(Some(0))
                }
                _ => Err(errors::unanswered(DOING)(error)),
            },
        }
    }

    /// Whether it was ours when we last heard of it.
    async fn is_held(&self) -> bool {
        self.revision.lock().await.is_some()
    }

    /// Lets another process have it at once.
    pub(super) async fn release(&self, session: &Session) {
        let mut revision = self.revision.lock().await;
        if let Some(last) = revision.take()
            && let Err(error) = self.write(session, "", last).await
        {
            tracing::debug!(%error, "another process becomes active only after {LEASE:?}");
        }
    }
}

/// Says again and again that this process is active, while anybody here works with the consumer.
pub(super) async fn keep(session: Arc<Session>, durable: Weak<Durable>) {
    let Some(forgotten) = durable.upgrade().map(|durable| durable.forgotten.clone()) else {
        return;
    };
    loop {
        tokio::select! {
            () = session.closing.cancelled() => return,
            () = forgotten.cancelled() => return,
            () = session.clock.sleep(LEASE / RENEWALS) => {}
        }
        let Some(durable) = durable.upgrade() else { return };
        let Some(lease) = &durable.lease else { return };
        if !lease.is_held().await {
            continue;
        }
        if !durable.is_used(session.clock.elapsed()) {
            step_down(&durable);
            lease.release(&session).await;
            continue;
        }
        match lease.claim(&session).await {
            Ok(Claimed::Still(until)) => durable.state().activate(until),
            Ok(Claimed::Anew(_)) => {
                // Somebody may have had it in between: whoever pulls next takes over in order.
                step_down(&durable);
                lease.release(&session).await;
            }
            Ok(Claimed::No) => {
                tracing::info!(consumer = durable.config.name, "another process is active now");
                step_down(&durable);
            }
            Err(error) => tracing::debug!(%error, "could not say that this process is active"),
        }
    }
}

/// Forgets what was handed out here: it is no longer ours to finish.
pub(super) fn step_down(durable: &Durable) {
    durable.state().step_down();
    durable.begin_epoch();
}
