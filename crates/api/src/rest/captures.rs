//! `/api/capture-policies`, `/api/capture/expire`, and the end of what was captured with an event.

use axum::{extract::State, response::IntoResponse as _};
use http::{Method, StatusCode};
use omni_event_log::CapturePolicy;

use crate::{
    body::Json,
    call::Call,
    documents::{DeletedDocument, ExpiryDocument, ExpungedEventDocument, PolicyDocument},
    operations::captures::{self, DeleteQuery, ExpireBody, ExpungeBody},
    page::List,
    query::{Path, Query},
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/capture-policies"), "listCapturePolicies", "Lists what is captured of which events", list)
            .rpc("CaptureService.ListPolicies").answer::<List<PolicyDocument>>(),
        Route::new((Method::GET, "/api/capture-policies/{eventType}"), "getCapturePolicy", "Reads the policy of an event type or pattern", get)
            .rpc("CaptureService.GetPolicy").answer::<PolicyDocument>(),
        Route::new((Method::PUT, "/api/capture-policies/{eventType}"), "setCapturePolicy", "Sets the policy of an event type or pattern", put)
            .rpc("CaptureService.SetPolicy").body::<CapturePolicy>().answer::<PolicyDocument>(),
        Route::new((Method::DELETE, "/api/capture-policies/{eventType}"), "deleteCapturePolicy", "Deletes the policy of an event type or pattern", delete)
            .rpc("CaptureService.DeletePolicy").status(StatusCode::NO_CONTENT),
        Route::new((Method::POST, "/api/capture/expire"), "expireCaptures", "Deletes what has expired, or tells what would be deleted", expire)
            .rpc("CaptureService.Expire").body::<ExpireBody>().answer::<ExpiryDocument>(),
        Route::new((Method::DELETE, "/api/events/{id}/payloads"), "deleteEventPayloads", "Deletes what was captured with an event", delete_payloads)
            .rpc("CaptureService.DeletePayloads").query::<DeleteQuery>().answer::<DeletedDocument>(),
        Route::new((Method::POST, "/api/events/{id}/expunge"), "expungeEvent", "Takes the payload of an event out of the record for good", expunge)
            .rpc("CaptureService.Expunge").body::<ExpungeBody>().answer::<ExpungedEventDocument>(),
    ]
}

async fn list(State(app): AppState, call: Call) -> Answer {
    let policies = captures::policies(&app, &call).await?;
    let items = policies.into_iter().map(PolicyDocument::from).collect();
    ok(&List { items, next_cursor: None })
}

async fn get(State(app): AppState, call: Call, Path(types): Path<String>) -> Answer {
    ok(&PolicyDocument::from(captures::policy(&app, &call, &types).await?))
}

async fn put(
    State(app): AppState,
    call: Call,
    Path(types): Path<String>,
    Json(policy): Json<CapturePolicy>,
) -> Answer {
    ok(&PolicyDocument::from(captures::set_policy(&app, &call, &types, policy).await?))
}

async fn delete(State(app): AppState, call: Call, Path(types): Path<String>) -> Answer {
    captures::delete_policy(&app, &call, &types).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn expire(State(app): AppState, call: Call, Json(body): Json<ExpireBody>) -> Answer {
    ok(&captures::expire(&app, &call, body).await?)
}

async fn delete_payloads(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<DeleteQuery>,
) -> Answer {
    ok(&DeletedDocument { deleted: captures::delete(&app, &call, &id, query).await? })
}

async fn expunge(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Json(body): Json<ExpungeBody>,
) -> Answer {
    ok(&ExpungedEventDocument::from(captures::expunge(&app, &call, &id, &body).await?))
}
