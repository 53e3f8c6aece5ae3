//! Events: trigger, read, list, and what was kept with them.

use bytes::Bytes;
use chrono::{DateTime, Datelike as _, Utc};
use omni_events::{Direction, EventType, Payload, Priority, TypePattern};
use omni_sources::manual::{self, Trigger};
use omni_store::{
    events::{Filter, Page, Place, StoredEvent},
    payloads,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    documents::{Kept, Triggered},
    operations::{id, scheduled, shown, storable},
    page::{self, Asked, Key, List},
    problem::{Kind, Problem},
};

/// Most types or patterns in one filter.
const TYPES_MAX: usize = 50;
/// Payload bytes of one page: with its envelopes it must fit the 4 MiB that gRPC clients take unless told otherwise.
const PAGE_BYTES_MAX: usize = 3 << 20;
/// Bytes of captures that one list reads.
const KEPT_BYTES_MAX: i64 = 4 << 20;
/// Events read at once for a page; each may have a payload of megabytes.
const PART: usize = 32;

/// What is triggered by hand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TriggerBody {
    /// The type of the event, such as `custom.order.paid`.
    pub(crate) event_type: EventType,
    /// Any JSON; kept as it is sent.
    #[serde(default)]
    pub(crate) payload: Payload,
    /// Where the event belongs.
    #[serde(default)]
    pub(crate) metadata: manual::Metadata,
    /// How urgent it is.
    #[serde(default)]
    pub(crate) priority: Option<Priority>,
    /// When it is to happen, 366 days ahead at most; now when absent, at once when past.
    #[serde(default)]
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
}

/// Longest text of a search, in bytes: a sentence, not a page.
const SEARCH_LEN_MAX: usize = 512;

/// Which events are listed; all that is given must hold. What is written of it marks the cursors.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct EventQuery {
    /// Types or patterns such as `message.*`, separated by commas; any of them.
    #[serde(rename = "type", deserialize_with = "comma_separated")]
    #[schemars(with = "String")]
    pub(crate) types: Vec<String>,
    /// Who said so: `webhook:github`.
    pub(crate) source: Option<String>,
    /// The kind of channel.
    pub(crate) channel_type: Option<String>,
    /// The instance of the channel.
    pub(crate) instance_id: Option<String>,
    /// The person who sent or got it.
    pub(crate) identity_id: Option<Uuid>,
    /// What one cause set off.
    pub(crate) correlation_id: Option<String>,
    /// What this event caused itself.
    pub(crate) causation_id: Option<Uuid>,
    /// The provider whose format the payload has.
    pub(crate) provider: Option<String>,
    /// The provider's own id.
    pub(crate) provider_event_id: Option<String>,
    /// The status of the outcome, or `pending`; `scheduled` and `cancelled` for events that have not happened.
    pub(crate) status: Option<String>,
    /// Which way it went.
    pub(crate) direction: Option<Direction>,
    /// What kind of content it has: `text`, `image` and others.
    pub(crate) content_type: Option<String>,
    /// Words of its text, all of them; a last `*` stands for any ending.
    pub(crate) q: Option<String>,
    /// Received at or after.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Received before.
    pub(crate) to: Option<DateTime<Utc>>,
    /// By the time of receipt; `desc`, newest first, is the default.
    pub(crate) order: Option<Order>,
    /// Items at most, 1 to 500; 50 when absent.
    #[serde(skip_serializing)]
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before, for the same question.
    #[serde(skip_serializing)]
    pub(crate) cursor: Option<String>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

fn comma_separated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

/// Appends an event by hand, now or later; when this returns, that is durable. Also answers the correlation id of its family.
pub(crate) async fn trigger(
    app: &App,
    call: Call,
    body: TriggerBody,
) -> Result<(Triggered, String), Problem> {
    let given = body.metadata.correlation_id.clone().or_else(|| call.correlation_id.clone());
    let trigger = Trigger {
        org: call.org,
        event_type: body.event_type,
        payload: body.payload,
        metadata: body.metadata,
        priority: body.priority,
        idempotency_key: call.idempotency_key,
        correlation_id: call.correlation_id,
        traceparent: call.traceparent,
    };
    let triggered = if let Some(at) = body.scheduled_at {
        scheduled::schedule(app, trigger, at).await?
    } else {
        let appended = manual::trigger(&app.event_log, trigger).await?;
        let (event_id, sequence) = (appended.event_id, Some(appended.sequence));
        Triggered { event_id, sequence, scheduled_at: None }
    };
    let correlation_id = given.unwrap_or_else(|| triggered.event_id.to_string());
    Ok((triggered, correlation_id))
}

/// Reads one event.
pub(crate) async fn get(app: &App, call: &Call, key: &str) -> Result<StoredEvent, Problem> {
    let found = app.event_log.get(&call.org, id("event", key)?).await?;
    found.ok_or_else(|| Problem::not_found("event", shown(key)))
}

/// Lists events.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    mut query: EventQuery,
) -> Result<List<StoredEvent>, Problem> {
    let limit = page::limit(query.limit)?;
    // The same question however it is put.
    query.types.sort_unstable();
    query.types.dedup();
    query.order.get_or_insert(Order::Desc);
    let asked = Key::Event.asked(&call.org, &query)?;
    let after = asked.decode(query.cursor.as_deref())?.map(|key| place(&key)).transpose()?;
    let page = Page { after, limit, ascending: query.order == Some(Order::Asc) };
    gather(app, call, &asked, &filter(query)?, page).await
}

/// Writes a place as the key of a cursor.
fn key(Place { received_at, sequence }: Place) -> String {
    format!("{}:{sequence}", received_at.timestamp_micros())
}

/// Reads a place out of a cursor.
fn place(key: &str) -> Result<Place, Problem> {
    let read = || {
        let (micros, sequence) = key.split_once(':')?;
        let received_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some(Place { received_at: in_range(received_at)?, sequence: sequence.parse().ok()? })
    };
    read().ok_or_else(page::no_cursor)
}

/// What has no four-digit year is no time of an event, and not every database can compare with it.
pub(crate) fn in_range(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (0..=9999).contains(&time.year()).then_some(time)
}

fn filter(query: EventQuery) -> Result<Filter, Problem> {
    for (name, text) in [
        ("source", &query.source),
        ("channelType", &query.channel_type),
        ("instanceId", &query.instance_id),
        ("correlationId", &query.correlation_id),
        ("provider", &query.provider),
        ("providerEventId", &query.provider_event_id),
        ("status", &query.status),
        ("contentType", &query.content_type),
        ("q", &query.q),
    ] {
        storable(name, text.as_deref())?;
    }
    if let Some(text) = &query.q {
        if text.len() > SEARCH_LEN_MAX {
            return Err(Problem::field("q", format!("more than {SEARCH_LEN_MAX} bytes")));
        }
        if !text.contains(char::is_alphanumeric) {
            return Err(Problem::field("q", "it has no word; give one, or leave it out"));
        }
    }
    for (name, time) in [("from", query.from), ("to", query.to)] {
        if time.is_some_and(|time| in_range(time).is_none()) {
            return Err(Problem::field(name, "give a year from 0 to 9999"));
        }
    }
    Ok(Filter {
        types: patterns(&query.types)?,
        source: query.source,
        channel_type: query.channel_type,
        instance_id: query.instance_id,
        identity_id: query.identity_id,
        correlation_id: query.correlation_id,
        causation_id: query.causation_id,
        provider: query.provider,
        provider_event_id: query.provider_event_id,
        status: query.status,
        direction: query.direction,
        content_type: query.content_type,
        text: query.q,
        from: query.from,
        to: query.to,
    })
}

/// Reads a page in small parts, so that its size in memory is bounded and not only the number of its events; a page
/// that is full of bytes ends early and says where to go on.
async fn gather(
    app: &App,
    call: &Call,
    asked: &Asked,
    filter: &Filter,
    page: Page,
) -> Result<List<StoredEvent>, Problem> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (mut items, mut bytes, mut after) = (Vec::new(), 0, page.after);
    loop {
        // One more than the page holds tells whether there is a next one.
        let part = PART.min(limit + 1 - items.len());
        let page = Page { after, limit: part as i64, ..page };
        let found = app.event_log.list(&call.org, filter, &page).await?;
        let ended = found.len() < part;
        for stored in found {
            bytes += stored.event.payload.as_bytes().len();
            if items.len() == limit || (bytes > PAGE_BYTES_MAX && !items.is_empty()) {
                return Ok(List {
                    items,
                    next_cursor: after.map(|place| asked.encode(key(place))),
                });
            }
            after = Some(stored.place());
            items.push(stored);
        }
        if ended {
            return Ok(List { items, next_cursor: None });
        }
    }
}

/// Reads the types or patterns of a filter.
pub(crate) fn patterns(texts: &[String]) -> Result<Vec<TypePattern>, Problem> {
    if texts.len() > TYPES_MAX {
        return Err(Problem::field("type", format!("more than {TYPES_MAX} types; ask in parts")));
    }
    let parse = |text: &String| TypePattern::parse(text);
    texts
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(|e| Problem::field("type", e.to_string()))
}

/// Lists what was kept with an event.
pub(crate) async fn payloads(app: &App, call: &Call, key: &str) -> Result<Vec<Kept>, Problem> {
    let stored = get(app, call, key).await?;
    let mut conn = app.store.read().await?;
    let max = KEPT_BYTES_MAX;
    let rows = payloads::list(&mut conn, call.org.as_str(), stored.event.id, max).await?;
    Ok(rows.into_iter().map(|row| Kept::of(row, &stored)).collect())
}

/// Reads the bytes of one part of what was kept with an event.
pub(crate) async fn payload(
    app: &App,
    call: &Call,
    key: &str,
    (stage, part): (&str, i32),
) -> Result<Bytes, Problem> {
    let none = || Problem::not_found("stage", shown(stage));
    storable("stage", Some(stage)).map_err(|_| none())?;
    let stored = get(app, call, key).await?;
    let mut conn = app.store.read().await?;
    let (org, id) = (call.org.as_str(), stored.event.id);
    let row = payloads::get(&mut conn, org, id, stage, part).await?.ok_or_else(none)?;
    let kept = Kept::of(row, &stored);
    let gone = || {
        let at = kept.deleted_at.map(omni_events::rfc3339_millis).unwrap_or_default();
        let why = kept.deleted_reason.as_deref().unwrap_or("expunged");
        let detail = format!("What was captured at `{}` was deleted {at}: {why}.", kept.stage);
        Problem::new(Kind::NotFound, detail)
    };
    kept.body.clone().ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    #[test]
    fn a_trigger_takes_any_payload_and_names_what_it_does_not_know() {
        let body: TriggerBody =
            body::parse(r#"{"eventType":"custom.a","payload": [1.50 ]}"#.into()).unwrap();
        assert_eq!(body.payload.as_str(), "[1.50 ]");
        let problem =
            body::parse::<TriggerBody>(r#"{"eventType":"order.paid"}"#.into()).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/eventType");
        let problem =
            body::parse::<TriggerBody>(r#"{"eventType":"custom.a","metadata":{"org":"x"}}"#.into())
                .unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/metadata/org");
    }

    #[test]
    fn types_are_separated_by_commas() {
        let uri = http::Uri::from_static("/?type=message.*,custom.a&order=asc&direction=inbound");
        let axum::extract::Query(query) =
            axum::extract::Query::<EventQuery>::try_from_uri(&uri).unwrap();
        assert_eq!(query.types, ["message.*", "custom.a"]);
        assert_eq!(patterns(&query.types).unwrap().len(), 2);
        assert_eq!(query.order, Some(Order::Asc));
        assert_eq!(patterns(&["nonsense".into()]).unwrap_err().errors[0].pointer, "type");
    }
}
