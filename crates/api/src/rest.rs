//! The HTTP face: one file per resource, each a few adapters and their rows of the route table.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod automations;
pub(crate) mod captures;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod executions;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod openapi;
pub(crate) mod publish;
pub(crate) mod replays;
pub(crate) mod schedules;
pub(crate) mod schema_check;
pub(crate) mod schema_exchange;
pub(crate) mod sources;
pub(crate) mod stream;
pub(crate) mod trace;
pub(crate) mod types;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::Serialize;

use crate::{App, problem::Problem};

/// The state every handler gets.
pub(crate) type AppState = State<Arc<App>>;
/// What handlers answer.
pub(crate) type Answer = Result<Response, Problem>;

/// A JSON answer.
pub(crate) fn ok(document: &impl Serialize) -> Answer {
    json(StatusCode::OK, document)
}

/// A JSON answer with a status.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(document)
        .map_err(|error| Problem::internal("Writing the answer", &error))?;
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A definition with its version as `ETag`.
pub(crate) fn definition(version: i32, document: &impl Serialize) -> Answer {
    let mut response = ok(document)?;
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Turns the answer of a definition into that of its creation: 201 with `Location`.
pub(crate) fn created(answer: Answer, location: &str) -> Answer {
    let mut response = answer?;
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The version that `If-Match` asks for; none when the header is absent or `*`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IfMatch(pub(crate) Option<i32>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        version.parse().map(|version| Self(Some(version))).map_err(|_| {
            Problem::field("If-Match", "give the `ETag` of a GET, such as \"3\", or leave it out")
        })
    }
}
