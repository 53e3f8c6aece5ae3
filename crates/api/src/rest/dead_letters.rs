//! `/api/dead-letters`: what was given up.

use axum::extract::State;
use http::{Method, StatusCode};

use crate::{
    body::Json,
    call::Call,
    documents::{DeadLetterDocument, DeadLetterStoryDocument, RetryJobDocument},
    operations::dead_letters::{self, DeadLetterQuery, ResolveBody, RetryBody},
    page::List,
    query::{Path, Query},
    rest::{Answer, AppState, json, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/dead-letters"), "listDeadLetters", "Lists dead letters", list)
            .rpc("DeadLetterService.List").query::<DeadLetterQuery>().answer::<List<DeadLetterDocument>>(),
        Route::new((Method::GET, "/api/dead-letters/{id}"), "getDeadLetter", "Reads a dead letter with its event", get)
            .rpc("DeadLetterService.Get").answer::<DeadLetterStoryDocument>(),
        Route::new((Method::POST, "/api/dead-letters/{id}/retry"), "retryDeadLetter", "Tries a dead letter again", retry)
            .rpc("DeadLetterService.Retry").answer::<DeadLetterDocument>(),
        Route::new((Method::POST, "/api/dead-letters/{id}/resolve"), "resolveDeadLetter", "Says that a dead letter is done with", resolve)
            .rpc("DeadLetterService.Resolve").body::<ResolveBody>().answer::<DeadLetterDocument>(),
        Route::new((Method::POST, "/api/dead-letters/{id}/abandon"), "abandonDeadLetter", "Says that nobody will try a dead letter again", abandon)
            .rpc("DeadLetterService.Abandon").answer::<DeadLetterDocument>(),
        Route::new((Method::POST, "/api/dead-letters/retry"), "retryDeadLetters", "Retries many dead letters in the background", retry_all)
            .rpc("DeadLetterService.RetryAll").body::<RetryBody>().status(StatusCode::ACCEPTED).answer::<RetryJobDocument>(),
        Route::new((Method::GET, "/api/dead-letters/jobs/{id}"), "getDeadLetterRetry", "Says how far a bulk retry is", job)
            .rpc("DeadLetterService.GetRetry").answer::<RetryJobDocument>(),
    ]
}

async fn list(State(app): AppState, call: Call, Query(query): Query<DeadLetterQuery>) -> Answer {
    ok(&dead_letters::list(&app, &call, query).await?.map(DeadLetterDocument::from))
}

async fn get(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&DeadLetterStoryDocument::from(dead_letters::get(&app, &call, &id).await?))
}

async fn retry(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&DeadLetterDocument::from(dead_letters::retry(&app, &call, &id).await?))
}

async fn resolve(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Json(body): Json<ResolveBody>,
) -> Answer {
    ok(&DeadLetterDocument::from(dead_letters::resolve(&app, &call, &id, body).await?))
}

async fn abandon(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&DeadLetterDocument::from(dead_letters::abandon(&app, &call, &id).await?))
}

async fn retry_all(State(app): AppState, call: Call, Json(body): Json<RetryBody>) -> Answer {
    let job = RetryJobDocument::from(dead_letters::retry_all(&app, &call, body).await?);
    json(StatusCode::ACCEPTED, &job)
}

async fn job(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&RetryJobDocument::from(dead_letters::job(&app, &call, &id).await?))
}
