//! `/api/replays`: plan, begin, follow and stop replays; and one event brought back.

use axum::extract::State;
use http::{Method, StatusCode};

use crate::{
    body::Json,
    call::Call,
    documents::{ReplayAnswer, ReplayDocument, Replayed},
    operations::replays::{self, ReplayBody, ReplayEventBody},
    page::{List, PageQuery},
    query::{Path, Query},
    rest::{Answer, AppState, created, json, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/replays"), "startReplay", "Tells what a replay would bring back (200), or begins it (202)", start)
            .rpc("ReplayService.Start").body::<ReplayBody>().answer::<ReplayAnswer>(),
        Route::new((Method::GET, "/api/replays"), "listReplays", "Lists replays, newest first", list)
            .rpc("ReplayService.List").query::<PageQuery>().answer::<List<ReplayDocument>>(),
        Route::new((Method::GET, "/api/replays/{id}"), "getReplay", "Reads a replay and how far it is", get)
            .rpc("ReplayService.Get").answer::<ReplayDocument>(),
        Route::new((Method::POST, "/api/replays/{id}/cancel"), "cancelReplay", "Stops a replay", cancel)
            .rpc("ReplayService.Cancel").answer::<ReplayDocument>(),
        Route::new((Method::POST, "/api/events/{id}/replay"), "replayEvent", "Brings one event back at once", one)
            .rpc("ReplayService.ReplayEvent").body::<ReplayEventBody>().status(StatusCode::CREATED).answer::<Replayed>(),
    ]
}

async fn start(State(app): AppState, call: Call, Json(body): Json<ReplayBody>) -> Answer {
    let answer = replays::start(&app, call, body).await?;
    let status = match answer {
        ReplayAnswer::Plan(_) => StatusCode::OK,
        ReplayAnswer::Replay(_) => StatusCode::ACCEPTED,
    };
    json(status, &answer)
}

async fn list(State(app): AppState, call: Call, Query(page): Query<PageQuery>) -> Answer {
    ok(&replays::list(&app, &call, page).await?.map(ReplayDocument::from))
}

async fn get(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&ReplayDocument::from(replays::get(&app, &call, &id).await?))
}

async fn cancel(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&ReplayDocument::from(replays::cancel(&app, &call, &id).await?))
}

async fn one(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Json(body): Json<ReplayEventBody>,
) -> Answer {
    let event = replays::one(&app, &call, &id, body).await?;
    created(ok(&event), &format!("/api/events/{}", event.event_id))
}
