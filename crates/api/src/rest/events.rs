//! `/api/events`: trigger, read and list events, and what was kept with them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    body::Json,
    call::Call,
    correlation::CORRELATION_ID,
    documents::{EventDocument, ExecutionDocument, ExpungedDocument, PayloadDocument, Triggered},
    operations::{
        captures,
        events::{self, EventQuery, TriggerBody},
        executions,
        scheduled::{self, Found},
    },
    page::{List, PageQuery},
    query::{Path, Query},
    rest::{Answer, AppState, json, ok, stream},
    routes::Route,
};

const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/events/trigger"), "triggerEvent", "Triggers an event by hand", trigger)
            .rpc("EventService.Trigger").body::<TriggerBody>().status(StatusCode::CREATED).answer::<Triggered>(),
        Route::new((Method::GET, "/api/events"), "listEvents", "Lists events", list)
            .rpc("EventService.List").query::<EventQuery>().answer::<List<EventDocument>>(),
        Route::new((Method::GET, "/api/events/stream"), "streamEvents", "Follows the event log live, as server-sent events", stream::stream)
            .rpc("EventService.Subscribe").query::<stream::StreamQuery>().media("text/event-stream"),
        Route::new((Method::GET, "/api/events/{id}"), "getEvent", "Reads an event", get)
            .rpc("EventService.Get").answer::<EventDocument>(),
        Route::new((Method::GET, "/api/events/{id}/payloads"), "listEventPayloads", "Lists what was kept with an event", payloads)
            .rpc("EventService.ListPayloads").answer::<List<PayloadDocument>>(),
        Route::new((Method::GET, "/api/events/{id}/payloads/{stage}"), "getEventPayload", "Reads the bytes that were kept at one stage", payload)
            .rpc("EventService.ListPayloads").query::<PartQuery>().media("application/octet-stream"),
        Route::new((Method::GET, "/api/events/{id}/executions"), "listEventExecutions", "Lists what automations did with an event", executions)
            .rpc("AutomationService.ListExecutions").query::<PageQuery>().answer::<List<ExecutionDocument>>(),
    ]
}

/// Which part of a stage.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PartQuery {
    /// 0, the first, when absent.
    part: i32,
}

async fn trigger(State(app): AppState, call: Call, Json(body): Json<TriggerBody>) -> Answer {
    let (triggered, correlation_id) = events::trigger(&app, call, body).await?;
    let mut response = json(StatusCode::CREATED, &triggered)?;
    let location = HeaderValue::try_from(format!("/api/events/{}", triggered.event_id));
    for (name, value) in
        [(header::LOCATION, location), (CORRELATION_ID, HeaderValue::try_from(correlation_id))]
    {
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

async fn list(State(app): AppState, call: Call, Query(query): Query<EventQuery>) -> Answer {
    if scheduled::is_asked(&query) {
        return ok(&scheduled::list(&app, &call, query).await?.map(EventDocument::from));
    }
    ok(&events::list(&app, &call, query).await?.map(EventDocument::from))
}

async fn get(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&match scheduled::find(&app, &call, &id).await? {
        Found::Stored(stored) => {
            let expunged = captures::expunged(&app, &call, &stored).await?;
            let document = EventDocument::from(*stored);
            let expunged = expunged.map(ExpungedDocument::from).or(document.expunged);
            EventDocument { expunged, ..document }
        }
        Found::Waiting(waiting) => EventDocument::from(*waiting),
    })
}

async fn payloads(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    let kept = events::payloads(&app, &call, &id).await?;
    ok(&List { items: kept.into_iter().map(PayloadDocument::from).collect(), next_cursor: None })
}

/// The bytes, for saving and comparing. Never as the media type that the sender named: a browser would run it.
async fn payload(
    State(app): AppState,
    call: Call,
    Path((id, stage)): Path<(String, String)>,
    Query(PartQuery { part }): Query<PartQuery>,
) -> Answer {
    let body = events::payload(&app, &call, &id, (&stage, part)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (NOSNIFF, HeaderValue::from_static("nosniff")),
    ];
    let response: Response = (headers, body).into_response();
    Ok(response)
}

async fn executions(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> Answer {
    ok(&executions::of_event(&app, &call, &id, page).await?.map(ExecutionDocument::from))
}
