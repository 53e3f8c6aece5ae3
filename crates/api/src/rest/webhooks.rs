//! `/webhooks/{source}`: requests of the outside world, handed to the receiver byte for byte.
//!
//! The receiver is asked before the body is read, so that a request to nowhere costs nothing, and the body is never read
//! beyond what its source allows. A webhook is proved by what its source asks for: no credential of the API opens these
//! routes, and none is looked at.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method};
use omni_events::Org;
use omni_sources::webhook::{Incoming, Reply};
use serde_json::Value;

use crate::{
    App, body, call,
    correlation::{CORRELATION_ID, Given},
    problem::{Kind, Problem},
    query::Path,
    rest::{Answer, AppState},
    routes::Route,
};

const HERE: &str = "/webhooks/{source}";
/// The address of earlier installations, with the organisation in it.
const THERE: &str = "/api/orgs/{org}/eventhook/in/{source}";
const EVENT: &str = "Takes a webhook";
const GREETING: &str = "Answers the greeting of a provider";

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        event(Route::new((Method::POST, HERE), "receiveWebhook", EVENT, receive)),
        event(Route::new((Method::PUT, HERE), "receiveWebhookPut", EVENT, receive)),
        greeting(Route::new((Method::GET, HERE), "greetWebhook", GREETING, receive)),
        greeting(Route::new((Method::OPTIONS, HERE), "greetWebhookOptions", GREETING, receive)),
        event(Route::new((Method::POST, THERE), "receiveOrgWebhook", EVENT, receive_for)),
        event(Route::new((Method::PUT, THERE), "receiveOrgWebhookPut", EVENT, receive_for)),
        greeting(Route::new((Method::GET, THERE), "greetOrgWebhook", GREETING, receive_for)),
        greeting(Route::new((Method::OPTIONS, THERE), "greetOrgWebhookOptions", GREETING, receive_for)),
    ]
}

fn event(route: Route) -> Route {
    route.body::<Value>().by_any_name().answer::<Value>()
}

fn greeting(route: Route) -> Route {
    route.by_any_name().media("text/plain")
}

async fn receive(State(app): AppState, Path(name): Path<String>, request: Request) -> Answer {
    let org = call::org(request.headers())?;
    take(&app, &org, &name, request).await
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
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let admitted = match app.receiver.admit(org, name, request.headers(), remote) {
        Ok(admitted) => admitted,
        Err(reply) => return Ok(respond(reply)),
    };
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
    let incoming =
        Incoming { method: parts.method, uri: parts.uri, headers: parts.headers, body, remote };
    let reply = app.receiver.receive(admitted, incoming).await;
    // Without a correlation id of the sender an event begins a family of its own, under its own id.
    let event_id = reply.event_id.filter(|_| !has_family);
    let family = event_id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok());
    let mut response = respond(reply);
    if let Some(family) = family {
        response.headers_mut().insert(CORRELATION_ID, family);
    }
    Ok(response)
}

fn respond(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in reply.headers {
        headers.append(name, value);
    }
    response
}
