//! `/api/sources`: definitions of sources, by name.

use axum::{extract::State, response::IntoResponse};
use http::{Method, StatusCode};
use omni_sources::{Definition, Quarantined, Source};

use crate::{
    body::Json,
    call::Call,
    operations::sources::{self, QuarantineQuery},
    page::{List, PageQuery},
    query::{Path, Query},
    rest::{Answer, AppState, IfMatch, created, definition, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/sources"), "createSource", "Creates a source", create)
            .rpc("SourceService.Create").body::<Definition>().status(StatusCode::CREATED).answer::<Source>(),
        Route::new((Method::GET, "/api/sources"), "listSources", "Lists the sources", list)
            .rpc("SourceService.List").query::<PageQuery>().answer::<List<Source>>(),
        Route::new((Method::GET, "/api/sources/{name}"), "getSource", "Reads a source", get)
            .rpc("SourceService.Get").answer::<Source>(),
        Route::new((Method::PUT, "/api/sources/{name}"), "updateSource", "Replaces the definition of a source", update)
            .rpc("SourceService.Update").body::<Definition>().answer::<Source>(),
        Route::new((Method::DELETE, "/api/sources/{name}"), "deleteSource", "Deletes a source", delete)
            .rpc("SourceService.Delete").status(StatusCode::NO_CONTENT),
        Route::new((Method::GET, "/api/sources/{name}/quarantine"), "listQuarantine", "Lists the newest requests that a source refused", quarantine)
            .rpc("SourceService.ListQuarantine").query::<QuarantineQuery>().answer::<List<Quarantined>>(),
    ]
}

async fn create(State(app): AppState, call: Call, Json(body): Json<Definition>) -> Answer {
    let source = sources::create(&app, &call, body).await?;
    let location = format!("/api/sources/{}", source.definition.name);
    created(definition(source.version, &source), &location)
}

async fn list(State(app): AppState, call: Call, Query(query): Query<PageQuery>) -> Answer {
    ok(&sources::list(&app, &call, query).await?)
}

async fn get(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let source = sources::get(&app, &call, &name).await?;
    definition(source.version, &source)
}

async fn update(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    IfMatch(version): IfMatch,
    Json(body): Json<Definition>,
) -> Answer {
    let source = sources::update(&app, &call, &name, body, version).await?;
    definition(source.version, &source)
}

async fn delete(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    sources::delete(&app, &call, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn quarantine(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Query(query): Query<QuarantineQuery>,
) -> Answer {
    ok(&sources::quarantine(&app, &call, &name, query.limit).await?)
}
