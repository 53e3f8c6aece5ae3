//! `/api/events/{id}/explain`: why automations ran for an event, or did not.

use axum::extract::State;
use http::Method;
use omni_automations::Explained;

use crate::{
    call::Call,
    operations::explain::{self, ExplainQuery},
    query::{Path, Query},
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/events/{id}/explain"), "explainEvent", "Says why automations ran for an event, or did not", explain)
            .rpc("EventService.Explain").query::<ExplainQuery>().answer::<Explained>(),
    ]
}

async fn explain(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<ExplainQuery>,
) -> Answer {
    ok(&explain::explain(&app, &call, &id, &query).await?)
}
