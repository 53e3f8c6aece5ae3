//! The streams and buckets on the server. It must stay true that one that exists is never removed or made anew by us, and
//! that settings which are not ours stay as they are.

use std::time::Duration;

use async_nats::jetstream::{ErrorCode, context::RequestErrorKind, response::Response};
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{errors, session::Session};
use crate::{Error, Limit, Stream};

/// How long the server looks for repeats.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// The shortest age that a server takes.
const AGE_MIN: Duration = Duration::from_millis(100);
/// How long it is remembered what went wrong with a message; longer than any message waits for a retry.
const FAILURES_AGE: Duration = Duration::from_hours(24 * 14);
/// How long a process stays active for an ordered consumer without saying so again.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// How long messages of strangers are kept.
const INBOX_AGE: Duration = Duration::from_hours(24 * 7);

/// A stream as the server describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Info {
    config: Map<String, Value>,
    /// When it was made; a stream that was lost and made again has another time.
    pub(crate) created: String,
}

/// Makes all streams and buckets that are missing, and brings the settings of the others up to date.
pub(crate) async fn ensure(session: &Session) -> Result<(), Error> {
    let streams = Stream::ALL.map(|stream| {
        let limit = session.limits.of(stream);
        settings(session, session.names.stream(stream), &session.names.subjects(stream), limit)
    });
    let dead = settings(
        session,
        &session.names.dead_letters(),
        &[session.names.dead_letter_subjects()],
        session.limits.dead_letters,
    );
    let failures = bucket(session, &session.names.failures(), FAILURES_AGE);
    let leases = bucket(session, &session.names.leases(), LEASE);
    let all = streams.into_iter().chain([dead, failures, leases]);
    try_join_all(all.map(|ours| ensure_one(session, ours))).await?;
    Ok(())
}

/// Makes the stream for messages of strangers.
pub(crate) async fn ensure_inbox(session: &Session) -> Result<(), Error> {
    let names = &session.names;
    let limit = Limit::by_age(INBOX_AGE);
    ensure_one(session, settings(session, &names.inbox(), &[names.inbox_subjects()], limit)).await
}

/// A text that changes when one of the seven streams is lost. Missing ones are made again.
pub(crate) async fn identity(session: &Session) -> Result<String, Error> {
    session.reachable()?;
    let seen = session.healed();
    if let Some(identity) = created(session).await? {
        return Ok(identity);
    }
    session.heal(seen).await?;
    created(session).await?.ok_or_else(|| Error::Unavailable {
        reason: "a stream was lost again as soon as it had been made".into(),
    })
}

/// When the seven streams were made; nothing when one is missing.
async fn created(session: &Session) -> Result<Option<String>, Error> {
    let infos = Stream::ALL.map(|stream| info(session, session.names.stream(stream)));
    let infos = try_join_all(infos).await?;
    let created: Option<Vec<_>> = infos.into_iter().map(|info| Some(info?.created)).collect();
    Ok(created.map(|times| times.join(" ")))
}

/// A stream as it is on the server; nothing when it is missing.
pub(crate) async fn info(session: &Session, name: &str) -> Result<Option<Info>, Error> {
    match ask(session, &format!("STREAM.INFO.{name}"), &json!({})).await? {
        Response::Ok(info) => Ok(Some(info)),
        Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
        Response::Err { error } => Err(errors::answer("look at a stream", error)),
    }
}

async fn ask(session: &Session, subject: &str, body: &Value) -> Result<Response<Info>, Error> {
    let answer = session.jetstream.request(subject.to_owned(), body).await;
    answer.map_err(|error| match error.kind() {
        RequestErrorKind::InvalidSubject => Error::backend("name a stream")(error),
        _ => errors::request(&error),
    })
}

/// Our settings of a stream of messages.
fn settings(
    session: &Session,
    name: &str,
    subjects: &[String],
    limit: Limit,
) -> Map<String, Value> {
    let age = limit.age.max(AGE_MIN);
    let bytes = limit.bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX).max(1));
    object(json!({
        "name": name,
        "subjects": subjects,
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_age": nanos(age),
        "max_bytes": bytes,
        "num_replicas": session.replicas.max(1),
        "duplicate_window": nanos(DUPLICATE_WINDOW.min(age)),
        "allow_direct": true,
    }))
}

/// Our settings of a bucket, which is a stream by convention.
fn bucket(session: &Session, name: &str, age: Duration) -> Map<String, Value> {
    object(json!({
        "name": format!("KV_{name}"),
        "subjects": [format!("$KV.{name}.>")],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_age": nanos(age),
        "max_msgs_per_subject": 1,
        "num_replicas": session.replicas.max(1),
        "duplicate_window": nanos(DUPLICATE_WINDOW.min(age)),
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        "allow_direct": true,
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(i64::MAX.unsigned_abs())
}

async fn ensure_one(session: &Session, ours: Map<String, Value>) -> Result<(), Error> {
    let name = ours.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let theirs = match info(session, &name).await? {
        Some(info) => info,
        None => match create(session, &name, &ours).await? {
            Some(info) => info,
            // Another process was quicker.
            None => info(session, &name).await?.ok_or_else(|| vanished(&name))?,
        },
    };
    if ours.iter().all(|(key, value)| theirs.config.get(key) == Some(value)) {
        return Ok(());
    }
    let mut config = theirs.config;
    config.extend(ours);
    tracing::info!(stream = name, "the settings of a stream are brought up to date");
    match ask(session, &format!("STREAM.UPDATE.{name}"), &Value::Object(config)).await? {
        Response::Ok(_) => Ok(()),
        Response::Err { error } => Err(refused(
            session,
            format!(
                "it refuses the new settings of stream {name} ({error}): change them back, or remove the stream and what is in it"
            ),
        )),
    }
}

/// Makes a stream; nothing when there is one of that name with other settings.
async fn create(
    session: &Session,
    name: &str,
    ours: &Map<String, Value>,
) -> Result<Option<Info>, Error> {
    let body = Value::Object(ours.clone());
    match ask(session, &format!("STREAM.CREATE.{name}"), &body).await? {
        Response::Ok(info) => {
            tracing::info!(stream = name, "a stream is made");
            Ok(Some(info))
        }
        Response::Err { error } => match error.error_code() {
            ErrorCode::STREAM_NAME_EXIST => Ok(None),
            ErrorCode::STREAM_SUBJECT_OVERLAP => Err(refused(
                session,
                format!(
                    "another stream takes subjects of {name}: remove it, or give this installation a prefix"
                ),
            )),
            _ => Err(refused(
                session,
                format!(
                    "it refuses to make stream {name} ({error}): look at the limits of the account and the server"
                ),
            )),
        },
    }
}

fn refused(session: &Session, reason: String) -> Error {
    Error::Unsupported { url: session.shown.clone(), reason }
}

fn vanished(name: &str) -> Error {
    Error::Unavailable { reason: format!("stream {name} comes and goes") }
}
