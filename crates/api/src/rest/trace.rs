//! `/api/events/{id}/trace` and `/cancel`: what an event belongs to, and taking back one that has not happened.

use axum::extract::State;
use http::Method;
use omni_event_log::Trace;

use crate::{
    call::Call,
    documents::EventDocument,
    operations::{scheduled, trace},
    query::Path,
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/events/{id}/trace"), "traceEvent", "Shows the tree of causes that an event stands in", trace)
            .rpc("EventService.Trace").answer::<Trace>(),
        Route::new((Method::POST, "/api/events/{id}/cancel"), "cancelEvent", "Cancels an event that is to happen later", cancel)
            .rpc("EventService.Cancel").answer::<EventDocument>(),
    ]
}

async fn trace(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&trace::trace(&app, &call, &id).await?)
}

async fn cancel(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    ok(&EventDocument::from(scheduled::cancel(&app, &call, &id).await?))
}
