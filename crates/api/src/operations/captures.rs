//! Raw payloads: their policies, their end, and taking a payload out of the record.

use chrono::{DateTime, Datelike as _, Utc};
use omni_event_log::{CapturePolicy, Stage, StoredPolicy};
use omni_events::TypePattern;
use omni_store::{
    events::StoredEvent,
    expunges::{self, ExpungeRow},
    payloads,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    call::Call,
    documents::{DueDocument, ExpiryDocument},
    operations::{events, id, shown},
    problem::Problem,
};

/// Longest reason, in bytes.
const REASON_MAX: usize = 500;
/// Parts deleted in one transaction.
const BATCH: i64 = 256;
/// Transactions of one call: a call must end, and the server deletes the rest by itself.
const BATCHES_MAX: usize = 200;

/// Which captures of an event are deleted, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeleteQuery {
    /// Why: 1 to 500 bytes; it is kept and shown.
    #[serde(default)]
    pub(crate) reason: String,
    /// Only what was captured at this stage; all when absent.
    #[serde(default)]
    pub(crate) stage: Option<String>,
}

/// Why the payload of an event is taken out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExpungeBody {
    /// Why: 1 to 500 bytes; it is kept and shown.
    pub(crate) reason: String,
}

/// What is to be deleted, or only told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ExpireBody {
    /// Only tells what would be deleted.
    pub(crate) dry_run: bool,
    /// With `dryRun`: what will have expired at that time; now when absent.
    pub(crate) at: Option<DateTime<Utc>>,
}

/// Lists the policies of the organisation.
pub(crate) async fn policies(app: &App, call: &Call) -> Result<Vec<StoredPolicy>, Problem> {
    Ok(app.event_log.captures().policies(&call.org).await?)
}

/// Reads the policy of a type or pattern.
pub(crate) async fn policy(app: &App, call: &Call, types: &str) -> Result<StoredPolicy, Problem> {
    let all = policies(app, call).await?;
    let found = all.into_iter().find(|stored| stored.event_type == types);
    found.ok_or_else(|| Problem::not_found("capture policy", shown(types)))
}

/// Sets the policy of a type or pattern.
pub(crate) async fn set_policy(
    app: &App,
    call: &Call,
    types: &str,
    policy: CapturePolicy,
) -> Result<StoredPolicy, Problem> {
    let types = TypePattern::parse(types)
        .map_err(|error| Problem::field("eventType", error.to_string()))?;
    Ok(app.event_log.captures().set_policy(&call.org, &types, policy).await?)
}

/// Deletes the policy of a type or pattern.
pub(crate) async fn delete_policy(app: &App, call: &Call, types: &str) -> Result<(), Problem> {
    let gone = match TypePattern::parse(types) {
        Ok(pattern) => app.event_log.captures().delete_policy(&call.org, &pattern).await?,
        Err(_) => false,
    };
    if gone { Ok(()) } else { Err(Problem::not_found("capture policy", shown(types))) }
}

/// Deletes what has expired, or tells what would be deleted.
pub(crate) async fn expire(
    app: &App,
    call: &Call,
    body: ExpireBody,
) -> Result<ExpiryDocument, Problem> {
    let ExpireBody { dry_run, at } = body;
    if at.is_some() && !dry_run {
        return Err(Problem::field("/at", "only a dry run can look at another time than now"));
    }
    if at.is_some_and(|at| !(0..=9999).contains(&at.year())) {
        return Err(Problem::field("/at", "give a year from 0 to 9999"));
    }
    let org = call.org.as_str();
    let at = at.unwrap_or_else(|| app.clock.now());
    let mut conn = app.store.read().await?;
    let items: Vec<DueDocument> =
        payloads::due(&mut conn, org, at).await?.into_iter().map(DueDocument::from).collect();
    drop(conn);
    let (mut deleted, mut batches) = (0, 0);
    while !dry_run && batches < BATCHES_MAX {
        let mut conn = app.store.write().await?;
        let gone = payloads::expire(&mut conn, Some(org), at, BATCH).await? as i64;
        deleted += gone;
        batches += 1;
        if gone < BATCH {
            break;
        }
    }
    let parts = items.iter().map(|due| due.parts).sum();
    let bytes = items.iter().map(|due| due.bytes).sum();
    Ok(ExpiryDocument { dry_run, at, items, parts, bytes, deleted })
}

/// Deletes what was captured with an event; answers how many parts this call deleted.
pub(crate) async fn delete(
    app: &App,
    call: &Call,
    key: &str,
    query: DeleteQuery,
) -> Result<usize, Problem> {
    let stored = events::get(app, call, key).await?;
    let reason = reason("reason", &query.reason)?;
    let stage = query.stage.as_deref().map(str::parse::<Stage>).transpose();
    let stage = stage.map_err(|error| Problem::field("stage", error.to_string()))?;
    let mut conn = app.store.write().await?;
    let (org, id, now) = (call.org.as_str(), stored.event.id, app.clock.now());
    let stage = stage.map(Stage::as_str);
    Ok(payloads::delete(&mut conn, org, id, stage, (reason, now)).await?)
}

/// Takes the payload of an event out of the record for good.
pub(crate) async fn expunge(
    app: &App,
    call: &Call,
    key: &str,
    body: &ExpungeBody,
) -> Result<ExpungeRow, Problem> {
    let id = id("event", key)?;
    let reason = reason("/reason", &body.reason)?;
    let mut conn = app.store.write().await?;
    let done = expunges::expunge(&mut conn, call.org.as_str(), id, (reason, app.clock.now()));
    done.await?.ok_or_else(|| Problem::not_found("event", shown(key)))
}

/// When and why the payload of an event was taken out, if it was.
pub(crate) async fn expunged(
    app: &App,
    call: &Call,
    stored: &StoredEvent,
) -> Result<Option<ExpungeRow>, Problem> {
    if !stored.is_expunged {
        return Ok(None);
    }
    let mut conn = app.store.read().await?;
    Ok(expunges::get(&mut conn, call.org.as_str(), stored.event.id).await?)
}

/// A reason says something, fits a line, and is short.
fn reason<'a>(pointer: &str, text: &'a str) -> Result<&'a str, Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > REASON_MAX || text.contains(char::is_control) {
        let detail = format!("say why in 1 to {REASON_MAX} bytes on one line");
        return Err(Problem::field(pointer, detail));
    }
    Ok(text)
}
