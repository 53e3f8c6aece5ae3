//! `/webhooks/{source}`: requests of the outside world, handed to the receiver byte for byte.
//!
//! The receiver is asked before the body is read, so that a request to nowhere costs nothing, and the body is never read
//! beyond what its source allows.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method};
use omni_events::Org;
use omni_sources::webhook::{Incoming, Reply};
use serde_json::Value;

use crate::{
    App, body,
    call::Call,
    correlation::{CORRELATION_ID, Given},
    problem::{Kind, Problem},
    query::Path,
    rest::{Answer, AppState},
    routes::Route,
};

const HERE: &str = "/webhooks/{source}";
/// The address of earlier installations, with the organisation in it.
const THERE: &str = "/api/orgs/{org}/eventhook/in/{source}";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, HERE), "receiveWebhook", "Takes a webhook", receive)
            .body::<Value>()
            .by_any_name()
            .answer::<Value>(),
        Route::new((Method::PUT, HERE), "receiveWebhookPut", "Takes a webhook", receive)
            .body::<Value>()
            .by_any_name()
            .answer::<Value>(),
        Route::new((Method::POST, THERE), "receiveOrgWebhook", "Takes a webhook", receive_for)
            .body::<Value>()
            .by_any_name()
            .answer::<Value>(),
        Route::new((Method::PUT, THERE), "receiveOrgWebhookPut", "Takes a webhook", receive_for)
            .body::<Value>()
            .by_any_name()
            .answer::<Value>(),
    ]
}

async fn receive(
    State(app): AppState,
    Path(name): Path<String>,
    call: Call,
    request: Request,
) -> Answer {
    take(&app, &call.org, &name, request).await
}

async fn receive_for(
    State(app): AppState,
    Path((org, name)): Path<(String, String)>,
    request: Request,
) -> Answer {
    // What is no organisation has no sources.
    let org = Org::parse(&org)
        .map_err(|_| Problem::new(Kind::NotFound, "There is no such webhook source."))?;
    take(&app, &org, &name, request).await
}

async fn take(app: &Arc<App>, org: &Org, name: &str, request: Request) -> Answer {
    let admitted = match app.receiver.admit(org, name) {
        Ok(admitted) => admitted,
        Err(reply) => return Ok(respond(reply)),
    };
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let has_family = request.extensions().get::<Given>().is_some();
    let (parts, body) = request.into_parts();
    let max = admitted.body_max;
    let body = match body::read(body, &parts.headers, max, &*app.clock).await {
        Ok(body) => body,
        Err(problem) if problem.kind == Kind::TooLarge => {
            return Ok(respond(Reply::too_large(max)));
        }
        Err(problem) => return Err(problem),
    };
    let incoming = Incoming { method: parts.method, headers: parts.headers, body, remote };
    let reply = app.receiver.receive(admitted, incoming).await;
    // Without a correlation id of the sender an event begins a family of its own, under its own id.
    let event_id = reply.body.get("eventId").and_then(Value::as_str).filter(|_| !has_family);
    let family = event_id.and_then(|id| HeaderValue::from_str(id).ok());
    let mut response = respond(reply);
    if let Some(family) = family {
        response.headers_mut().insert(CORRELATION_ID, family);
    }
    Ok(response)
}

fn respond(reply: Reply) -> Response {
    let mut response = (reply.status, Json(reply.body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        headers.insert(name, value);
    }
    response
}
