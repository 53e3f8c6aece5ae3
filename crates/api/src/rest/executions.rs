//! `/api/executions`: what automations did.

use axum::extract::State;
use http::Method;

use crate::{
    call::Call,
    documents::ExecutionDocument,
    operations::executions::{self, ExecutionQuery},
    page::List,
    query::{Path, Query},
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/executions"), "listExecutions", "Lists executions", list)
            .rpc("AutomationService.ListExecutions").query::<ExecutionQuery>().answer::<List<ExecutionDocument>>(),
        Route::new((Method::GET, "/api/automations/logs"), "listLogs", "Lists executions, under the name that earlier versions gave it", list)
            .rpc("AutomationService.ListExecutions").query::<ExecutionQuery>().answer::<List<ExecutionDocument>>(),
        Route::new((Method::GET, "/api/executions/{id}"), "getExecution", "Reads an execution", get)
            .rpc("AutomationService.GetExecution").answer::<ExecutionDocument>(),
    ]
}

async fn list(State(app): AppState, call: Call, Query(query): Query<ExecutionQuery>) -> Answer {
    ok(&executions::list(&app, &call, query).await?.map(ExecutionDocument::from))
}

async fn get(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&ExecutionDocument::from(executions::get(&app, &call, &id).await?))
}
