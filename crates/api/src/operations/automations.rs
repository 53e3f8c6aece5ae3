//! Automations: define them, switch them on and off.

use omni_automations::{Automation, Definition};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    call::Call,
    operations::{id, shown, storable},
    page::{self, Key, List},
    problem::Problem,
};

/// Which automations are listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AutomationQuery {
    /// Only the automation of exactly this name.
    pub(crate) name: Option<String>,
    /// Items at most, 1 to 500; 50 when absent.
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before.
    pub(crate) cursor: Option<String>,
}

fn missing(key: &str) -> Problem {
    Problem::not_found("automation", shown(key))
}

/// Saves a new automation; it is in force when this returns.
pub(crate) async fn create(
    app: &App,
    call: &Call,
    definition: Definition,
) -> Result<Automation, Problem> {
    Ok(app.automations.create(&call.org, definition, None).await?)
}

/// Reads one automation.
pub(crate) async fn get(app: &App, call: &Call, key: &str) -> Result<Automation, Problem> {
    let found = app.automations.get(&call.org, id("automation", key)?).await?;
    found.ok_or_else(|| missing(key))
}

/// Lists automations by name.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: AutomationQuery,
) -> Result<List<Automation>, Problem> {
    let limit = page::limit(query.limit)?;
    storable("name", query.name.as_deref())?;
    if let Some(name) = query.name {
        let items = app.automations.find(&call.org, &name).await?.into_iter().collect();
        return Ok(List { items, next_cursor: None });
    }
    let after = Key::Automation.decode(query.cursor.as_deref())?;
    let found = app.automations.list(&call.org, after.as_deref(), limit + 1).await?;
    Ok(page::cut(found, limit, |found| Key::Automation.encode(&found.definition.name)))
}

/// Replaces a definition.
pub(crate) async fn update(
    app: &App,
    call: &Call,
    key: &str,
    definition: Definition,
    if_version: Option<i32>,
) -> Result<Automation, Problem> {
    let id = id("automation", key)?;
    let updated = app.automations.update(&call.org, id, definition, if_version).await?;
    updated.ok_or_else(|| missing(key))
}

/// Switches an automation on or off.
pub(crate) async fn set_enabled(
    app: &App,
    call: &Call,
    key: &str,
    enabled: bool,
) -> Result<Automation, Problem> {
    let id = id("automation", key)?;
    app.automations.set_enabled(&call.org, id, enabled).await?.ok_or_else(|| missing(key))
}

/// Deletes an automation; what it did stays.
pub(crate) async fn delete(app: &App, call: &Call, key: &str) -> Result<(), Problem> {
    let id = id("automation", key)?;
    if app.automations.delete(&call.org, id).await? { Ok(()) } else { Err(missing(key)) }
}
