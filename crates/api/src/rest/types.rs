//! `/api/events/types`: the registry of event types.

use axum::{extract::State, response::IntoResponse as _};
use http::{Method, StatusCode};
use omni_registry::{Inferred, Outcome, Settings, TypeInfo, VersionInfo};

use crate::{
    body::Json,
    call::Call,
    documents::{
        ConfigBody, DeleteTypeQuery, InferBody, RegisterBody, RegisteredDocument, Types,
        TypesQuery, Versions, VersionsQuery,
    },
    operations::registry,
    query::{Path, Query},
    rest::{Answer, AppState, created, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/events/types"), "listEventTypes", "Lists the event types", list)
            .rpc("RegistryService.ListTypes").query::<TypesQuery>().answer::<Types>(),
        Route::new((Method::POST, "/api/events/types"), "registerEventType", "Registers an event type, or the next version of its schema", register)
            .rpc("RegistryService.Register").body::<RegisterBody>().status(StatusCode::CREATED).answer::<RegisteredDocument>(),
        Route::new((Method::GET, "/api/events/types/settings"), "getEventTypeSettings", "Reads what holds for types that say nothing themselves", settings)
            .rpc("RegistryService.GetSettings").answer::<Settings>(),
        Route::new((Method::PUT, "/api/events/types/settings"), "setEventTypeSettings", "Sets what holds for types that say nothing themselves", set_settings)
            .rpc("RegistryService.SetSettings").body::<Settings>().answer::<Settings>(),
        Route::new((Method::GET, "/api/events/types/{eventType}"), "getEventType", "Reads an event type", get)
            .rpc("RegistryService.GetType").answer::<TypeInfo>(),
        Route::new((Method::DELETE, "/api/events/types/{eventType}"), "deleteEventType", "Deletes an event type that nobody relies on", delete)
            .rpc("RegistryService.Delete").query::<DeleteTypeQuery>().status(StatusCode::NO_CONTENT),
        Route::new((Method::GET, "/api/events/types/{eventType}/versions"), "listEventTypeVersions", "Lists the versions of an event type", versions)
            .rpc("RegistryService.ListVersions").query::<VersionsQuery>().answer::<Versions>(),
        Route::new((Method::GET, "/api/events/types/{eventType}/versions/{version}"), "getEventTypeVersion", "Reads one version of an event type", version)
            .rpc("RegistryService.GetVersion").answer::<VersionInfo>(),
        Route::new((Method::PUT, "/api/events/types/{eventType}/config"), "configureEventType", "Changes what is said of an event type besides its schema", configure)
            .rpc("RegistryService.Configure").body::<ConfigBody>().answer::<TypeInfo>(),
        Route::new((Method::POST, "/api/events/types/{eventType}/infer"), "inferEventType", "Proposes a schema from the stored events of a type", infer)
            .rpc("RegistryService.Infer").body::<InferBody>().answer::<Inferred>(),
    ]
}

async fn list(State(app): AppState, call: Call, Query(query): Query<TypesQuery>) -> Answer {
    ok(&Types { types: registry::list(&app, &call, query.namespace.as_deref()) })
}

async fn register(State(app): AppState, call: Call, Json(body): Json<RegisterBody>) -> Answer {
    let document = registry::register(&app, &call, body).await?;
    let answer = ok(&document);
    let info = &document.registered.info;
    let location = format!("/api/events/types/{}", info.event_type);
    match document.registered.outcome {
        Outcome::Created => created(answer, &location),
        Outcome::NewVersion => created(answer, &format!("{location}/versions/{}", info.version)),
        Outcome::Configured | Outcome::Unchanged => answer,
    }
}

async fn settings(State(app): AppState, call: Call) -> Answer {
    ok(&registry::settings(&app, &call).await?)
}

async fn set_settings(State(app): AppState, call: Call, Json(body): Json<Settings>) -> Answer {
    ok(&registry::set_settings(&app, &call, body).await?)
}

async fn get(State(app): AppState, call: Call, Path(event_type): Path<String>) -> Answer {
    ok(&registry::get(&app, &call, &event_type)?)
}

async fn delete(
    State(app): AppState,
    call: Call,
    Path(event_type): Path<String>,
    Query(query): Query<DeleteTypeQuery>,
) -> Answer {
    registry::delete(&app, &call, &event_type, &query).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn versions(
    State(app): AppState,
    call: Call,
    Path(event_type): Path<String>,
    Query(query): Query<VersionsQuery>,
) -> Answer {
    ok(&registry::versions(&app, &call, &event_type, query.before).await?)
}

async fn version(
    State(app): AppState,
    call: Call,
    Path((event_type, version)): Path<(String, String)>,
) -> Answer {
    ok(&registry::version(&app, &call, &event_type, &version).await?)
}

async fn configure(
    State(app): AppState,
    call: Call,
    Path(event_type): Path<String>,
    Json(body): Json<ConfigBody>,
) -> Answer {
    ok(&registry::configure(&app, &call, &event_type, body).await?)
}

async fn infer(
    State(app): AppState,
    call: Call,
    Path(event_type): Path<String>,
    Json(body): Json<InferBody>,
) -> Answer {
    ok(&registry::infer(&app, &call, &event_type, body).await?)
}
