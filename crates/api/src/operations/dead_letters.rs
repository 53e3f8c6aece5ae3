//! Dead letters: list, read, retry, resolve, abandon, and retry many in the background.

use chrono::{DateTime, Datelike as _, Utc};
use omni_event_log::{DeadLetterError, DeadLetterStory, RetryFilter};
use omni_events::TypePattern;
use omni_store::{
    dead_letters::{ABANDONED, DeadLetterHead, Filter, PENDING, Page, RESOLVED, RETRYING},
    jobs::JobRow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    operations::{id, shown, storable},
    page::{self, Key, List},
    problem::{Kind, Problem},
};

/// What a letter may be.
const STATUSES: [&str; 4] = [PENDING, RETRYING, RESOLVED, ABANDONED];
/// Longest note, in bytes.
const NOTE_MAX: usize = 4096;
/// Who changes letters through the API.
const BY: &str = "api";

/// Which dead letters are listed; all that is given must hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct DeadLetterQuery {
    /// `pending`, `retrying`, `resolved` or `abandoned`.
    pub(crate) status: Option<String>,
    /// Given up by this consumer; `automation:{id}` for one automation.
    pub(crate) consumer: Option<String>,
    /// Of this automation.
    pub(crate) automation_id: Option<Uuid>,
    /// About this event.
    pub(crate) event_id: Option<Uuid>,
    /// About events of this type, or of types that a pattern such as `message.*` matches.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<TypePattern>,
    /// Given up at or after.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Given up before.
    pub(crate) to: Option<DateTime<Utc>>,
    /// Items at most, 1 to 500; 50 when absent.
    #[serde(skip_serializing)]
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before, for the same question.
    #[serde(skip_serializing)]
    pub(crate) cursor: Option<String>,
}

/// What is said when a dead letter is resolved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResolveBody {
    /// Why it is done with, for those who look later.
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// Which dead letters are retried.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryBody {
    /// All that wait and pass it; an empty one passes all.
    pub(crate) filter: RetryQuery,
}

/// Which dead letters are retried; all that is given must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct RetryQuery {
    /// Given up by this consumer; `automation:{id}` for one automation.
    pub(crate) consumer: Option<String>,
    /// Of this automation.
    pub(crate) automation_id: Option<Uuid>,
    /// About this event.
    pub(crate) event_id: Option<Uuid>,
    /// About events of this type, or of types that a pattern such as `message.*` matches.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<TypePattern>,
    /// Given up at or after.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Given up before.
    pub(crate) to: Option<DateTime<Utc>>,
}

/// Lists dead letters, newest first.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: DeadLetterQuery,
) -> Result<List<DeadLetterHead>, Problem> {
    let limit = page::limit(query.limit)?;
    let asked = Key::DeadLetter.asked(&call.org, &query)?;
    let after = asked.decode(query.cursor.as_deref())?.as_deref().map(place).transpose()?;
    let status = query.status.as_deref();
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Problem::field("status", format!("give one of {}", STATUSES.join(", "))));
    }
    check("", query.consumer.as_deref(), [query.from, query.to])?;
    let filter = Filter {
        status: query.status,
        consumer: query.consumer,
        automation_id: query.automation_id,
        event_id: query.event_id,
        event_type: query.event_type,
        from: query.from,
        to: query.to,
        unchanged_since: None,
    };
    let page = Page { after, limit: limit + 1, ascending: false };
    let found = app.dead_letters.list(&call.org, &filter, &page).await?;
    let cursor = |head: &DeadLetterHead| {
        asked.encode(format_args!("{}:{}", head.dead_at.timestamp_micros(), head.id))
    };
    Ok(page::cut(found, limit, cursor))
}

fn place(key: &str) -> Result<(DateTime<Utc>, Uuid), Problem> {
    key.split_once(':')
        .and_then(|(at, id)| {
            let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
            Some((at, Uuid::try_parse(id).ok()?))
        })
        .ok_or_else(page::no_cursor)
}

/// Refuses what no row can be compared with.
fn check(
    before: &str,
    consumer: Option<&str>,
    [from, to]: [Option<DateTime<Utc>>; 2],
) -> Result<(), Problem> {
    storable(&format!("{before}consumer"), consumer)?;
    for (name, time) in [("from", from), ("to", to)] {
        if time.is_some_and(|time| !(0..=9999).contains(&time.year())) {
            return Err(Problem::field(format!("{before}{name}"), "give a year from 0 to 9999"));
        }
    }
    Ok(())
}

/// Reads a dead letter with its event.
pub(crate) async fn get(app: &App, call: &Call, key: &str) -> Result<DeadLetterStory, Problem> {
    Ok(app.dead_letters.get(&call.org, id("dead letter", key)?).await?)
}

/// Tries a dead letter again.
pub(crate) async fn retry(app: &App, call: &Call, key: &str) -> Result<DeadLetterHead, Problem> {
    let id = id("dead letter", key)?;
    Ok(app.dead_letters.retry(&call.org, id, BY).await?.head)
}

/// Says that a dead letter is done with.
pub(crate) async fn resolve(
    app: &App,
    call: &Call,
    key: &str,
    body: ResolveBody,
) -> Result<DeadLetterHead, Problem> {
    let id = id("dead letter", key)?;
    let note = body.note.as_deref();
    storable("/note", note)?;
    if note.is_some_and(|note| note.len() > NOTE_MAX) {
        return Err(Problem::field("/note", format!("at most {NOTE_MAX} bytes")));
    }
    Ok(app.dead_letters.resolve(&call.org, id, note, BY).await?.head)
}

/// Says that nobody will try a dead letter again.
pub(crate) async fn abandon(app: &App, call: &Call, key: &str) -> Result<DeadLetterHead, Problem> {
    let id = id("dead letter", key)?;
    Ok(app.dead_letters.abandon(&call.org, id, BY).await?.head)
}

/// Retries many dead letters in the background; when this returns, the wish is durable.
pub(crate) async fn retry_all(app: &App, call: &Call, body: RetryBody) -> Result<JobRow, Problem> {
    let RetryQuery { consumer, automation_id, event_id, event_type, from, to } = body.filter;
    check("/filter/", consumer.as_deref(), [from, to])?;
    let filter = RetryFilter { consumer, automation_id, event_id, event_type, from, to };
    Ok(app.dead_letters.retry_all(&call.org, &filter, BY).await?)
}

/// How far a bulk retry is.
pub(crate) async fn job(app: &App, call: &Call, key: &str) -> Result<JobRow, Problem> {
    let found = app.dead_letters.job(&call.org, id("retry job", key)?).await?;
    found.ok_or_else(|| Problem::not_found("retry job", shown(key)))
}

impl From<DeadLetterError> for Problem {
    fn from(error: DeadLetterError) -> Self {
        use DeadLetterError as E;
        let text = error.to_string();
        match error {
            E::Unknown { id } => Self::not_found("dead letter", id.to_string()),
            E::Closed { .. } | E::Expunged { .. } | E::NoEvent { .. } => {
                Self::new(Kind::TooLate, text)
            }
            E::Append(error) => error.into(),
            E::Store(error) => error.into(),
        }
    }
}
