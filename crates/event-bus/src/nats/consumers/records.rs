//! What is written down on the server about messages that are tried again, in a bucket.
//!
//! It must stay true that what is read was written last: the leader is asked, not a replica.

use async_nats::{
    HeaderMap,
    jetstream::{ErrorCode, response::Response, stream::LastRawMessageErrorKind},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{errors, session::Session};
use crate::{Error, Stream};

/// How many records are read or written at once.
pub(super) const AT_ONCE: usize = 128;

/// The story of a message that is not settled.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Record {
    /// What went wrong so far, one entry for each attempt that is over.
    pub(super) failures: Vec<String>,
    /// The attempt that was handed out, until it is known what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) out: Option<u32>,
}

/// The key of a record. One for each stream of that name, since sequences begin anew.
pub(super) fn key(consumer: &str, stream: Stream, made: &str, sequence: u64) -> String {
    format!("{consumer}.{stream}.{made}.{sequence}")
}

fn subject(session: &Session, key: &str) -> String {
    format!("$KV.{}.{key}", session.names.failures())
}

fn bucket(session: &Session) -> String {
    format!("KV_{}", session.names.failures())
}

/// Writes a text down, and waits until it is kept.
pub(super) async fn put(session: &Session, key: &str, text: Bytes) -> Result<(), Error> {
    let doing = "write down what went wrong";
    let kept = session.jetstream.publish(subject(session, key), text).await;
    kept.map_err(errors::unanswered(doing))?.await.map_err(errors::unanswered(doing))?;
    Ok(())
}

/// Reads the newest text of a key.
pub(super) async fn get(session: &Session, key: &str) -> Result<Option<Bytes>, Error> {
    let doing = "read what went wrong";
    let stream = session.jetstream.get_stream_no_info(bucket(session)).await;
    let stream = stream.map_err(errors::unanswered(doing))?;
    match stream.get_last_raw_message_by_subject(&subject(session, key)).await {
        Ok(message) => Ok(Some(message.payload).filter(|text| !text.is_empty())),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(said)
                if said.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(errors::unanswered(doing)(error)),
        },
    }
}

/// Removes the text of a key, or of all keys that begin with it and end in `>`.
pub(super) async fn remove(session: &Session, key: &str) -> Result<(), Error> {
    let purge = format!("STREAM.PURGE.{}", bucket(session));
    let which = json!({ "filter": subject(session, key) });
    let answer = session.jetstream.request(purge, &which).await;
    match answer.map_err(|error| errors::request(&error))? {
        Response::<Value>::Ok(_) => Ok(()),
        Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(()),
        Response::Err { error } => Err(errors::answer("forget what went wrong", error)),
    }
}

/// Removes the text of a key without waiting for it: what stays is no harm and goes with age.
pub(super) async fn let_go(session: &Session, key: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("KV-Operation", "DEL");
    let subject = subject(session, key);
    let _ = session.client.publish_with_headers(subject, headers, Bytes::new()).await;
}

/// Writes a record.
pub(super) async fn write(session: &Session, key: &str, record: &Record) -> Result<(), Error> {
    let text = serde_json::to_vec(record).map_err(Error::backend("write down what went wrong"))?;
    put(session, key, text.into()).await
}

/// Reads a record. One that cannot be read counts as one without a story.
pub(super) async fn read(session: &Session, key: &str) -> Result<Option<Record>, Error> {
    let text = get(session, key).await?;
    Ok(text.map(|text| serde_json::from_slice(&text).unwrap_or_default()))
}

/// Reads many records at once, in order.
pub(super) async fn read_all(
    session: &Session,
    keys: Vec<String>,
) -> Result<Vec<Option<Record>>, Error> {
    let reads = stream::iter(keys).map(|key| async move { read(session, &key).await });
    reads.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
}

/// Writes many records at once.
pub(super) async fn write_all(
    session: &Session,
    records: Vec<(String, Record)>,
) -> Result<(), Error> {
    let writes = stream::iter(records)
        .map(|(key, record)| async move { write(session, &key, &record).await });
    writes.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
}
