//! Replays: plan, begin, follow, stop, and bring one event back.

use chrono::{DateTime, Datelike as _, Utc};
use omni_event_log::{REPLAY_RATE_DEFAULT, ReplayError, ReplayJob, ReplaySelection, ReplaySpec};
use omni_events::{Direction, TypePattern};
use omni_store::jobs::CANCELLED;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    documents::{PlanDocument, ReplayAnswer, ReplayDocument, Replayed},
    operations::{id, shown},
    page::{self, Key, List, PageQuery},
    problem::{Kind, Problem},
};

/// What a replay is to bring back, for whom and how fast. Fields that are not known are refused: a filter with a fault in
/// its name would bring back everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ReplayRequest")]
pub(crate) struct ReplayBody {
    /// These events, and no other condition; at most 500.
    #[serde(default)]
    ids: Vec<Uuid>,
    /// Received at or after.
    from: Option<DateTime<Utc>>,
    /// Received before; never later than the start of the replay.
    to: Option<DateTime<Utc>>,
    /// Types or patterns such as `message.*`; any of them.
    #[serde(default)]
    types: Vec<TypePattern>,
    /// Who said so: `webhook:github`.
    source: Option<String>,
    /// The kind of channel.
    channel_type: Option<String>,
    /// The instance of the channel.
    instance_id: Option<String>,
    /// The person who sent or got it.
    identity_id: Option<Uuid>,
    /// What one cause set off.
    correlation_id: Option<String>,
    /// The provider's own id.
    provider_event_id: Option<String>,
    /// The status of the outcome, such as `failed`.
    status: Option<String>,
    /// Which way it went.
    direction: Option<Direction>,
    /// The kind of content.
    content_type: Option<String>,
    /// The one automation that is to see the events; all of them when absent.
    automation_id: Option<Uuid>,
    /// Do again what succeeded before; otherwise that is left out.
    #[serde(default)]
    repeat_effects: bool,
    /// Events per second at most, 1 to 100000.
    #[serde(default = "rate_default")]
    rate_per_second: u32,
    /// Only tell what would be brought back. True unless said otherwise.
    #[serde(default = "yes")]
    dry_run: bool,
}

/// How one event is brought back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "ReplayEventRequest")]
pub(crate) struct ReplayEventBody {
    /// The one automation that is to see it; all of them when absent.
    pub(crate) automation_id: Option<Uuid>,
    /// Do again what succeeded before.
    pub(crate) repeat_effects: bool,
}

fn rate_default() -> u32 {
    REPLAY_RATE_DEFAULT
}

fn yes() -> bool {
    true
}

impl ReplayBody {
    fn spec(self) -> Result<ReplaySpec, Problem> {
        for (pointer, time) in [("/from", self.from), ("/to", self.to)] {
            // What has no four-digit year is no time of an event, and not every database can compare with it.
            if time.is_some_and(|time| !(0..=9999).contains(&time.year())) {
                return Err(Problem::field(pointer, "give a year from 0 to 9999"));
            }
        }
        let selection = ReplaySelection {
            ids: self.ids,
            from: self.from,
            to: self.to,
            types: self.types,
            source: self.source,
            channel_type: self.channel_type,
            instance_id: self.instance_id,
            identity_id: self.identity_id,
            correlation_id: self.correlation_id,
            provider_event_id: self.provider_event_id,
            status: self.status,
            direction: self.direction,
            content_type: self.content_type,
        };
        Ok(ReplaySpec {
            selection,
            automation_id: self.automation_id,
            repeat_effects: self.repeat_effects,
            rate_per_second: self.rate_per_second,
        })
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let text = error.to_string();
        match error {
            ReplayError::Spec { field, reason } => Self::field(field, reason),
            ReplayError::Conflict { .. } => Self::new(Kind::KeyReused, text),
            ReplayError::Expunged { .. } => Self::new(Kind::TooLate, text),
            ReplayError::Append(error) => error.into(),
            ReplayError::Store(error) => error.into(),
        }
    }
}

/// Refuses an automation that would see nothing: there is none of this id, or it is off.
async fn check_automation(app: &App, call: &Call, id: Option<Uuid>) -> Result<(), Problem> {
    let Some(id) = id else { return Ok(()) };
    match app.automations.get(&call.org, id).await? {
        None => Err(Problem::field("/automationId", format!("there is no automation {id} here"))),
        Some(automation) if !automation.definition.enabled => {
            let name = &automation.definition.name;
            let detail =
                format!("automation `{name}` is off and would see nothing; enable it first");
            Err(Problem::field("/automationId", detail))
        }
        Some(_) => Ok(()),
    }
}

/// Tells what a replay would bring back, or begins it.
pub(crate) async fn start(
    app: &App,
    call: Call,
    body: ReplayBody,
) -> Result<ReplayAnswer, Problem> {
    let dry_run = body.dry_run;
    let spec = body.spec()?;
    check_automation(app, &call, spec.automation_id).await?;
    let replays = app.event_log.replays();
    if dry_run {
        let plan = replays.plan(&call.org, &spec).await?;
        return Ok(ReplayAnswer::Plan(PlanDocument::of(plan, &spec)));
    }
    let job = replays.start(&call.org, &spec, None, call.idempotency_key).await?;
    Ok(ReplayAnswer::Replay(Box::new(ReplayDocument::from(job))))
}

/// Reads one replay.
pub(crate) async fn get(app: &App, call: &Call, key: &str) -> Result<ReplayJob, Problem> {
    let found = app.event_log.replays().get(&call.org, id("replay", key)?).await?;
    found.ok_or_else(|| Problem::not_found("replay", shown(key)))
}

/// Lists replays, newest first.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: PageQuery,
) -> Result<List<ReplayJob>, Problem> {
    let limit = page::limit(query.limit)?;
    let before = Key::Replay.decode(query.cursor.as_deref())?;
    let before = before.map(|key| Uuid::try_parse(&key)).transpose();
    let before = before.map_err(|_| page::no_cursor())?;
    let found = app.event_log.replays().list(&call.org, before, limit + 1).await?;
    Ok(page::cut(found, limit, |job| Key::Replay.encode(job.row.id)))
}

/// Stops a replay. One that was cancelled before stays so.
pub(crate) async fn cancel(app: &App, call: &Call, key: &str) -> Result<ReplayJob, Problem> {
    let replay = id("replay", key)?;
    let cancelled = app.event_log.replays().cancel(&call.org, replay).await?;
    let job = get(app, call, key).await?;
    if cancelled || job.row.status == CANCELLED {
        return Ok(job);
    }
    let detail = format!("Replay `{replay}` has ended: it is {}.", job.row.status);
    Err(Problem::new(Kind::TooLate, detail))
}

/// Brings one event back at once; when this returns, the new event is durable.
pub(crate) async fn one(
    app: &App,
    call: &Call,
    key: &str,
    body: ReplayEventBody,
) -> Result<Replayed, Problem> {
    let event = id("event", key)?;
    let ReplayEventBody { automation_id, repeat_effects } = body;
    check_automation(app, call, automation_id).await?;
    let replays = app.event_log.replays();
    let asked = (automation_id, repeat_effects);
    let idempotency_key = call.idempotency_key.as_deref();
    let appended = replays.one(&call.org, event, asked, idempotency_key).await?;
    let appended = appended.ok_or_else(|| Problem::not_found("event", shown(key)))?;
    Ok(Replayed { event_id: appended.event_id, sequence: appended.sequence })
}
