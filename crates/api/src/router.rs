//! Puts both faces on one router: REST by the route table, gRPC by its services, problems for everything else.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware,
    response::{IntoResponse, Response},
};
use http::header;
use tonic::Status;

use crate::{
    App, correlation, grpc, neighbour,
    problem::{Kind, Problem},
    rest, routes,
};

/// REST, webhooks, gRPC and health on one router, for one port.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let rest = routes::all()
        .into_iter()
        .fold(Router::new(), |router, route| {
            let handler = if route.by_any_name {
                route.handler
            } else {
                route.handler.layer(middleware::from_fn(neighbour::check))
            };
            router.route(route.path, handler)
        })
        .method_not_allowed_fallback(no_method)
        .with_state(app.clone());
    let grpc = grpc::router(&app).layer(middleware::from_fn(neighbour::check));
    rest.merge(grpc)
        .fallback(no_route)
        .layer(middleware::from_fn_with_state(app, correlation::correlate))
}

/// Webhooks and the sign of life, and nothing else: for a port that the world may reach while the rest stays on a port
/// that it may not.
pub fn router_of_webhooks(app: App) -> Router {
    let app = Arc::new(app);
    let alive = rest::health::routes().into_iter().filter(|route| route.path == "/healthz");
    rest::webhooks::routes()
        .into_iter()
        .chain(alive)
        .fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .method_not_allowed_fallback(no_method)
        .with_state(app.clone())
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(app, correlation::correlate))
}

async fn nothing_here() -> Problem {
    Problem::new(Kind::NoRoute, "Only webhooks are taken here.")
}

async fn no_method(request: Request) -> Problem {
    let detail = format!("{} does not take {}.", path(&request), request.method());
    Problem::new(Kind::NoMethod, detail)
}

async fn no_route(request: Request) -> Response {
    if is_grpc(&request) {
        return Status::unimplemented("There is no such service or method here.").into_http();
    }
    let detail =
        format!("There is nothing at {}; /api/openapi.json lists what there is.", path(&request));
    Problem::new(Kind::NoRoute, detail).into_response()
}

/// The path of a request, short enough for a message.
fn path(request: &Request) -> String {
    request.uri().path().chars().take(200).collect()
}

pub(crate) fn is_grpc(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}
