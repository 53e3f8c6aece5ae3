//! Sources: define them, and see what they refused.

use omni_sources::{
    Definition, Quarantined, ReleaseMany, ReleaseRequest, Releases, RotatedSource, Rotation,
    Source, TestReport, TestRequest,
    provider::{self, Template},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    operations::{id, shown, storable},
    page::{self, Key, List, PageQuery},
    problem::Problem,
};

/// What a refused request is called in messages.
const REFUSED: &str = "refused request";
/// Longest note, in bytes.
const NOTE_MAX: usize = 4096;
/// Most requests that one call releases.
const MANY_MAX: usize = 100;

/// Which refused requests are listed; all that is given must hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuarantineQuery {
    /// `refused` or `released`.
    pub(crate) status: Option<String>,
    /// What is wrong, as one word, such as `signature-mismatch`.
    pub(crate) code: Option<String>,
    /// Items at most, 1 to 500; 50 when absent.
    #[serde(skip_serializing)]
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before, for the same question.
    #[serde(skip_serializing)]
    pub(crate) cursor: Option<String>,
}

fn missing(name: &str) -> Problem {
    Problem::not_found("source", shown(name))
}

/// A name that no source can have names none.
fn known(name: &str) -> Result<&str, Problem> {
    storable("name", Some(name)).map(|()| name).map_err(|_| missing(name))
}

/// Saves a new source.
pub(crate) async fn create(
    app: &App,
    call: &Call,
    definition: Definition,
) -> Result<Source, Problem> {
    Ok(app.sources.create(&call.org, definition, None).await?)
}

/// Reads one source.
pub(crate) async fn get(app: &App, call: &Call, name: &str) -> Result<Source, Problem> {
    app.sources.get(&call.org, known(name)?).await?.ok_or_else(|| missing(name))
}

/// Lists sources by name.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: PageQuery,
) -> Result<List<Source>, Problem> {
    let limit = page::limit(query.limit)?;
    let after = Key::Source.decode(query.cursor.as_deref())?;
    let found = app.sources.list(&call.org, after.as_deref(), limit + 1).await?;
    Ok(page::cut(found, limit, |source| Key::Source.encode(&source.definition.name)))
}

/// Replaces a definition.
pub(crate) async fn update(
    app: &App,
    call: &Call,
    name: &str,
    definition: Definition,
    if_version: Option<i32>,
) -> Result<Source, Problem> {
    let updated = app.sources.update(&call.org, known(name)?, definition, if_version).await?;
    updated.ok_or_else(|| missing(name))
}

/// Deletes a source.
pub(crate) async fn delete(app: &App, call: &Call, name: &str) -> Result<(), Problem> {
    if app.sources.delete(&call.org, known(name)?).await? { Ok(()) } else { Err(missing(name)) }
}

/// Lets a source take requests, or not.
pub(crate) async fn set_enabled(
    app: &App,
    call: &Call,
    name: &str,
    enabled: bool,
) -> Result<Source, Problem> {
    let changed = app.sources.set_enabled(&call.org, known(name)?, enabled).await?;
    changed.ok_or_else(|| missing(name))
}

/// Gives a source a new secret.
pub(crate) async fn rotate_secret(
    app: &App,
    call: &Call,
    name: &str,
    rotation: &Rotation,
) -> Result<RotatedSource, Problem> {
    let rotated = app.sources.rotate_secret(&call.org, known(name)?, rotation).await?;
    rotated.ok_or_else(|| missing(name))
}

/// Lists the templates of providers.
pub(crate) fn providers() -> List<&'static Template> {
    List { items: provider::all().iter().collect(), next_cursor: None }
}

/// Holds a request against a source; `base` is the URL of this server as the caller knows it.
pub(crate) async fn test(
    app: &App,
    call: &Call,
    name: &str,
    request: TestRequest,
    base: &str,
) -> Result<TestReport, Problem> {
    let quarantined = request.quarantine_id;
    let place = (&call.org, known(name)?);
    let report = app.sources.test(&app.receiver, place, request, base).await?;
    if report.is_none() {
        get(app, call, name).await?;
    }
    report.ok_or_else(|| no_request(&quarantined.unwrap_or_default().to_string()))
}

/// Lists the requests that a source refused, newest first.
pub(crate) async fn quarantine(
    app: &App,
    call: &Call,
    name: &str,
    query: QuarantineQuery,
) -> Result<List<Quarantined>, Problem> {
    let limit = page::limit(query.limit)?;
    get(app, call, name).await?;
    let asked = Key::Quarantine.asked(&call.org, &(name, &query))?;
    let before = asked.decode(query.cursor.as_deref())?;
    let before =
        before.map(|id| Uuid::try_parse(&id).map_err(|_| page::no_cursor())).transpose()?;
    let QuarantineQuery { status, code, .. } = query;
    if status.as_deref().is_some_and(|status| !matches!(status, "refused" | "released")) {
        return Err(Problem::field("status", "give `refused` or `released`"));
    }
    storable("code", code.as_deref())?;
    let wanted = omni_sources::QuarantineQuery { status, code, before, limit: limit + 1 };
    let found = app.sources.quarantine(&call.org, name, wanted).await?;
    Ok(page::cut(found, limit, |one| asked.encode(one.id)))
}

/// Reads one request that a source refused.
pub(crate) async fn quarantined(
    app: &App,
    call: &Call,
    name: &str,
    key: &str,
) -> Result<Quarantined, Problem> {
    let found = app.sources.quarantined(&call.org, known(name)?, id(REFUSED, key)?).await?;
    found.ok_or_else(|| no_request(key))
}

/// Takes in a request that was refused.
pub(crate) async fn release(
    app: &App,
    call: &Call,
    (name, key): (&str, &str),
    request: &ReleaseRequest,
) -> Result<Quarantined, Problem> {
    note("/note", request.note.as_deref())?;
    let place = (&call.org, known(name)?);
    let released = app.sources.release(&app.receiver, place, id(REFUSED, key)?, request).await?;
    released.ok_or_else(|| no_request(key))
}

/// Takes in many that were refused.
pub(crate) async fn release_many(
    app: &App,
    call: &Call,
    name: &str,
    many: ReleaseMany,
) -> Result<Releases, Problem> {
    get(app, call, name).await?;
    storable("/code", many.code.as_deref())?;
    if many.ids.len() > MANY_MAX {
        return Err(Problem::field("/ids", format!("give at most {MANY_MAX}")));
    }
    if many.limit.is_some_and(|limit| limit == 0 || limit as usize > MANY_MAX) {
        return Err(Problem::field("/limit", format!("give 1 to {MANY_MAX}")));
    }
    Ok(app.sources.release_many(&app.receiver, (&call.org, name), many).await?)
}

/// Deletes a request that was refused.
pub(crate) async fn forget(app: &App, call: &Call, name: &str, key: &str) -> Result<(), Problem> {
    let gone = app.sources.forget(&call.org, known(name)?, id(REFUSED, key)?).await?;
    if gone { Ok(()) } else { Err(no_request(key)) }
}

fn no_request(key: &str) -> Problem {
    Problem::not_found(REFUSED, shown(key))
}

fn note(pointer: &str, note: Option<&str>) -> Result<(), Problem> {
    storable(pointer, note)?;
    match note {
        Some(note) if note.len() > NOTE_MAX => {
            Err(Problem::field(pointer, format!("at most {NOTE_MAX} bytes")))
        }
        _ => Ok(()),
    }
}
