//! One message from a stranger, and what becomes of it.
//!
//! It must stay true that it is acknowledged only by its taker, or after it is kept as a dead letter.

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{self, AckKind, context::PublishErrorKind},
};
use bytes::Bytes;
use serde_json::json;

use super::session::Session;
use crate::Error;

/// How often a message is tried.
const ATTEMPTS_MAX: u32 = 4;
/// How often a message is handed out that nobody settles: beyond [`ATTEMPTS_MAX`] it comes alone, so that one which kills
/// whoever takes it does not take others along.
const DELIVERIES_MAX: u32 = 2 * ATTEMPTS_MAX;
/// The header of a dead letter with its story; its data are those of the message.
const STORY: &str = "Omni-Dead-Letter";
/// What a story begins with on the wire, and the end of headers.
const SLACK: usize = 256;

/// A message from a stranger. Without a word about it, it comes again after 30 s.
#[derive(Debug)]
pub struct Foreign {
    /// Where it was published, without the prefix of this installation: `in.` and what follows.
    pub subject: String,
    /// Its headers, as they came.
    pub headers: Vec<(String, String)>,
    /// Its data.
    pub data: Bytes,
    /// Its place in the inbox.
    pub stream_sequence: u64,
    /// How often it has been handed out, this time included.
    pub attempt: u32,
    /// When it was taken, on the clock of the bus.
    pub(super) taken: Duration,
    message: jetstream::Message,
    made: Arc<str>,
    name: Arc<str>,
    session: Arc<Session>,
}

impl Foreign {
    /// Reads what a consumer of this name was given; `made` says when the stream was made.
    pub(super) fn read(
        session: &Arc<Session>,
        (name, made): (&Arc<str>, &Arc<str>),
        message: jetstream::Message,
    ) -> Result<Self, Error> {
        let info = message.info().map_err(|error| said("read a message of the inbox", error))?;
        let (stream_sequence, delivered) = (info.stream_sequence, info.delivered);
        let subject = session.names.logical(&message.subject).unwrap_or(&message.subject);
        let headers = message.headers.iter().flat_map(HeaderMap::iter);
        let headers = headers.flat_map(|(name, values)| {
            values.iter().map(|value| (name.to_string(), value.to_string()))
        });
        Ok(Self {
            subject: subject.to_owned(),
            headers: headers.collect(),
            data: message.payload.clone(),
            stream_sequence,
            attempt: u32::try_from(delivered).unwrap_or(u32::MAX),
            taken: session.clock.elapsed(),
            made: Arc::clone(made),
            name: Arc::clone(name),
            session: Arc::clone(session),
            message,
        })
    }

    /// Whether it has been handed out so often that it may kill whoever takes it.
    pub(super) fn is_suspect(&self) -> bool {
        self.attempt > ATTEMPTS_MAX
    }

    /// Itself, or nothing when it was handed out too often: then it is kept as a dead letter.
    pub(super) async fn unless_hopeless(self) -> Result<Option<Self>, Error> {
        if self.attempt <= DELIVERIES_MAX {
            return Ok(Some(self));
        }
        let reason = format!("handed out {DELIVERIES_MAX} times and never settled");
        self.reject(&reason).await.map(|()| None)
    }

    /// Says that it is done.
    ///
    /// # Errors
    /// When the connection is closed; then it comes again.
    pub async fn ack(self) -> Result<(), Error> {
        self.settle(AckKind::Ack).await
    }

    /// Says that it is being worked on: the time until it comes again begins anew.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn in_progress(&self) -> Result<(), Error> {
        self.settle(AckKind::Progress).await
    }

    /// Gives it back, to come again after a while. After the fourth try it becomes a dead letter.
    ///
    /// # Errors
    /// As for [`Foreign::reject`].
    pub async fn retry(self, delay: Duration) -> Result<(), Error> {
        if self.attempt < ATTEMPTS_MAX {
            return self.settle(AckKind::Nak(Some(delay))).await;
        }
        let reason = format!("given back {} times", self.attempt);
        self.reject(&reason).await
    }

    /// Gives it up: it is kept as a dead letter, with the reason.
    ///
    /// # Errors
    /// When the dead letter could not be kept; then the message comes again.
    pub async fn reject(self, reason: &str) -> Result<(), Error> {
        let (headers, data) = self.dead_letter(reason);
        let subject = self.session.names.dead_letter(&self.name, "INBOX", self.stream_sequence);
        let seen = self.session.healed();
        let send = || async {
            let (subject, headers) = (subject.clone(), headers.clone());
            self.session.jetstream.publish_with_headers(subject, headers, data.clone()).await?.await
        };
        if let Err(error) = send().await {
            if error.kind() != PublishErrorKind::StreamNotFound {
                return Err(Error::backend("keep a dead letter")(error));
            }
            self.session.heal(seen).await?;
            send().await.map_err(Error::backend("keep a dead letter"))?;
        }
        self.settle(AckKind::Ack).await
    }

    /// The message as it was, with its story in a header.
    fn dead_letter(&self, reason: &str) -> (HeaderMap, Bytes) {
        let id = format!("{}:INBOX:{}:{}", self.name, self.made, self.stream_sequence);
        let story = |headers: &[(String, String)], reasons: &[&str]| {
            json!({
                "consumer": &*self.name,
                "stream": "INBOX",
                "sequence": self.stream_sequence,
                "subject": self.subject,
                "headers": headers,
                "attempts": self.attempt,
                "reasons": reasons,
                "deadAt": self.session.clock.now(),
            })
            .to_string()
        };
        let room = self.session.client.max_payload().saturating_sub(SLACK + id.len());
        let whole = story(&self.headers, &[reason]);
        let reason = &reason[..reason.floor_char_boundary(SLACK)];
        let (story, data) = if whole.len() + self.data.len() <= room {
            (whole, self.data.clone())
        } else {
            let short = story(&[], &[reason, "its headers are left out: there is no room"]);
            if short.len() + self.data.len() <= room {
                (short, self.data.clone())
            } else {
                let note = "its data are left out: there is no room; the inbox has them for a week after it came";
                (story(&[], &[reason, note]), Bytes::new())
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert(STORY, story);
        (headers, data)
    }

    async fn settle(&self, kind: AckKind) -> Result<(), Error> {
        self.message
            .ack_with(kind)
            .await
            .map_err(|error| said("settle a message of the inbox", error))
    }
}

/// Keeps an error that has no type.
pub(super) fn said(doing: &'static str, error: async_nats::Error) -> Error {
    Error::backend(doing)(std::io::Error::other(error))
}
