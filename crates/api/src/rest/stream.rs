//! `/api/events/stream`: the live tail as server-sent events; `Last-Event-ID` resumes after a break.

use std::time::Duration;

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use omni_store::events::StoredEvent;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    call::Call,
    documents::EventDocument,
    operations::tail::{self, Follow},
    problem::Problem,
    query::Query,
    rest::{Answer, AppState},
};

/// A comment is sent this often, so that proxies and clients see that a quiet stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events are followed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct StreamQuery {
    /// Types or patterns, separated by commas; all when absent.
    #[serde(rename = "type")]
    types: String,
    /// The source, such as `webhook:github`.
    source: Option<String>,
    /// The kind of channel.
    channel_type: Option<String>,
    /// The instance of the channel.
    instance_id: Option<String>,
    /// From after this sequence; `Last-Event-ID` counts before it. Only new events when neither is given.
    after: Option<i64>,
}

/// Each message is one event: `id` is its sequence, `event` its type, `data` its document. A first one without data
/// says where the stream begins, so that a break before the first event loses nothing.
pub(crate) async fn stream(
    State(app): AppState,
    call: Call,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Answer {
    let follow = Follow {
        types: query.types.split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect(),
        source: query.source,
        channel_type: query.channel_type,
        instance_id: query.instance_id,
        after: last_event_id(&headers)?.or(query.after),
    };
    let (begin, events) = tail::follow(app, &call, follow).await?;
    let begin = stream::iter([Ok(sse::Event::default().id(begin.to_string()))]);
    let messages = events.map(|next| match next {
        Ok(stored) => message(stored),
        Err(problem) => Ok(sse::Event::default().event("problem").data(problem.detail)),
    });
    Ok(Sse::new(begin.chain(messages))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

fn message(stored: StoredEvent) -> Result<sse::Event, axum::Error> {
    let sequence = stored.sequence;
    let document = EventDocument::from(stored);
    let text = serde_json::to_string(&document).map_err(axum::Error::new)?;
    // A payload may hold raw line ends between its tokens; a line of SSE may not. Between tokens a blank means the same,
    // and inside a JSON string a raw line end is not valid.
    let text = text.replace(['\r', '\n'], " ");
    let event = sse::Event::default().id(sequence.to_string());
    Ok(event.event(document.event.event_type.as_str()).data(text))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let sequence = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    let wrong = || Problem::field("Last-Event-ID", "it must be the sequence of an event");
    sequence.ok_or_else(wrong).map(Some)
}
