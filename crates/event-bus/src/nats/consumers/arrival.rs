//! Messages as a server delivers them, read without asking it anything.

use std::sync::Arc;

use async_nats::{HeaderMap, Subject, header::NATS_MESSAGE_ID};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::names::Names;
use crate::{Message, Stream};

/// What the subject for the answer to a delivery says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// The server's name of the stream.
    pub(super) stream: &'a str,
    /// The server's name of the consumer.
    pub(super) consumer: &'a str,
    /// How often the server has delivered the message, this time included.
    pub(super) count: u64,
    /// The sequence in the stream.
    pub(super) sequence: u64,
    pub(super) published_at: DateTime<Utc>,
    /// How many messages are behind it for this consumer.
    pub(super) pending: u64,
}

impl<'a> Facts<'a> {
    /// Reads `$JS.ACK.…`, in the old form and in the one with domain and account.
    pub(super) fn parse(reply: &'a str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let dots = rest.bytes().filter(|byte| *byte == b'.').count();
        let mut parts = rest.split('.');
        // Stream, consumer, count, two sequences, time and pending; before that domain and account, after that a token.
        if dots >= 8 {
            parts.nth(1)?;
        } else if dots != 6 {
            return None;
        }
        let (stream, consumer) = (parts.next()?, parts.next()?);
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (count, sequence, _, nanos, pending) =
            (number()?, number()?, number()?, number()?, number()?);
        let published_at = DateTime::from_timestamp_nanos(i64::try_from(nanos).ok()?);
        Some(Self { stream, consumer, count, sequence, published_at, pending })
    }
}

/// Where a message was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) stream: Stream,
    pub(super) sequence: u64,
    /// When the stream was made.
    pub(super) made: &'a str,
}

/// Reads a message of a stream; `None` when its subject is none of ours.
///
/// One without our id, from a program that does not know about it, gets the same one each time it is read.
pub(super) fn message(
    names: &Names,
    found: Found<'_>,
    subject: &Subject,
    (headers, data): (Option<&HeaderMap>, Bytes),
) -> Option<Message> {
    let subject: Arc<str> = names.logical(subject.as_str())?.into();
    let id = headers
        .and_then(|headers| headers.get(NATS_MESSAGE_ID))
        .and_then(|id| Uuid::try_parse(id.as_str()).ok())
        .unwrap_or_else(|| derived(found));
    Some(Message { id, subject, data })
}

fn derived(found: Found<'_>) -> Uuid {
    let name = format!("{}:{}:{}", found.stream, found.made, found.sequence);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let facts = Facts {
            stream: "CUSTOM",
            consumer: "engine",
            count: 2,
            sequence: 71,
            published_at: DateTime::from_timestamp_nanos(1_700_000_000_123_456_789),
            pending: 5,
        };
        let tail = "CUSTOM.engine.2.71.90.1700000000123456789.5";
        assert_eq!(Facts::parse(&format!("$JS.ACK.{tail}")), Some(facts));
        assert_eq!(Facts::parse(&format!("$JS.ACK._.hash.{tail}")), Some(facts));
        assert_eq!(Facts::parse(&format!("$JS.ACK.hub.hash.{tail}.random")), Some(facts));
        for bad in ["", "$JS.ACK.", "$JS.ACK.a.b", "$JS.ACK.CUSTOM.engine.x.71.90.17.5", tail] {
            assert_eq!(Facts::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_of_a_stranger_has_an_id_of_its_own_that_stays() {
        let names = Names::new(Some("acme")).unwrap();
        let read = |sequence, made| {
            let found = Found { stream: Stream::Custom, sequence, made };
            let subject = Subject::from_static("acme.routed.custom.system.x._._");
            message(&names, found, &subject, (None, Bytes::new())).unwrap()
        };
        assert_eq!(&*read(1, "a").subject, "system.x._._");
        assert_eq!(read(1, "a").id, read(1, "a").id);
        assert_ne!(read(1, "a").id, read(2, "a").id);
        assert_ne!(read(1, "a").id, read(1, "b").id);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, "01900000-0000-7000-8000-000000000001");
        let found = Found { stream: Stream::Custom, sequence: 1, made: "a" };
        let subject = Subject::from_static("acme.custom.x._._");
        let ours = message(&names, found, &subject, (Some(&headers), Bytes::new())).unwrap();
        assert_eq!(ours.id.to_string(), "01900000-0000-7000-8000-000000000001");
        let other = Subject::from_static("other.custom.x._._");
        assert!(message(&names, found, &other, (None, Bytes::new())).is_none());
    }
}
