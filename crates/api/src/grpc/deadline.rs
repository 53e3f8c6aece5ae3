//! Deadlines: a caller that says how long it waits gets its answer by then, or is told that there is none.
//!
//! Dropping the work is safe: what was handed to the event log is committed all the same, and a repeat with the same
//! idempotency key finds it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::future::{Either, select};
use http::HeaderMap;
use tonic::Status;

use crate::App;

/// Runs a call for as long as its `grpc-timeout` allows.
pub(super) async fn keep(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(timeout) = timeout(request.headers()) else { return next.run(request).await };
    let running = std::pin::pin!(next.run(request));
    match select(running, app.clock.sleep(timeout)).await {
        Either::Left((response, _)) => response,
        Either::Right(_) => {
            Status::deadline_exceeded("The deadline of the call passed.").into_http()
        }
    }
}

/// Reads `grpc-timeout`: up to eight digits and a unit. What has another form is no deadline.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(amount)),
        "M" => Some(Duration::from_mins(amount)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_timeout_is_read() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_static(text));
            timeout(&headers)
        };
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("2H"), Some(Duration::from_hours(2)));
        assert_eq!(read("99999999H"), Some(Duration::from_hours(99_999_999)));
        for bad in ["", "5", "m", "-1S", "123456789S", "5x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
