//! `/healthz`, `/readyz` and `/metrics`: for load balancers and monitoring. They need no organisation.

use axum::{extract::State, response::IntoResponse};
use http::{HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    health::Connection,
    operations::admin,
    rest::{Answer, AppState, ok},
    routes::Route,
};

/// The text format of OpenMetrics 1.0.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/healthz"), "getHealth", "Says that the process lives", alive).by_any_name().answer::<Status>(),
        Route::new((Method::GET, "/readyz"), "getReadiness", "Says whether traffic should come here", ready).by_any_name().answer::<Readiness>(),
        Route::new((Method::GET, "/metrics"), "getMetrics", "Tells the numbers of the process as OpenMetrics text", metrics)
            .media("application/openmetrics-text"),
    ]
}

/// Whether all is well.
#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    /// `ok`.
    status: &'static str,
}

/// Whether traffic should come here.
#[derive(Debug, Serialize, JsonSchema)]
struct Readiness {
    /// `ready`.
    status: &'static str,
    /// Whether the bus can be reached. Events are taken while it is away, and handled when it is back.
    bus: Connection,
}

async fn alive() -> Answer {
    ok(&Status { status: "ok" })
}

async fn ready(State(app): AppState) -> Answer {
    admin::ready(&app).await?;
    ok(&Readiness { status: "ready", bus: app.health.bus() })
}

async fn metrics(State(app): AppState) -> Answer {
    let text = (app.metrics)();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE))], text).into_response())
}
