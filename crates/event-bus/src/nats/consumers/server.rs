//! The server's consumers: looked at, made, brought up to date, moved.
//!
//! It must stay true that the position of a consumer outlives a crash between any two steps: before one is removed to be
//! made again elsewhere, it is written down where that is.

use std::time::Duration;

use async_nats::jetstream::{ErrorCode, context::RequestErrorKind, response::Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::{
    super::{errors, session::Session},
    records,
    selection::{Place, Selection},
};
use crate::{ConsumerConfig, Error, Start};

/// Most that may be unsettled in one consumer of the server, where the program names a number beyond reason.
const PENDING_MAX: usize = 1_000_000;
/// How the description of a consumer begins that was put back to where its acknowledgements end.
const REWOUND: &str = "hands out again up to ";

/// A consumer as the server describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Info {
    config: Map<String, Value>,
    /// When it was made.
    #[serde(deserialize_with = "moment")]
    pub(super) created: String,
    delivered: Sequences,
    ack_floor: Sequences,
    #[serde(default)]
    num_ack_pending: u64,
    #[serde(default)]
    pub(super) num_pending: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Sequences {
    stream_seq: u64,
}

/// One of the server's consumers, by name.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) stream: String,
    pub(super) name: String,
}

impl Target {
    pub(super) fn new(session: &Session, place: Place, consumer: &str) -> Self {
        let stream = session.names.stream(place.stream).to_owned();
        Self { stream, name: place.consumer(consumer) }
    }

    fn subject(&self, verb: &str) -> String {
        format!("CONSUMER.{verb}.{}.{}", self.stream, self.name)
    }

    /// The key under which is written down where it is to be made again.
    fn note(&self) -> String {
        format!("=moving.{}.{}", self.name.replace('+', "="), self.stream)
    }
}

/// Where a consumer of the server begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    All,
    New,
    Sequence(u64),
    Time(DateTime<Utc>),
}

impl Info {
    /// Up to which sequence it may hand out messages again that were handed out before it was made.
    pub(super) fn rewound_to(&self) -> u64 {
        let text = self.config.get("description").and_then(Value::as_str).unwrap_or_default();
        text.strip_prefix(REWOUND).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The sequence it was told to begin with, which some versions forget when it is yet to come.
    pub(super) fn first(&self) -> u64 {
        self.config.get("opt_start_seq").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Whether something was handed out and not settled.
    pub(super) fn is_open(&self) -> bool {
        self.num_ack_pending > 0 || self.delivered.stream_seq > self.ack_floor.stream_seq
    }

    fn filters(config: &Map<String, Value>) -> Vec<&str> {
        let one = config.get("filter_subject").and_then(Value::as_str);
        let several = config.get("filter_subjects").and_then(Value::as_array);
        let several = several.into_iter().flatten().filter_map(Value::as_str);
        let mut all: Vec<_> =
            one.into_iter().chain(several).filter(|text| !text.is_empty()).collect();
        all.sort_unstable();
        all
    }

    /// Whether it is set as we want it, wherever it began.
    fn agrees(&self, ours: &Map<String, Value>) -> bool {
        let filters = ["filter_subject", "filter_subjects"];
        Self::filters(&self.config) == Self::filters(ours)
            && ours
                .iter()
                .filter(|(key, _)| !filters.contains(&key.as_str()))
                .all(|(key, value)| self.config.get(key) == Some(value))
    }

    /// Its settings with ours in their place.
    fn updated(&self, ours: &Map<String, Value>) -> Map<String, Value> {
        let mut config = self.config.clone();
        config.remove("filter_subject");
        config.remove("filter_subjects");
        config.extend(ours.clone());
        config
    }
}

/// What a consumer of the server is to be like, wherever it begins.
pub(super) fn settings(
    target: &Target,
    config: &ConsumerConfig,
    selection: &Selection,
) -> Map<String, Value> {
    let mut ours = Map::new();
    let mut set = |key: &str, value: Value| ours.insert(key.to_owned(), value);
    set("durable_name", json!(target.name));
    set("name", json!(target.name));
    set("ack_policy", json!("explicit"));
    set("ack_wait", json!(nanos(config.ack_wait)));
    set("max_deliver", json!(-1));
    set("max_ack_pending", json!(config.max_in_flight.min(PENDING_MAX)));
    set("replay_policy", json!("instant"));
    if let Some(idle) = config.forgotten_after {
        set("inactive_threshold", json!(nanos(idle)));
    }
    match selection.filters.as_slice() {
        [] => None,
        [one] => set("filter_subject", json!(one)),
        several => set("filter_subjects", json!(several)),
    };
    ours
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(i64::MAX.unsigned_abs())
}

pub(super) fn beginning(mut settings: Map<String, Value>, begin: Begin) -> Map<String, Value> {
    settings.remove("opt_start_seq");
    settings.remove("opt_start_time");
    let policy = match begin {
        Begin::All => "all",
        Begin::New => "new",
        Begin::Sequence(sequence) => {
            settings.insert("opt_start_seq".into(), json!(sequence.max(1)));
            "by_start_sequence"
        }
        Begin::Time(time) => {
            let time = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
            settings.insert("opt_start_time".into(), json!(time));
            "by_start_time"
        }
    };
    settings.insert("deliver_policy".into(), json!(policy));
    settings
}

async fn ask<T: serde::de::DeserializeOwned>(
    session: &Session,
    subject: String,
    body: &Value,
) -> Result<Response<T>, Error> {
    session.jetstream.request(subject, body).await.map_err(|error| match error.kind() {
        RequestErrorKind::InvalidSubject => Error::backend("name a consumer")(error),
        _ => errors::request(&error),
    })
}

/// What is missing on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Consumer,
    Stream,
}

/// Looks at a consumer of the server.
pub(super) async fn info(
    session: &Session,
    target: &Target,
) -> Result<Result<Info, Missing>, Error> {
    match ask(session, target.subject("INFO"), &json!({})).await? {
        Response::Ok(info) => Ok(Ok(info)),
        Response::Err { error } => match error.error_code() {
            ErrorCode::CONSUMER_NOT_FOUND => Ok(Err(Missing::Consumer)),
            ErrorCode::STREAM_NOT_FOUND => Ok(Err(Missing::Stream)),
            _ => Err(errors::answer("look at a consumer", error)),
        },
    }
}

/// Makes or updates a consumer of the server.
async fn put(
    session: &Session,
    target: &Target,
    config: &Map<String, Value>,
) -> Result<Response<Info>, Error> {
    let filter = config.get("filter_subject").and_then(Value::as_str).unwrap_or_default();
    let dot = if filter.is_empty() { "" } else { "." };
    let subject = format!("{}{dot}{filter}", target.subject("CREATE"));
    ask(session, subject, &json!({ "stream_name": target.stream, "config": config })).await
}

/// Makes a consumer that is missing. If somebody else was quicker, theirs is the one.
pub(super) async fn create(
    session: &Session,
    target: &Target,
    settings: Map<String, Value>,
    begin: Begin,
) -> Result<Info, Error> {
    match put(session, target, &beginning(settings, begin)).await? {
        Response::Ok(info) => Ok(info),
        Response::Err { error } => match info(session, target).await? {
            Ok(info) => Ok(info),
            Err(_) => Err(errors::answer("make a consumer", error)),
        },
    }
}

/// Brings the settings of a consumer up to date. Where the server refuses, it is made again from where its
/// acknowledgements end.
pub(super) async fn update(
    session: &Session,
    target: &Target,
    old: Info,
    ours: Map<String, Value>,
) -> Result<Info, Error> {
    if old.agrees(&ours) {
        return Ok(old);
    }
    match put(session, target, &old.updated(&ours)).await? {
        Response::Ok(info) => {
            let info: Info = info;
            if info.agrees(&ours) {
                return Ok(info);
            }
        }
        Response::Err { error } => {
            tracing::info!(consumer = target.name, stream = target.stream, %error, "the server refuses new settings");
        }
    }
    rewind(session, target, &old, ours).await
}

/// Makes a consumer again at the end of its acknowledgements.
pub(super) async fn rewind(
    session: &Session,
    target: &Target,
    old: &Info,
    mut ours: Map<String, Value>,
) -> Result<Info, Error> {
    let through = old.delivered.stream_seq.max(old.rewound_to());
    ours.insert("description".into(), json!(format!("{REWOUND}{through}")));
    // One that never got going is told again where to begin.
    let floor = old.ack_floor.stream_seq.max(old.first().saturating_sub(1));
    replace(session, target, Some(old), beginning(ours, Begin::Sequence(floor + 1))).await
}

/// Where a consumer was to be made again when somebody was interrupted.
#[derive(Debug, Deserialize, Serialize)]
struct Note {
    /// When the stream was made.
    stream: String,
    /// When the consumer was made that is removed.
    old: String,
    config: Map<String, Value>,
}

/// Removes a consumer and makes it again at another position.
pub(super) async fn replace(
    session: &Session,
    target: &Target,
    old: Option<&Info>,
    config: Map<String, Value>,
) -> Result<Info, Error> {
    let stream = made(session, &target.stream).await?.unwrap_or_default();
    let old = old.map(|old| old.created.clone()).unwrap_or_default();
    let note = Note { stream, old, config };
    let text = serde_json::to_vec(&note).map_err(Error::backend("write down a position"))?;
    records::put(session, &target.note(), text.into()).await?;
    follow(session, target, note).await
}

async fn follow(session: &Session, target: &Target, note: Note) -> Result<Info, Error> {
    delete(session, target).await?;
    let info = match put(session, target, &note.config).await? {
        Response::Ok(info) => info,
        Response::Err { error } => match info(session, target).await? {
            Ok(info) => info,
            Err(_) => return Err(errors::answer("make a consumer again", error)),
        },
    };
    records::remove(session, &target.note()).await?;
    Ok(info)
}

/// Finishes what somebody began who was interrupted after removing a consumer; `None` if there is no such thing.
pub(super) async fn finish(session: &Session, target: &Target) -> Result<Option<Info>, Error> {
    let Some(text) = records::get(session, &target.note()).await? else { return Ok(None) };
    let note: Option<Note> = serde_json::from_slice(&text).ok();
    let made = made(session, &target.stream).await?;
    if let Some(note) = note.filter(|note| made.as_ref() == Some(&note.stream)) {
        return follow(session, target, note).await.map(Some);
    }
    records::remove(session, &target.note()).await?;
    Ok(None)
}

/// Removes a consumer, and where it was to be made again.
pub(super) async fn forget(session: &Session, target: &Target) -> Result<(), Error> {
    records::remove(session, &target.note()).await?;
    delete(session, target).await
}

async fn delete(session: &Session, target: &Target) -> Result<(), Error> {
    match ask::<Value>(session, target.subject("DELETE"), &json!({})).await? {
        Response::Ok(_) => Ok(()),
        Response::Err { error } => match error.error_code() {
            ErrorCode::CONSUMER_NOT_FOUND | ErrorCode::STREAM_NOT_FOUND => Ok(()),
            _ => Err(errors::answer("remove a consumer", error)),
        },
    }
}

/// When a stream was made; nothing when it is missing.
pub(super) async fn made(session: &Session, stream: &str) -> Result<Option<String>, Error> {
    let info = super::super::streams::info(session, stream).await?;
    Ok(info.map(|info| digits(&info.created)))
}

/// A time as nanoseconds, since the same one may be written in several ways.
fn digits(text: &str) -> String {
    let nanos = DateTime::parse_from_rfc3339(text).ok().and_then(|time| time.timestamp_nanos_opt());
    nanos.map_or_else(|| text.to_owned(), |nanos| nanos.to_string())
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| digits(&text))
}

/// Turns the position that was asked for into one on the server.
pub(super) async fn begin(
    session: &Session,
    target: &Target,
    selection: &Selection,
    start: Start,
) -> Result<Begin, Error> {
    Ok(match start {
        Start::New => Begin::New,
        Start::First => Begin::All,
        Start::Sequence(sequence) => Begin::Sequence(sequence),
        Start::Time(time) => Begin::Time(time),
        // Where nothing is wanted yet, whatever comes first will be the first.
        Start::Last => {
            last(session, &target.stream, selection).await?.map_or(Begin::All, Begin::Sequence)
        }
    })
}

#[derive(Deserialize)]
struct Stored {
    message: Head,
}

#[derive(Deserialize)]
struct Head {
    seq: u64,
}

/// The last message that is wanted.
async fn last(
    session: &Session,
    stream: &str,
    selection: &Selection,
) -> Result<Option<u64>, Error> {
    let mut last = None;
    for subject in &selection.wanted {
        let get = format!("STREAM.MSG.GET.{stream}");
        match ask::<Stored>(session, get, &json!({ "last_by_subj": subject })).await? {
            Response::Ok(stored) => last = last.max(Some(stored.message.seq)),
            Response::Err { error } if error.code() == 404 => {}
            Response::Err { error } => {
                return Err(errors::answer("read the last message of a stream", error));
            }
        }
    }
    Ok(last)
}

/// The sequence that the next message of a stream will have.
pub(super) async fn end(session: &Session, stream: &str) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Stream {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        last_seq: u64,
    }
    match ask::<Stream>(session, format!("STREAM.INFO.{stream}"), &json!({})).await? {
        Response::Ok(stream) => Ok(stream.state.last_seq + 1),
        Response::Err { error } => Err(errors::answer("look at a stream", error)),
    }
}
