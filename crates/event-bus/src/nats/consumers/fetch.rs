//! Reading a stretch of a stream without leaving a trace: over a consumer of the server that lives for one page, has no
//! name anybody knows, and acknowledges nothing.

use std::time::Duration;

use async_nats::{
    HeaderMap, Subject,
    jetstream::consumer::{AckPolicy, DeliverPolicy, pull},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;

use super::{
    super::{errors, session::Session},
    arrival::Facts,
};
use crate::Error;

/// How long the server keeps such a consumer when we die before we remove it.
const IDLE: Duration = Duration::from_secs(5);
/// Most messages that are asked for at once.
const BATCH: usize = 1024;
/// Longest wait for a message that the server says is there.
const PATIENCE: Duration = Duration::from_secs(10);
const DOING: &str = "read a stream";

/// A message as it is in a stream.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) subject: Subject,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
    pub(super) sequence: u64,
    pub(super) published_at: DateTime<Utc>,
    /// How many that the filters let through come after it.
    pub(super) pending: u64,
}

/// The sequence after the last one of a stream; nothing when it is missing.
pub(super) async fn end(session: &Session, stream: &str) -> Result<Option<u64>, Error> {
    match session.jetstream.get_stream(stream).await {
        Ok(stream) => Ok(Some(stream.cached_info().state.last_sequence + 1)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(errors::unanswered(DOING)(error)),
    }
}

fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind};
    matches!(error.kind(), GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// The messages of a stream with sequences in `from..before`.
pub(super) async fn between(
    session: &Session,
    stream: &str,
    from: u64,
    before: u64,
) -> Result<Vec<Kept>, Error> {
    let most = usize::try_from(before.saturating_sub(from)).unwrap_or(usize::MAX);
    let start = DeliverPolicy::ByStartSequence { start_sequence: from };
    let mut page = read(session, stream, start, &[], most).await?;
    page.retain(|kept| kept.sequence < before);
    Ok(page)
}

/// The first messages from a position on that some filters let through; all of them without a filter.
///
/// There may be fewer than there are, never none if there are any.
pub(super) async fn read(
    session: &Session,
    stream: &str,
    start: DeliverPolicy,
    filters: &[String],
    most: usize,
) -> Result<Vec<Kept>, Error> {
    let mut config = pull::Config {
        deliver_policy: start,
        ack_policy: AckPolicy::None,
        inactive_threshold: IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    match filters {
        [one] => config.filter_subject.clone_from(one),
        several => config.filter_subjects = several.to_vec(),
    }
    let consumer = session
        .jetstream
        .create_consumer_on_stream(config, stream)
        .await
        .map_err(errors::unanswered(DOING))?;
    let info = consumer.cached_info();
    let (name, there) = (info.name.clone(), info.num_pending);
    let count = most.min(BATCH).min(usize::try_from(there).unwrap_or(usize::MAX));
    let outcome = if count == 0 { Ok(Vec::new()) } else { take(&consumer, count).await };
    // If it stays it goes by itself.
    let stream =
        session.jetstream.get_stream_no_info(stream).await.map_err(errors::unanswered(DOING))?;
    if let Err(error) = stream.delete_consumer(&name).await {
        tracing::debug!(%error, "a consumer that was made to read stays until it is idle");
    }
    outcome
}

async fn take(
    consumer: &async_nats::jetstream::consumer::PullConsumer,
    count: usize,
) -> Result<Vec<Kept>, Error> {
    let unavailable =
        |error: async_nats::Error| Error::Unavailable { reason: format!("while reading: {error}") };
    let batch = consumer.fetch().max_messages(count).expires(PATIENCE).messages();
    let mut messages = batch.await.map_err(errors::unanswered(DOING))?;
    let mut page = Vec::with_capacity(count);
    while let Some(message) = messages.next().await {
        let message = message.map_err(unavailable)?.message;
        let Some(facts) = message.reply.as_deref().and_then(Facts::parse) else { continue };
        page.push(Kept {
            sequence: facts.sequence,
            published_at: facts.published_at,
            pending: facts.pending,
            subject: message.subject,
            headers: message.headers,
            payload: message.payload,
        });
    }
    Ok(page)
}
