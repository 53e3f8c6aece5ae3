//! Events that happen later: ask for one, look at those that wait, cancel one.

use chrono::{DateTime, Utc};
use omni_event_log::{Cancelled, SCHEDULE_DAYS_MAX, ScheduleError};
use omni_sources::manual::{self, Trigger};
use omni_store::{
    events::StoredEvent,
    scheduled::{self, CANCELLED, Page, SCHEDULED, Scheduled},
};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    documents::Triggered,
    operations::{
        events::{self, EventQuery, Order},
        id, shown,
    },
    page::{self, Key, List},
    problem::{Kind, Problem},
};

/// An event in the log, or one that waits for its time or was cancelled.
#[derive(Debug)]
pub(crate) enum Found {
    Stored(Box<StoredEvent>),
    Waiting(Box<Scheduled>),
}

/// Has an event appended later; when this returns, the wish is durable.
pub(crate) async fn schedule(
    app: &App,
    trigger: Trigger,
    at: DateTime<Utc>,
) -> Result<Triggered, Problem> {
    if trigger.metadata.time.is_some() {
        let detail = "an event that happens later has the time of `scheduledAt`; leave this out";
        return Err(Problem::field("/metadata/time", detail));
    }
    let scheduled = manual::schedule(&app.event_log, trigger, at).await;
    let event_id = scheduled.map_err(|error| match error {
        ScheduleError::TooFar => {
            let detail = format!("at most {SCHEDULE_DAYS_MAX} days ahead");
            Problem::field("/scheduledAt", detail)
        }
        ScheduleError::Append(error) => error.into(),
    })?;
    Ok(Triggered { event_id, sequence: None, scheduled_at: Some(at) })
}

/// Reads an event, also one that has not happened.
pub(crate) async fn find(app: &App, call: &Call, key: &str) -> Result<Found, Problem> {
    let event_id = id("event", key)?;
    if let Some(stored) = app.event_log.get(&call.org, event_id).await? {
        return Ok(Found::Stored(Box::new(stored)));
    }
    if let Some(waiting) = app.event_log.scheduled(&call.org, event_id).await? {
        return Ok(Found::Waiting(Box::new(waiting)));
    }
    // It may have happened between the two looks.
    events::get(app, call, key).await.map(|stored| Found::Stored(Box::new(stored)))
}

/// Cancels an event that waits; one that was cancelled stays so.
pub(crate) async fn cancel(app: &App, call: &Call, key: &str) -> Result<Scheduled, Problem> {
    match app.event_log.cancel(&call.org, id("event", key)?).await? {
        Cancelled::Done(cancelled) => Ok(*cancelled),
        Cancelled::TooLate => {
            let detail = "The event has happened already and cannot be taken back.";
            Err(Problem::new(Kind::TooLate, detail))
        }
        Cancelled::Unknown => Err(Problem::not_found("event", shown(key))),
    }
}

/// Whether a list is asked for of events that have not happened.
pub(crate) fn is_asked(query: &EventQuery) -> bool {
    matches!(query.status.as_deref(), Some(SCHEDULED | CANCELLED))
}

/// Lists events that wait, or were cancelled, the one that is due first first. Besides the status it takes no filter.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    mut query: EventQuery,
) -> Result<List<Scheduled>, Problem> {
    let limit = page::limit(query.limit)?;
    let (cursor, order) = (query.cursor.take(), query.order.take());
    let bare = EventQuery { status: query.status.clone(), ..EventQuery::default() };
    let asked = Key::Event.asked(&call.org, &bare)?;
    let same = serde_json::to_value(&query).ok() == serde_json::to_value(&bare).ok();
    if !same || order == Some(Order::Desc) {
        let detail = "events that have not happened are listed by when they are due, and with no other filter";
        return Err(Problem::field("status", detail));
    }
    let after = asked.decode(cursor.as_deref())?.map(|key| place(&key)).transpose()?;
    let cancelled = query.status.as_deref() == Some(CANCELLED);
    let page = Page { cancelled, after, limit: limit + 1 };
    let found = app.event_log.list_scheduled(&call.org, &page).await?;
    let key = |last: &Scheduled| {
        asked.encode(format_args!("{}:{}", last.due_at.timestamp_micros(), last.event.id))
    };
    Ok(page::cut(found, limit, key))
}

fn place(key: &str) -> Result<(DateTime<Utc>, Uuid), Problem> {
    let read = || {
        let (micros, id) = key.split_once(':')?;
        let due_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((due_at, Uuid::try_parse(id).ok()?))
    };
    read().ok_or_else(page::no_cursor)
}

/// The outcome that is shown of an event that has not happened.
pub(crate) fn status(event: &Scheduled) -> &'static str {
    match event.status.as_str() {
        scheduled::CANCELLED => CANCELLED,
        // What is being appended is still to come for whoever looks.
        _ => SCHEDULED,
    }
}
