//! `/api/events/types/import` and `/export`: event types from OpenAPI and AsyncAPI documents, and back.

use axum::extract::State;
use http::Method;
use serde_json::Value;

use crate::{
    body::Json,
    call::Call,
    documents::{ExportQuery, ImportBody, ImportDocument},
    operations::registry,
    query::Query,
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/events/types/import"), "importEventTypes", "Registers the event types of an OpenAPI or AsyncAPI document", import)
            .rpc("RegistryService.Import").body::<ImportBody>().answer::<ImportDocument>(),
        Route::new((Method::GET, "/api/events/types/export"), "exportEventTypes", "Describes the event types as an OpenAPI or AsyncAPI document", export)
            .rpc("RegistryService.Export").query::<ExportQuery>().answer::<Value>(),
    ]
}

async fn import(State(app): AppState, call: Call, Json(body): Json<ImportBody>) -> Answer {
    ok(&registry::import(&app, &call, body).await?)
}

async fn export(State(app): AppState, call: Call, Query(query): Query<ExportQuery>) -> Answer {
    ok(&registry::export(&app, &call, query).await?)
}
