//! `/api/events/types`: the registry of event types.

use axum::extract::State;
use http::Method;
use omni_registry::TypeInfo;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    call::Call,
    operations::registry,
    query::Path,
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/events/types"), "listEventTypes", "Lists the event types", list)
            .rpc("RegistryService.ListTypes").answer::<Types>(),
        Route::new((Method::GET, "/api/events/types/{eventType}"), "getEventType", "Reads an event type", get)
            .rpc("RegistryService.GetType").answer::<TypeInfo>(),
    ]
}

/// Every event type that the organisation can use.
#[derive(Debug, Serialize, JsonSchema)]
struct Types {
    /// By name.
    types: Vec<TypeInfo>,
}

async fn list(State(app): AppState, call: Call) -> Answer {
    ok(&Types { types: registry::list(&app, &call) })
}

async fn get(State(app): AppState, call: Call, Path(event_type): Path<String>) -> Answer {
    ok(&registry::get(&app, &call, &event_type)?)
}
