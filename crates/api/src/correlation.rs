//! Gives every request a correlation id and sends it back, whatever the answer is.
//!
//! The id a caller sends is kept if it is short visible ASCII; anything else is replaced, because it ends up in
//! headers, columns and log lines.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::App;

/// The header, both ways.
pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// W3C trace context, both ways.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest correlation id that is taken over; the log refuses longer labels than 256 bytes.
const CORRELATION_LEN_MAX: usize = 128;

/// The correlation id that the caller gave, in the extensions of the request.
#[derive(Clone, Debug)]
pub(crate) struct Given(pub(crate) HeaderValue);

/// Reads the correlation id, runs the request, and puts the id, or a new one, on the answer.
pub(crate) async fn correlate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = given(request.headers());
    let trace = traceparent(request.headers());
    if let Some(id) = &given {
        request.extensions_mut().insert(Given(id.clone()));
    }
    let mut response = next.run(request).await;
    // What made an event has put the id of that event's family there already.
    let id = || given.unwrap_or_else(|| fresh(&app));
    let id = response.headers_mut().entry(CORRELATION_ID).or_insert_with(id).clone();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(correlation_id = ?id, "a request was answered with 500");
    }
    if let Some(trace) = trace {
        response.headers_mut().entry(TRACEPARENT).or_insert(trace);
    }
    response
}

fn given(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(CORRELATION_ID)?;
    let bytes = id.as_bytes();
    let usable = !bytes.is_empty()
        && bytes.len() <= CORRELATION_LEN_MAX
        && bytes.iter().all(u8::is_ascii_graphic);
    usable.then(|| id.clone())
}

fn fresh(app: &App) -> HeaderValue {
    let id = app.random.uuid_v7(app.clock.now());
    let mut buffer = uuid::Uuid::encode_buffer();
    // Hex digits and hyphens are always a header value.
    HeaderValue::from_str(id.as_hyphenated().encode_lower(&mut buffer))
        .unwrap_or(HeaderValue::from_static("none"))
}

/// The trace context of a request, if it has the form of version 00: `00-{32 hex}-{16 hex}-{2 hex}`.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(TRACEPARENT)?;
    let text = value.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return None };
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    let valid = *version == "00"
        && hex(trace, 32)
        && set(trace)
        && hex(span, 16)
        && set(span)
        && hex(flags, 2);
    valid.then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_usable_ids_are_taken_over() {
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(CORRELATION_ID, HeaderValue::from_bytes(value).unwrap());
            given(&headers).is_some()
        };
        assert!(with(b"order-17"));
        assert!(!with(b""));
        assert!(!with(b"two words"));
        assert!(!with("größe".as_bytes()));
        assert!(!with(&[b'a'; CORRELATION_LEN_MAX + 1]));
    }

    #[test]
    fn trace_context_has_its_form() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_str(value).unwrap());
            traceparent(&headers).is_some()
        };
        assert!(with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!with("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!with("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!with("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!with("nonsense"));
    }
}
