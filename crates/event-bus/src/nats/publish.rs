//! Publishing: messages are sent one behind the other without waiting, and then their acks are awaited.
//!
//! All of it happens in the runtime of the connection: handing every message and every ack from one thread to another
//! would cost as much as sending it.

use std::{collections::VecDeque, panic::resume_unwind, sync::Arc};

use async_nats::jetstream::{
    Context,
    context::{PublishAckFuture, PublishError, PublishErrorKind},
    message::PublishMessage,
};
use tokio::sync::SemaphorePermit;
use tokio_util::task::AbortOnDropHandle;
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    errors,
    publisher::{COST_MIN, Publisher, Served, WINDOW_BYTES},
    session::Session,
};
use crate::{Addressed, Error, Receipt, Stream};

/// What headers add to a message, with room to spare for the story of one that is given up.
pub(crate) const HEADERS_SIZE: usize = 2048;
/// How often streams that are missing are made again for one call.
const HEALINGS_MAX: usize = 2;

/// Publishes messages in order.
///
/// Where streams are missing they are made again, and then what found none is sent once more.
pub(crate) async fn publish(
    session: &Arc<Session>,
    publisher: &Arc<Publisher>,
    messages: Vec<Addressed>,
) -> Result<Vec<Receipt>, Error> {
    let mut batch = Batch { receipts: vec![None; messages.len()], messages };
    for _ in 0..=HEALINGS_MAX {
        let seen = session.healed();
        let publishing = session.publishing().await;
        if session.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        let served = publisher.current().ok_or_else(|| gone(session))?;
        let runtime = served.runtime.clone();
        let round = {
            let (session, publisher) = (Arc::clone(session), Arc::clone(publisher));
            async move {
                // Also when nobody waits for the outcome any longer.
                let _publishing = publishing;
                round(&session, &publisher, &served, batch).await
            }
        };
        // Whoever stops waiting for the receipts has the rest not sent.
        let outcome = AbortOnDropHandle::new(runtime.spawn(round)).await;
        let complete = match outcome {
            Ok(outcome) => {
                let complete;
                (complete, batch) = outcome?;
                complete
            }
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => return Err(gone(session)),
        };
        if complete {
            return Ok(batch.receipts.into_iter().flatten().collect());
        }
        session.heal(seen).await?;
    }
    Err(Error::Unavailable {
        reason: "its stream is missing, and was lost again after it had been made".into(),
    })
}

/// Messages, and the receipts of those that have one.
struct Batch {
    messages: Vec<Addressed>,
    receipts: Vec<Option<Receipt>>,
}

/// Sends what has no receipt yet. False when a stream is missing.
async fn round(
    session: &Session,
    publisher: &Publisher,
    served: &Arc<Served>,
    mut batch: Batch,
) -> Result<(bool, Batch), Error> {
    let Batch { messages, receipts } = &mut batch;
    let mut flight =
        Flight { session, sent: VecDeque::with_capacity(messages.len()), outcome: Ok(true) };
    for (index, addressed) in messages.iter().enumerate() {
        if receipts[index].is_some() {
            continue;
        }
        let Some(permit) = flight.room(publisher, addressed, receipts).await else {
            break;
        };
        match send(session, &served.context, addressed).await {
            Ok(ack) => flight.sent.push_back(Sent {
                index,
                stream: addressed.stream,
                ack,
                _permit: permit,
            }),
            Err(error) => {
                flight.outcome = Err(failed(error));
                break;
            }
        }
    }
    // Answers come in order: whoever waits for the newest is woken once for all of them.
    flight.land_newest(receipts).await;
    while flight.land(receipts).await {}
    // Whatever was said about a connection that is lost means only that.
    match flight.outcome {
        Err(Error::Backend { .. }) if !publisher.is_current(served) => Err(errors::lost()),
        outcome => outcome.map(|complete| (complete, batch)),
    }
}

/// The connection has ended, with everything that was on its way.
fn gone(session: &Session) -> Error {
    if session.closing.is_cancelled() { Error::Closed } else { errors::lost() }
}

/// What was sent and has no answer yet.
struct Flight<'a> {
    session: &'a Session,
    sent: VecDeque<Sent<'a>>,
    /// Whether every stream was there, or the first failure.
    outcome: Result<bool, Error>,
}

struct Sent<'a> {
    index: usize,
    stream: Stream,
    ack: PublishAckFuture,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Flight<'a> {
    /// Waits for room in the window of all publishers. Nothing when something failed meanwhile.
    async fn room(
        &mut self,
        publisher: &'a Publisher,
        addressed: &Addressed,
        receipts: &mut [Option<Receipt>],
    ) -> Option<SemaphorePermit<'a>> {
        let size = u32::try_from(addressed.message.data.len()).unwrap_or(u32::MAX);
        let cost = size.clamp(COST_MIN, WINDOW_BYTES);
        loop {
            if self.outcome.is_err() {
                return None;
            }
            if let Ok(permit) = publisher.window.try_acquire_many(cost) {
                return Some(permit);
            }
            // Whoever holds a part of the window waits for acks only, or all could wait for each other.
            if !self.land(receipts).await {
                return publisher.window.acquire_many(cost).await.ok();
            }
        }
    }

    /// Waits for the oldest answer. False when none is due.
    async fn land(&mut self, receipts: &mut [Option<Receipt>]) -> bool {
        let Some(oldest) = self.sent.pop_front() else {
            return false;
        };
        self.answered(oldest, receipts).await;
        true
    }

    /// Waits for the newest answer, if one is due.
    async fn land_newest(&mut self, receipts: &mut [Option<Receipt>]) {
        if let Some(newest) = self.sent.pop_back() {
            self.answered(newest, receipts).await;
        }
    }

    async fn answered(&mut self, sent: Sent<'a>, receipts: &mut [Option<Receipt>]) {
        let Sent { index, stream, ack, _permit } = sent;
        let error = match ack.await {
            Ok(ack) if ack.stream == self.session.names.stream(stream) => {
                let (sequence, duplicate) = (ack.sequence, ack.duplicate);
                receipts[index] = Some(Receipt { stream, sequence, duplicate });
                return;
            }
            Ok(ack) => Error::Unsupported {
                url: self.session.shown.clone(),
                reason: format!(
                    "stream {} takes what is for {}: remove it, or give this installation a prefix",
                    ack.stream,
                    self.session.names.stream(stream)
                ),
            },
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                if let Ok(complete) = &mut self.outcome {
                    *complete = false;
                }
                return;
            }
            Err(error) => {
                if error.kind() == PublishErrorKind::TimedOut {
                    // The others have waited for as long.
                    self.sent.clear();
                }
                failed(error)
            }
        };
        if self.outcome.is_ok() {
            self.outcome = Err(error);
        }
    }
}

async fn send(
    session: &Session,
    context: &Context,
    addressed: &Addressed,
) -> Result<PublishAckFuture, PublishError> {
    let Addressed { stream, message } = addressed;
    let subject = session.names.physical(*stream, &message.subject);
    let mut buffer = Uuid::encode_buffer();
    let id = Hyphenated::from_uuid(message.id).encode_lower(&mut buffer);
    let publish = PublishMessage::build().payload(message.data.clone()).message_id(&*id);
    context.send_publish(subject, publish).await
}

fn failed(error: PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::BrokenPipe => errors::lost(),
        PublishErrorKind::TimedOut => {
            Error::Unavailable { reason: "NATS does not answer in time".into() }
        }
        _ => Error::backend("publish")(error),
    }
}
