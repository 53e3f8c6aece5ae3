//! `/api/stats` and `/api/actions`: the installation in numbers, and what it can do.

use axum::extract::State;
use http::Method;

use crate::{
    call::Call,
    documents::{ActionKind, StatsDocument},
    operations::admin,
    page::List,
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/stats"), "getStats", "Counts events, executions and definitions", stats)
            .rpc("AdminService.Stats").answer::<StatsDocument>(),
        Route::new((Method::GET, "/api/actions"), "listActions", "Lists the kinds of action", actions)
            .rpc("AdminService.ListActions").answer::<List<ActionKind>>(),
    ]
}

async fn stats(State(app): AppState, call: Call) -> Answer {
    ok(&admin::stats(&app, &call).await?)
}

async fn actions(State(app): AppState) -> Answer {
    ok(&List { items: admin::actions(&app), next_cursor: None })
}
