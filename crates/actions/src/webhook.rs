//! `webhook`: an HTTP request to a URL of the rule's choice, through the guarded client. What must
//! stay true: every run of one effect carries the same `Idempotency-Key`, so that a receiver can
//! tell a repeat.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use omni_clock::Clock;
use omni_egress::{Egress, Request, Response, is_reserved_header};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use url::Url;

use crate::action::{Action, Call, Error, Problem};
use crate::config::{self, Rules, escape, head, is_template, text};

/// How much of a reply is kept in the execution log: enough to read an error message.
const REPLY_MAX: usize = 1024;
/// A receiver that needs longer should accept the request and work later.
const TIMEOUT_MAX_MS: u64 = 60_000;
/// The usual limit of receivers for all headers is 8 KiB or 16 KiB.
const HEADERS_MAX: usize = 50;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EVENT_ID: HeaderName = HeaderName::from_static("x-omni-event-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sends an HTTP request.
#[derive(Clone, Debug)]
pub struct Webhook {
    egress: Egress,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    /// Sends through `egress`; `clock` reads a `Retry-After` that is a date.
    pub fn new(egress: Egress, clock: Arc<dyn Clock>) -> Self {
        Self { egress, clock }
    }
}

/// Configuration of `webhook`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    /// Where to send it: http or https.
    url: String,
    /// HTTP method, `POST` if left out.
    #[serde(default = "post")]
    method: String,
    /// Further headers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    headers: BTreeMap<String, Value>,
    /// Any JSON. If left out, `POST`, `PUT` and `PATCH` carry the event. A text goes out without
    /// JSON quotes if `headers` names a content type other than JSON.
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    /// How long to wait for the reply, in milliseconds.
    #[serde(default)]
    #[schemars(range(min = 1, max = TIMEOUT_MAX_MS))]
    timeout_ms: Option<u64>,
}

fn post() -> String {
    "POST".to_owned()
}

/// Keeps `"body": null` apart from no body.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Config {
    fn method(&self) -> Option<Method> {
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes()).ok()?;
        (method != Method::CONNECT).then_some(method)
    }

    fn header_problem(name: &str, value: &Value) -> Option<&'static str> {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            return Some("this is no header name");
        };
        if is_reserved_header(&name) {
            return Some("this header is set by the client; remove it");
        }
        if [IDEMPOTENCY_KEY, EVENT_ID, CORRELATION_ID, TRACEPARENT].contains(&name) {
            return Some("this header is set from the event; remove it");
        }
        if value.is_object() || value.is_array() || value.is_null() {
            return Some("a header needs a text");
        }
        if !is_template(value) && HeaderValue::from_str(&text(value)).is_err() {
            return Some("the value has a character that a header cannot carry");
        }
        None
    }

    fn request(self, call: &Call<'_>) -> Result<Request, Error> {
        let url = Url::parse(&self.url).map_err(|_| Problem::new("/url", "this is no URL"))?;
        let method = self.method().unwrap_or(Method::POST);
        let mut request = Request::new(method, url);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&text(value)))
            {
                request.headers.insert(name, value);
            }
        }
        request.body = body(self.body, &mut request.headers, &request.method, call)?;
        own_headers(&mut request.headers, call);
        let asked = self.timeout_ms.map_or(call.timeout, Duration::from_millis);
        request.timeout = Some(asked.min(call.timeout));
        Ok(request)
    }
}

impl Rules for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match Url::parse(&self.url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {}
            _ => problems.push(Problem::new("/url", "this is no http or https URL")),
        }
        if self.method().is_none() {
            problems.push(Problem::new("/method", "this is no HTTP method that can be sent"));
        }
        if self.headers.len() > HEADERS_MAX {
            problems.push(Problem::new("/headers", format!("at most {HEADERS_MAX} headers")));
        }
        for (name, value) in &self.headers {
            if let Some(message) = Self::header_problem(name, value) {
                problems.push(Problem::new(format!("/headers/{}", escape(name)), message));
            }
        }
        if self.timeout_ms.is_some_and(|ms| ms == 0 || ms > TIMEOUT_MAX_MS) {
            let message = format!("from 1 to {TIMEOUT_MAX_MS} milliseconds");
            problems.push(Problem::new("/timeoutMs", message));
        }
        problems
    }
}

/// The bytes to send; names their type unless the rule did.
fn body(
    body: Option<Value>,
    headers: &mut HeaderMap,
    method: &Method,
    call: &Call<'_>,
) -> Result<Bytes, Error> {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = named.is_none_or(|named| named.to_ascii_lowercase().contains("json"));
    let bytes = match body {
        Some(Value::String(text)) if !is_json => return Ok(text.into()),
        Some(body) => serde_json::to_vec(&body),
        None if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            serde_json::to_vec(call.event)
        }
        None => return Ok(Bytes::new()),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let unwritable = |error| Error::permanent(format!("the body cannot be written: {error}"));
    Ok(bytes.map_err(unwritable)?.into())
}

/// Headers that tell the receiver which effect of which event this is. An id from outside that no
/// header can carry is left out.
fn own_headers(headers: &mut HeaderMap, call: &Call<'_>) {
    let metadata = &call.event.metadata;
    let event_id = call.event.id.to_string();
    for (name, value) in [
        (IDEMPOTENCY_KEY, Some(call.effect_key.as_str())),
        (EVENT_ID, Some(event_id.as_str())),
        (CORRELATION_ID, Some(metadata.correlation_id.as_str())),
        (TRACEPARENT, metadata.traceparent.as_deref()),
    ] {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
}

#[async_trait]
impl Action for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn describe(&self) -> &'static str {
        "Send an HTTP request"
    }

    fn config_schema(&self) -> Value {
        schema_for!(Config).to_value()
    }

    fn check(&self, config: &Value) -> Vec<Problem> {
        let sample = json!({ "url": "http://a.example", "method": "POST", "headers": {},
            "timeoutMs": 1 });
        config::check::<Config>(config, &sample)
    }

    async fn run(&self, call: &Call<'_>, config: Value) -> Result<Value, Error> {
        let request = config::rendered::<Config>(config)?.request(call)?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let response = self.egress.send(request).await.map_err(|error| Error {
            retryable: error.is_retryable(),
            result: Some(json!({ "error": error.class() })),
            ..Error::permanent(error.to_string())
        })?;
        let result = describe(&response);
        if response.status.is_success() {
            return Ok(result);
        }
        let retry_after = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(Error {
            message: format!("{host} answered {}", response.status),
            retryable: is_transient(response.status),
            is_outage: false,
            retry_after: retry_after
                .and_then(|value| omni_retry::retry_after(value, self.clock.now())),
            result: Some(result),
        })
    }
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn describe(response: &Response) -> Value {
    // Cut before decoding: a character at the cut becomes a replacement sign.
    let kept = &response.body[..response.body.len().min(REPLY_MAX)];
    let body = String::from_utf8_lossy(kept);
    json!({
        "status": response.status.as_u16(),
        "durationMs": u64::try_from(response.elapsed.as_millis()).unwrap_or(u64::MAX),
        "body": head(&body, REPLY_MAX),
    })
}

#[cfg(test)]
mod tests;
