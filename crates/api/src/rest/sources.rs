//! `/api/sources`: definitions of sources, by name.

use axum::{extract::State, response::IntoResponse};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use omni_sources::{
    Definition, Quarantined, ReleaseMany, ReleaseRequest, Releases, RotatedSource, Rotation,
    Source, TestReport, TestRequest, provider::Template,
};

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
        Route::new((Method::POST, "/api/sources/{name}/enable"), "enableSource", "Lets a source take requests", enable)
            .rpc("SourceService.Enable").answer::<Source>(),
        Route::new((Method::POST, "/api/sources/{name}/disable"), "disableSource", "Answers requests to a source as if there were none", disable)
            .rpc("SourceService.Disable").answer::<Source>(),
        Route::new((Method::GET, "/api/sources/providers"), "listProviders", "Lists the providers whose webhooks are known", providers)
            .rpc("SourceService.ListProviders").answer::<List<Template>>(),
        Route::new((Method::POST, "/api/sources/{name}/rotate-secret"), "rotateSourceSecret", "Gives a source a new secret; a secret that is made is shown once", rotate_secret)
            .rpc("SourceService.RotateSecret").body::<Rotation>().answer::<RotatedSource>(),
        Route::new((Method::POST, "/api/sources/{name}/test"), "testSource", "Says what would become of a request, and why it is refused", test)
            .rpc("SourceService.Test").body::<TestRequest>().answer::<TestReport>(),
        Route::new((Method::GET, "/api/sources/{name}/quarantine"), "listQuarantine", "Lists the requests that a source refused, newest first", quarantine)
            .rpc("SourceService.ListQuarantine").query::<QuarantineQuery>().answer::<List<Quarantined>>(),
        Route::new((Method::POST, "/api/sources/{name}/quarantine/release"), "releaseManyQuarantined", "Takes in many requests that were refused, the oldest first", release_many)
            .rpc("SourceService.ReleaseMany").body::<ReleaseMany>().answer::<Releases>(),
        Route::new((Method::GET, "/api/sources/{name}/quarantine/{id}"), "getQuarantined", "Reads a request that a source refused", quarantined)
            .rpc("SourceService.GetQuarantined").answer::<Quarantined>(),
        Route::new((Method::DELETE, "/api/sources/{name}/quarantine/{id}"), "deleteQuarantined", "Deletes a request that a source refused", forget)
            .rpc("SourceService.DeleteQuarantined").status(StatusCode::NO_CONTENT),
        Route::new((Method::POST, "/api/sources/{name}/quarantine/{id}/release"), "releaseQuarantined", "Takes in a request that was refused: what it would have become", release)
            .rpc("SourceService.Release").body::<ReleaseRequest>().answer::<Quarantined>(),
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

async fn enable(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let source = sources::set_enabled(&app, &call, &name, true).await?;
    definition(source.version, &source)
}

async fn disable(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let source = sources::set_enabled(&app, &call, &name, false).await?;
    definition(source.version, &source)
}

async fn providers() -> Answer {
    ok(&sources::providers())
}

async fn rotate_secret(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Json(body): Json<Rotation>,
) -> Answer {
    let rotated = sources::rotate_secret(&app, &call, &name, &body).await?;
    let mut response = definition(rotated.source.version, &rotated)?;
    // A secret may be in it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn test(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<TestRequest>,
) -> Answer {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let base = format!("http://{}", host.unwrap_or("127.0.0.1:7400"));
    ok(&sources::test(&app, &call, &name, body, &base).await?)
}

async fn quarantine(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Query(query): Query<QuarantineQuery>,
) -> Answer {
    ok(&sources::quarantine(&app, &call, &name, query).await?)
}

async fn quarantined(
    State(app): AppState,
    call: Call,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    ok(&sources::quarantined(&app, &call, &name, &id).await?)
}

async fn release(
    State(app): AppState,
    call: Call,
    Path((name, id)): Path<(String, String)>,
    Json(body): Json<ReleaseRequest>,
) -> Answer {
    ok(&sources::release(&app, &call, (&name, &id), &body).await?)
}

async fn release_many(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Json(body): Json<ReleaseMany>,
) -> Answer {
    ok(&sources::release_many(&app, &call, &name, body).await?)
}

async fn forget(
    State(app): AppState,
    call: Call,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    sources::forget(&app, &call, &name, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
