//! Sources: define them, and see what they refused.

use omni_sources::{Definition, Quarantined, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    call::Call,
    operations::{shown, storable},
    page::{self, Key, List, PageQuery},
    problem::Problem,
};

/// How much of the quarantine is listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuarantineQuery {
    /// Items at most, 1 to 500; 50 when absent.
    pub(crate) limit: Option<i64>,
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

/// Lists the newest requests that a source refused.
pub(crate) async fn quarantine(
    app: &App,
    call: &Call,
    name: &str,
    limit: Option<i64>,
) -> Result<List<Quarantined>, Problem> {
    let limit = page::limit(limit)?;
    get(app, call, name).await?;
    let items = app.sources.quarantine(&call.org, name, limit).await?;
    Ok(List { items, next_cursor: None })
}
