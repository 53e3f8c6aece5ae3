//! Reading a body: bounded in size and time while it arrives, then checked as JSON with the place of every fault.

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use axum::{body::Body, extract::FromRequest};
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt as _;
use omni_clock::Clock;
use omni_events::Payload;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::{
    App,
    problem::{FieldError, Kind, Problem},
};

/// Largest JSON body of the API, in bytes; what larger events need comes in through a source with its own limit.
pub const BODY_MAX: usize = 1024 * 1024;
/// Longest time a body may take to arrive: a sender that trickles must not hold a connection for ever.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// After this a body must have come at [`BODY_RATE_MIN`].
const BODY_GRACE: Duration = Duration::from_secs(5);
/// Slowest that a body may come, in bytes per second.
const BODY_RATE_MIN: u32 = 1024;

/// The error of a body that is not read on because other requests hold all the memory that there is for bodies; the
/// listener says so, and the sender is asked to come again.
#[derive(Clone, Copy, Debug)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other requests hold all the memory for bodies; send it again later")
    }
}

impl std::error::Error for NoRoom {}

/// A JSON body, read into `T`.
///
/// The body must be said to be JSON: that a browser cannot do from a foreign page without asking first, so no page can
/// reach an installation on its reader's own machine.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let bytes = read(body, &parts.headers, BODY_MAX, &*app.clock).await?;
        parse(bytes).map(Json)
    }
}

/// Refuses a body that is not said to be JSON.
pub(crate) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    let was = if said.is_empty() { "is missing".to_owned() } else { format!("is `{said}`") };
    let detail =
        format!("Content-Type {was}; send the body as JSON with `Content-Type: application/json`.");
    Err(Problem::new(Kind::MediaType, detail))
}

/// Reads a whole body.
///
/// # Errors
/// As soon as the body says that it is or turns out to be larger than `max`, when it takes too long, and when it breaks
/// off.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    max: usize,
    clock: &dyn Clock,
) -> Result<Bytes, Problem> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if said.is_some_and(|len: u64| len > max as u64) {
        return Err(too_large(max));
    }
    collect(body, max, clock).await
}

/// Gathers the pieces of a body; one that arrives in one piece is not copied.
async fn collect(mut body: Body, max: usize, clock: &dyn Clock) -> Result<Bytes, Problem> {
    let started = clock.elapsed();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut timer = clock.sleep(BODY_GRACE);
    loop {
        let frame = match select(body.frame(), &mut timer).await {
            Either::Left((frame, _)) => frame,
            Either::Right(_) => {
                let allowed = time_for(first.len() + rest.len());
                let left = (started + allowed).saturating_sub(clock.elapsed());
                if left.is_zero() {
                    return Err(too_slow());
                }
                timer = clock.sleep(left);
                continue;
            }
        };
        let Some(frame) = frame else { break };
        let Ok(piece) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if first.len() + rest.len() + piece.len() > max {
            return Err(too_large(max));
        }
        if first.is_empty() && rest.is_empty() {
            first = piece;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&piece);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// How long a body may take of which so many bytes have come.
fn time_for(bytes: usize) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    (BODY_GRACE + Duration::from_secs(1) * bytes / BODY_RATE_MIN).min(BODY_TIME_MAX)
}

fn too_slow() -> Problem {
    let (seconds, grace) = (BODY_TIME_MAX.as_secs(), BODY_GRACE.as_secs());
    let detail = format!(
        "The body took longer than {seconds} seconds, or came slower than {BODY_RATE_MIN} bytes per second after the \
         first {grace} seconds; nothing of it was kept."
    );
    Problem::new(Kind::Slow, detail)
}

fn broken(error: &axum::Error) -> Problem {
    if error.source().is_some_and(<dyn std::error::Error>::is::<NoRoom>) {
        return Problem::new(
            Kind::Overloaded,
            "Too many bodies are being read; send it again later.",
        );
    }
    tracing::debug!(%error, "a body broke off");
    Problem::new(Kind::Slow, "The body broke off before its end; nothing of it was kept.")
}

fn too_large(max: usize) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("The body is larger than {max} bytes; nothing of it was kept."),
    )
}

/// Reads JSON text into `T`; the text is checked as JSON first, so that a bad byte is told before a bad field.
pub(crate) fn parse<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    // REST reads no more than this; a gRPC message may be larger, for its payload.
    if bytes.len() > BODY_MAX {
        return Err(too_large(BODY_MAX));
    }
    read_text(json(bytes)?.as_bytes())
}

/// Reads text that was checked as JSON into `T`.
pub(crate) fn read_text<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let message = error.inner().to_string();
        let detail = message.split(" at line ").next().unwrap_or_default().to_owned();
        let mut pointer = pointer(error.path());
        if let Some(name) = unknown_field(&detail) {
            let told = format!("/{}", escape(name));
            if !pointer.ends_with(&told) {
                pointer.push_str(&told);
            }
        }
        Problem::fields(vec![FieldError { pointer, detail }])
    })
}

/// Checks JSON text and keeps it as it is.
pub(crate) fn json(bytes: Bytes) -> Result<Payload, Problem> {
    Payload::parse(bytes).map_err(|error| Problem::new(Kind::BadJson, error.to_string()))
}

/// The name in serde's message about a field that does not exist.
fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// Writes a path as a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let parts = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", escape(key))),
        // The variant of an enum is no place in the document.
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    parts.collect()
}

/// Writes a name as a part of a JSON Pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use omni_clock::SystemClock;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its reading is tested")]
        list: Vec<Inner>,
        payload: Option<Payload>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its reading is tested")]
        n: i32,
    }

    fn fault(text: &'static str) -> (Kind, String, String) {
        let problem = parse::<Outer>(Bytes::from_static(text.as_bytes())).unwrap_err();
        let first = problem.errors.first().map(|e| e.pointer.clone()).unwrap_or_default();
        (problem.kind, first, problem.detail)
    }

    #[test]
    fn a_bad_byte_is_told_with_its_offset() {
        let (kind, _, detail) = fault("{\"list\": [}");
        assert_eq!(kind, Kind::BadJson);
        assert!(detail.contains("at byte 10"), "{detail}");
        assert_eq!(fault("").0, Kind::BadJson);
    }

    #[test]
    fn a_bad_field_is_told_with_its_pointer() {
        let (kind, pointer, detail) = fault(r#"{"list": [{"n": 1}, {"n": "x"}]}"#);
        assert_eq!((kind, pointer.as_str()), (Kind::Invalid, "/list/1/n"), "{detail}");
        let (_, pointer, detail) = fault(r#"{"list": [{"n": 1, "m/x": 2}]}"#);
        assert_eq!(pointer, "/list/0/m~1x", "{detail}");
        assert!(detail.contains("unknown field `m/x`"), "{detail}");
        let (_, pointer, detail) = fault(r#"{"lost": 1, "list": []}"#);
        assert_eq!(pointer, "/lost", "{detail}");
        let (_, pointer, detail) = fault("{}");
        assert_eq!(pointer, "", "{detail}");
        assert!(detail.contains("list"), "{detail}");
    }

    #[test]
    fn a_payload_inside_keeps_its_bytes() {
        let body = Bytes::from_static(
            br#"{"list": [], "payload": {"b": 1.50, "a":  30000000000000000000000000000001}}"#,
        );
        let outer = parse::<Outer>(body).unwrap();
        assert_eq!(
            outer.payload.unwrap().as_str(),
            r#"{"b": 1.50, "a":  30000000000000000000000000000001}"#
        );
    }

    #[test]
    fn deep_json_is_refused_before_it_is_parsed() {
        let deep = format!("{{\"list\": {}", "[".repeat(1_000_000));
        let problem = parse::<Outer>(deep.into()).unwrap_err();
        assert_eq!(problem.kind, Kind::BadJson);
        assert!(problem.detail.contains("deeper than 127"), "{}", problem.detail);
    }

    #[test]
    fn only_json_is_taken() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(value));
            check_media_type(&headers).is_ok()
        };
        assert!(with("application/json"));
        assert!(with("Application/JSON; charset=utf-8"));
        assert!(with("application/cloudevents+json"));
        assert!(!with("text/plain"));
        assert!(!with("application/x-www-form-urlencoded"));
        assert!(check_media_type(&HeaderMap::new()).is_err());
    }

    fn pieces(pieces: &'static [&'static str]) -> Body {
        let frames = pieces.iter().map(|p| {
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(p.as_bytes())))
        });
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused() {
        let none = HeaderMap::new();
        let clock = SystemClock::new();
        let whole = read(pieces(&["a", "bc", "d"]), &none, 4, &clock).await.unwrap();
        assert_eq!(whole, "abcd");
        let problem = read(pieces(&["a", "bc", "de"]), &none, 4, &clock).await.unwrap_err();
        assert_eq!(problem.kind, Kind::TooLarge);
        let mut said = HeaderMap::new();
        said.insert(header::CONTENT_LENGTH, http::HeaderValue::from_static("5"));
        let problem = read(Body::empty(), &said, 4, &clock).await.unwrap_err();
        assert_eq!(problem.kind, Kind::TooLarge);
    }

    #[tokio::test]
    async fn a_trickling_body_is_given_up() {
        let clock = Arc::new(omni_clock::ManualClock::new(chrono::DateTime::UNIX_EPOCH));
        let never = Body::new(StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<Bytes>, std::io::Error>,
        >()));
        let none = HeaderMap::new();
        let reading = read(never, &none, 4, &*clock);
        let advance = async { clock.advance(BODY_TIME_MAX) };
        let (read, ()) = futures_util::future::join(reading, advance).await;
        assert_eq!(read.unwrap_err().kind, Kind::Slow);
    }

    #[tokio::test]
    async fn a_body_that_comes_fast_enough_has_its_time() {
        assert_eq!(time_for(0), Duration::from_secs(5));
        assert_eq!(time_for(1024), Duration::from_secs(6));
        assert_eq!(time_for(25 * 1024 * 1024), BODY_TIME_MAX);
        let clock = Arc::new(omni_clock::ManualClock::new(chrono::DateTime::UNIX_EPOCH));
        let (pieces, body) = tokio::sync::mpsc::unbounded_channel();
        let body = futures_util::stream::unfold(body, async |mut body| {
            let piece: Bytes = body.recv().await?;
            Some((Ok::<_, std::io::Error>(http_body::Frame::data(piece)), body))
        });
        let none = HeaderMap::new();
        let reading = read(Body::new(StreamBody::new(body)), &none, 1 << 20, &*clock);
        let mut reading = std::pin::pin!(reading);
        for _ in 0..4 {
            pieces.send(Bytes::from(vec![b'a'; 6 * 1024])).unwrap();
            assert!(futures_util::poll!(&mut reading).is_pending());
            clock.advance(Duration::from_secs(5));
            assert!(
                futures_util::poll!(&mut reading).is_pending(),
                "a kilobyte a second is enough"
            );
        }
        clock.advance(Duration::from_secs(9));
        assert_eq!(reading.await.unwrap_err().kind, Kind::Slow);
    }

    #[tokio::test]
    async fn no_memory_for_a_body_is_told_as_such() {
        let frames = futures_util::stream::iter([Err::<http_body::Frame<Bytes>, _>(NoRoom)]);
        let body = Body::new(StreamBody::new(frames));
        let read = read(body, &HeaderMap::new(), 4, &SystemClock::new()).await;
        assert_eq!(read.unwrap_err().kind, Kind::Overloaded);
    }
}
