//! What a caller is told when something went wrong, on both faces: RFC 9457 over HTTP, google.rpc details over gRPC.
//!
//! A problem never carries what happened inside: causes are logged where the problem is made.

mod convert;
mod kind;
mod registry;

use std::collections::HashMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

pub(crate) use self::kind::Kind;

/// Media type of a problem (RFC 9457).
const MEDIA_TYPE: &str = "application/problem+json";
/// Domain in google.rpc.ErrorInfo.
const ERROR_DOMAIN: &str = "omni";
/// What a caller that came at a bad moment should wait before it tries again, in seconds.
const RETRY_AFTER: &str = "1";
/// Most fields that one problem tells; whoever has more repeats himself.
const FIELDS_MAX: usize = 50;
/// Longest text of a problem, in bytes: it may repeat what a caller sent.
const TEXT_MAX: usize = 1024;
/// Bytes of the fields that go with a gRPC status: they are a header, and clients take 8 KiB of those.
const VIOLATIONS_MAX: usize = 2048;

/// Something that went wrong, and what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// More members of the document: what was found, for a client that shows or decides. Not told over gRPC.
    pub(crate) extensions: Map<String, Value>,
}

/// One bad field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FieldError {
    /// JSON Pointer into the body; for a query parameter or a header, its name.
    pub(crate) pointer: String,
    /// What is wrong with it and what would be right.
    pub(crate) detail: String,
}

/// RFC 9457 problem details.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document<'a> {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    type_uri: String,
    /// The kind of problem in words; the same for every problem of the kind.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time and what to do.
    detail: &'a str,
    /// `OM` and four digits; the same for every problem of the kind.
    code: &'a str,
    /// The fields at fault, if fields are.
    errors: &'a [FieldError],
    /// More about it, by the kind of problem.
    #[serde(flatten)]
    extensions: &'a Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: head(detail.into()), errors: Vec::new(), extensions: Map::new() }
    }

    /// One field is wrong.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Some fields are wrong.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let count = errors.len();
        let cut = |FieldError { pointer, detail }| FieldError {
            pointer: head(pointer),
            detail: head(detail),
        };
        let errors: Vec<FieldError> = errors.into_iter().take(FIELDS_MAX).map(cut).collect();
        let mut told = errors.iter().map(|error| match error.pointer.as_str() {
            "" => error.detail.clone(),
            pointer => format!("{pointer}: {}", error.detail),
        });
        let first = told.next().unwrap_or_else(|| "The input is not valid.".to_owned());
        let more = count.saturating_sub(1);
        let detail = if more == 0 { first } else { format!("{first} (and {more} more)") };
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// The same problem with one more member in its document.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.extensions.insert(name.to_owned(), value)),
            Err(error) => tracing::error!(%error, name, "a part of a problem could not be written"),
        }
        self
    }

    /// The document that REST answers with.
    pub(crate) fn document(&self) -> Document<'_> {
        let row = self.kind.row();
        Document {
            type_uri: format!("urn:omni:problem:{}", row.code),
            title: row.title,
            status: row.status.as_u16(),
            detail: &self.detail,
            code: row.code,
            errors: &self.errors,
            extensions: &self.extensions,
        }
    }

    /// There is no such thing for this organisation.
    pub(crate) fn not_found(what: &str, key: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("There is no {what} `{key}` here."))
    }

    /// Something broke on our side; the cause goes to the log and not to the caller.
    pub(crate) fn internal(doing: &str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %Chain(cause), "{doing} failed");
        Self::new(
            Kind::Internal,
            format!("{doing} failed on our side; the log of the server says why. Try again."),
        )
    }
}

/// The beginning of a text, as long as a problem may be.
fn head(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_MAX));
    text
}

/// An error with everything that caused it, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings, numbers and JSON: writing them cannot fail.
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = (self.kind.row().status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.kind.is_temporary() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

impl From<Problem> for tonic::Status {
    fn from(problem: Problem) -> Self {
        let row = problem.kind.row();
        let mut details = ErrorDetails::with_error_info(row.code, ERROR_DOMAIN, HashMap::new());
        if !problem.errors.is_empty() {
            let mut room = VIOLATIONS_MAX;
            let fits = |error: &FieldError| {
                let left = room.checked_sub(error.pointer.len() + error.detail.len());
                room = left.unwrap_or(0);
                left.is_some()
            };
            let violations: Vec<_> = problem
                .errors
                .into_iter()
                .take_while(fits)
                .map(|error| FieldViolation::new(error.pointer, error.detail))
                .collect();
            details.set_bad_request(violations);
        }
        if problem.kind.is_temporary() {
            details.set_retry_info(Some(std::time::Duration::from_secs(1)));
        }
        Self::with_error_details(row.grpc, problem.detail, details)
    }
}
