//! Messages that were given up, in a stream of their own on the server.
//!
//! It must stay true that a dead letter carries the whole message, as large as we publish any. It is JSON with the message
//! in it; one for which that would be too large is the message as it was, with its story in a header.

use async_nats::{HeaderMap, header::NATS_MESSAGE_ID, jetstream::context::PublishErrorKind};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{super::session::Session, fetch};
use crate::{DeadLetter, Error, Message, Stream};

/// The header with the story, where the message is as it was.
const STORY: &str = "Omni-Dead-Letter";
/// Room for headers and the beginning of the message on the wire, in bytes.
const SLACK: usize = 512;
/// Most that is kept of a reason where there is little room, in bytes.
const REASON_SHORT: usize = 128;
/// How many messages are read at once.
const PAGE: usize = 256;

/// A dead letter on the wire.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    consumer: String,
    stream: String,
    sequence: u64,
    id: Uuid,
    subject: String,
    published_at: DateTime<Utc>,
    dead_at: DateTime<Utc>,
    attempts: u32,
    reasons: Vec<String>,
    /// The data of the message, byte for byte, if that is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    /// The data of the message in hexadecimal digits, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// The subject, headers and payload of a dead letter.
fn written(
    session: &Session,
    dead: &DeadLetter,
    made: &str,
) -> Result<(String, HeaderMap, Bytes), Error> {
    let mut headers = HeaderMap::new();
    let DeadLetter { consumer, stream, sequence, message, .. } = dead;
    let id = format!("{consumer}:{stream}:{made}:{sequence}");
    headers.insert(NATS_MESSAGE_ID, id);
    let subject = session.names.dead_letter(consumer, *stream, *sequence);
    let text = std::str::from_utf8(&message.data).ok();
    let raw = text.and_then(|text| RawValue::from_string(text.to_owned()).ok());
    // Blanks around a value are not part of it.
    let event = raw.filter(|raw| raw.get().len() == message.data.len());
    let mut letter = Letter {
        consumer: consumer.clone(),
        stream: stream.to_string(),
        sequence: *sequence,
        id: message.id,
        subject: message.subject.to_string(),
        published_at: dead.published_at,
        dead_at: dead.dead_at,
        attempts: dead.attempts,
        reasons: dead.reasons.clone(),
        data: event.is_none().then(|| digits(&message.data)),
        event,
    };
    let write = Error::backend::<serde_json::Error>;
    let doing = "write a dead letter";
    let payload = serde_json::to_vec(&letter).map_err(write(doing))?;
    let room = session.client.max_payload().saturating_sub(SLACK);
    if payload.len() <= room {
        return Ok((subject, headers, payload.into()));
    }
    (letter.event, letter.data) = (None, None);
    // The message alone may need nearly all the room there is.
    letter.reasons = letter.reasons.pop().into_iter().collect();
    for reason in &mut letter.reasons {
        reason.truncate(reason.floor_char_boundary(REASON_SHORT));
    }
    let story = serde_json::to_string(&letter).map_err(write(doing))?;
    if story.len() + message.data.len() <= room {
        headers.insert(STORY, story);
        return Ok((subject, headers, message.data.clone()));
    }
    // Only a stranger can publish so much.
    let size = message.data.len();
    letter
        .reasons
        .push(format!("its data of {size} bytes leaves no room for a story: see the stream"));
    letter.data = Some(String::new());
    let payload = serde_json::to_vec(&letter).map_err(write(doing))?;
    Ok((subject, headers, payload.into()))
}

fn read(headers: Option<&HeaderMap>, payload: &Bytes) -> Option<DeadLetter> {
    let story = headers.and_then(|headers| headers.get(STORY));
    let letter: Letter = match story {
        Some(story) => serde_json::from_str(story.as_str()).ok()?,
        None => serde_json::from_slice(payload).ok()?,
    };
    let data = match (&letter.event, &letter.data) {
        (Some(event), _) => Bytes::copy_from_slice(event.get().as_bytes()),
        (None, Some(data)) => bytes_of(data)?.into(),
        (None, None) => payload.clone(),
    };
    Some(DeadLetter {
        consumer: letter.consumer,
        stream: Stream::from_name(&letter.stream)?,
        sequence: letter.sequence,
        message: Message { id: letter.id, subject: letter.subject.into(), data },
        published_at: letter.published_at,
        attempts: letter.attempts,
        reasons: letter.reasons,
        dead_at: letter.dead_at,
    })
}

fn digits(data: &[u8]) -> String {
    use std::fmt::Write as _;
    data.iter().fold(String::with_capacity(data.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// Keeps a dead letter. When this returns without an error it is there, once, even if this is done again.
pub(super) async fn keep(session: &Session, dead: &DeadLetter, made: &str) -> Result<(), Error> {
    let (subject, headers, payload) = written(session, dead, made)?;
    let doing = "keep a dead letter";
    let seen = session.healed();
    let send = || async {
        let sent = session.jetstream.publish_with_headers(
            subject.clone(),
            headers.clone(),
            payload.clone(),
        );
        sent.await?.await
    };
    match send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {}
        Err(error) => return Err(Error::backend(doing)(error)),
    }
    session.heal(seen).await?;
    send().await.map(|_| ()).map_err(Error::backend(doing))
}

/// The newest dead letters, newest first.
pub(super) async fn newest(session: &Session, limit: usize) -> Result<Vec<DeadLetter>, Error> {
    let stream = session.names.dead_letters();
    let Some(end) = fetch::end(session, &stream).await? else { return Ok(Vec::new()) };
    let mut letters = Vec::new();
    let mut before = end;
    // From the end in pages, for some of them may have been removed, or be none of ours.
    while letters.len() < limit && before > 1 {
        let want = (limit - letters.len()).clamp(1, PAGE) as u64;
        let from = before.saturating_sub(want).max(1);
        let page = fetch::between(session, &stream, from, before).await?;
        let found = page.iter().rev().filter_map(|kept| read(kept.headers.as_ref(), &kept.payload));
        letters.extend(found);
        before = page.first().map_or(from, |kept| kept.sequence.min(from));
    }
    letters.truncate(limit);
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&digits(&bytes)).unwrap(), bytes);
        assert!(bytes_of("0g").is_none());
    }
}
