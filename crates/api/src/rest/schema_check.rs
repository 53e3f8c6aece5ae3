//! `/api/events/types/{eventType}/check`: what a schema would break, as one answer or with its progress as server-sent
//! events.

use std::time::Duration;

use axum::{
    extract::State,
    response::{
        IntoResponse as _,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, header};
use omni_registry::Progress;
use serde_json::json;

use crate::{
    body::Json,
    call::Call,
    documents::{Check, CheckBody},
    operations::registry::{self, Step},
    problem::{Kind, Problem},
    query::Path,
    rest::{Answer, AppState, ok},
    routes::Route,
};

/// A comment is sent this often, so that proxies and clients see that a check goes on.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/events/types/{eventType}/check"), "checkEventType", "Says what a schema would break, and for whom", check)
            .rpc("RegistryService.Check").body::<CheckBody>().answer::<Check>(),
    ]
}

/// With `Accept: text/event-stream`, events `progress` with `checked` and `total`, then one `check` with the answer, or one
/// `problem`.
async fn check(
    State(app): AppState,
    call: Call,
    Path(event_type): Path<String>,
    headers: HeaderMap,
    Json(body): Json<CheckBody>,
) -> Answer {
    if !wants_progress(&headers) {
        return ok(&registry::check(&app, &call, &event_type, body, |_| {}).await?);
    }
    let mut steps = Box::pin(registry::steps(app, call, event_type, body));
    // What is wrong from the beginning is told as everywhere: with its status.
    let Some(first) = steps.next().await.transpose()? else {
        return Err(Problem::new(
            Kind::Unavailable,
            "The check ended without an answer; try again.",
        ));
    };
    let steps = stream::iter([Ok(first)]).chain(steps);
    let messages = steps.map(|step| match step {
        Ok(Step::Progress(Progress { checked, total })) => sse::Event::default()
            .event("progress")
            .json_data(json!({ "checked": checked, "total": total })),
        Ok(Step::Done(check)) => sse::Event::default().event("check").json_data(check),
        Err(problem) => sse::Event::default().event("problem").json_data(problem.document()),
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn wants_progress(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|accepted| accepted.split(','))
        .filter_map(|one| one.split(';').next())
        .any(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}
