//! Schedules: define them, see what they will do and did, and fire by hand or after the fact.

use omni_schedules::{
    BackfillReport, Definition, Fire, FireStatus, FiresQuery, Instant, Preview, Schedule,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    documents::{BackfillBody, PurgedDocument},
    operations::{shown, storable},
    page::{self, Key, List, PageQuery},
    problem::{FieldError, Kind, Problem},
};

/// Instants that are told when the caller does not say.
const COUNT_DEFAULT: i64 = 5;
/// Most instants that are told at once: enough for a picture of a quarter, and computed while the caller waits.
const COUNT_MAX: i64 = 100;
/// The one path below `/api/schedules` that is no schedule.
const RESERVED: &str = "preview";
/// Who triggers when the caller does not say.
const TRIGGERED_BY: &str = "api";

/// How many instants are told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CountQuery {
    /// 1 to 100; 5 when absent.
    pub(crate) count: Option<i64>,
}

/// Which fires are listed. What is written of it marks the cursors.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FireQuery {
    /// Only those with this status; `pending` includes those that wait for the work on another.
    pub(crate) status: Option<FireStatus>,
    /// Items at most, 1 to 500; 50 when absent.
    #[serde(skip_serializing)]
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before, for the same question.
    #[serde(skip_serializing)]
    pub(crate) cursor: Option<String>,
}

/// Who fires a schedule by hand.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct TriggerQuery {
    /// The person or system, as `metadata.triggeredBy` of the event shows it; `api` when absent.
    pub(crate) triggered_by: Option<String>,
}

impl From<omni_schedules::Error> for Problem {
    fn from(error: omni_schedules::Error) -> Self {
        use omni_schedules::Error as E;
        let text = error.to_string();
        match error {
            E::Invalid(problems) => Self::fields(
                problems
                    .into_iter()
                    .map(|problem| FieldError { pointer: problem.pointer, detail: problem.message })
                    .collect(),
            ),
            E::Exists(_) => Self::new(Kind::Exists, text),
            E::Stale { .. } => Self::new(Kind::Stale, text),
            E::Ended(_) => Self::new(Kind::TooLate, text),
            E::Unreadable { .. } => {
                let problem = Self::internal("Reading the schedule", &error);
                Self { detail: text, ..problem }
            }
            E::Store(error) => error.into(),
        }
    }
}

fn missing(name: &str) -> Problem {
    Problem::not_found("schedule", shown(name))
}

/// A name that no schedule can have names none.
fn known(name: &str) -> Result<&str, Problem> {
    storable("name", Some(name)).map(|()| name).map_err(|_| missing(name))
}

fn count(asked: Option<i64>) -> Result<usize, Problem> {
    let count = asked.unwrap_or(COUNT_DEFAULT);
    usize::try_from(count)
        .ok()
        .filter(|_| (1..=COUNT_MAX).contains(&count))
        .ok_or_else(|| Problem::field("count", format!("{count} is not between 1 and {COUNT_MAX}")))
}

/// Saves a new schedule.
pub(crate) async fn create(
    app: &App,
    call: &Call,
    definition: Definition,
) -> Result<Schedule, Problem> {
    if definition.name == RESERVED {
        let detail = "this name belongs to the API itself; choose another, such as `preview-1`";
        return Err(Problem::field("/name", detail));
    }
    Ok(app.schedules.create(&call.org, definition, None).await?)
}

/// Reads one schedule.
pub(crate) async fn get(app: &App, call: &Call, name: &str) -> Result<Schedule, Problem> {
    app.schedules.get(&call.org, known(name)?).await?.ok_or_else(|| missing(name))
}

/// Lists schedules by name.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: PageQuery,
) -> Result<List<Schedule>, Problem> {
    let limit = page::limit(query.limit)?;
    let after = Key::Schedule.decode(query.cursor.as_deref())?;
    let found = app.schedules.list(&call.org, after.as_deref(), limit + 1).await?;
    Ok(page::cut(found, limit, |schedule| Key::Schedule.encode(&schedule.definition.name)))
}

/// Replaces a definition.
pub(crate) async fn update(
    app: &App,
    call: &Call,
    name: &str,
    definition: Definition,
    if_version: Option<i32>,
) -> Result<Schedule, Problem> {
    let updated = app.schedules.update(&call.org, known(name)?, definition, if_version).await?;
    updated.ok_or_else(|| missing(name))
}

/// Deletes a schedule.
pub(crate) async fn delete(app: &App, call: &Call, name: &str) -> Result<(), Problem> {
    if app.schedules.delete(&call.org, known(name)?).await? { Ok(()) } else { Err(missing(name)) }
}

/// Switches a schedule on or off.
pub(crate) async fn set_enabled(
    app: &App,
    call: &Call,
    name: &str,
    enabled: bool,
) -> Result<Schedule, Problem> {
    let switched = app.schedules.set_enabled(&call.org, known(name)?, enabled).await?;
    switched.ok_or_else(|| missing(name))
}

/// Fires now.
pub(crate) async fn trigger(
    app: &App,
    call: &Call,
    name: &str,
    by: Option<&str>,
) -> Result<Fire, Problem> {
    let by = by.filter(|by| !by.is_empty()).unwrap_or(TRIGGERED_BY);
    storable("triggeredBy", Some(by))?;
    let fired = app.schedules.trigger(&call.org, known(name)?, Some(by)).await?;
    fired.ok_or_else(|| missing(name))
}

/// Fires for instants that have no fire, or tells which these are.
pub(crate) async fn backfill(
    app: &App,
    call: &Call,
    name: &str,
    body: BackfillBody,
) -> Result<BackfillReport, Problem> {
    let report = app.schedules.backfill(&call.org, known(name)?, body.request()?).await?;
    report.ok_or_else(|| missing(name))
}

/// Cancels what waits to be fired.
pub(crate) async fn purge(app: &App, call: &Call, name: &str) -> Result<PurgedDocument, Problem> {
    let cancelled = app.schedules.purge(&call.org, known(name)?).await?;
    cancelled.map(|cancelled| PurgedDocument { cancelled }).ok_or_else(|| missing(name))
}

/// Tells the next instants.
pub(crate) async fn next(
    app: &App,
    call: &Call,
    name: &str,
    asked: Option<i64>,
) -> Result<List<Instant>, Problem> {
    let next = app.schedules.next(&call.org, known(name)?, count(asked)?).await?;
    let items = next.ok_or_else(|| missing(name))?;
    Ok(List { items, next_cursor: None })
}

/// Lists fires, newest first.
pub(crate) async fn fires(
    app: &App,
    call: &Call,
    name: &str,
    query: FireQuery,
) -> Result<List<Fire>, Problem> {
    let limit = page::limit(query.limit)?;
    let asked = Key::Fire.asked(&call.org, &(name, &query))?;
    let before = asked.decode(query.cursor.as_deref())?;
    let before =
        before.map(|id| Uuid::try_parse(&id).map_err(|_| page::no_cursor())).transpose()?;
    let wanted = FiresQuery { status: query.status, before, limit: limit + 1 };
    let found = app.schedules.fires(&call.org, known(name)?, wanted).await?;
    Ok(page::cut(found.ok_or_else(|| missing(name))?, limit, |fire| asked.encode(fire.id)))
}

/// Tells what a definition means, without saving it.
pub(crate) fn preview(
    app: &App,
    definition: Definition,
    asked: Option<i64>,
) -> Result<Preview, Problem> {
    Ok(app.schedules.preview(definition, count(asked)?)?)
}
