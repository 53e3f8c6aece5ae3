//! What automations did.

use omni_automations::Execution;
use omni_store::executions::{Filter, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    operations::{self, id, shown, storable},
    page::{self, Key, List, PageQuery},
    problem::Problem,
};

/// Which executions are listed; all that is given must hold.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ExecutionQuery {
    /// Of this automation.
    pub(crate) automation_id: Option<Uuid>,
    /// For this event.
    pub(crate) event_id: Option<Uuid>,
    /// For events of exactly this type.
    pub(crate) event_type: Option<String>,
    /// How they ended: `success`, `failed` or `skipped`.
    pub(crate) status: Option<String>,
    /// Items at most, 1 to 500; 50 when absent.
    #[serde(skip_serializing)]
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before, for the same question.
    #[serde(skip_serializing)]
    pub(crate) cursor: Option<String>,
}

/// Lists executions, newest first.
pub(crate) async fn list(
    app: &App,
    call: &Call,
    query: ExecutionQuery,
) -> Result<List<Execution>, Problem> {
    let limit = page::limit(query.limit)?;
    let asked = Key::Execution.asked(&call.org, &query)?;
    let after = asked.decode(query.cursor.as_deref())?;
    let after = after.map(|key| Uuid::try_parse(&key)).transpose();
    let after = after.map_err(|_| page::no_cursor())?;
    storable("eventType", query.event_type.as_deref())?;
    storable("status", query.status.as_deref())?;
    let filter = Filter {
        automation_id: query.automation_id,
        event_id: query.event_id,
        event_type: query.event_type,
        status: query.status,
    };
    let page = Page { after, limit: limit + 1, ascending: false };
    let found = app.automations.executions(&call.org, &filter, &page).await?;
    Ok(page::cut(found, limit, |execution| asked.encode(execution.id)))
}

/// Lists the executions for one event.
pub(crate) async fn of_event(
    app: &App,
    call: &Call,
    key: &str,
    page: PageQuery,
) -> Result<List<Execution>, Problem> {
    let event = operations::events::get(app, call, key).await?.event;
    let PageQuery { limit, cursor } = page;
    list(
        app,
        call,
        ExecutionQuery { event_id: Some(event.id), limit, cursor, ..Default::default() },
    )
    .await
}

/// Lists the executions of one automation, also of one that was deleted.
pub(crate) async fn of_automation(
    app: &App,
    call: &Call,
    key: &str,
    page: PageQuery,
) -> Result<List<Execution>, Problem> {
    let automation_id = Some(id("automation", key)?);
    let PageQuery { limit, cursor } = page;
    let query = ExecutionQuery { automation_id, limit, cursor, ..Default::default() };
    let found = list(app, call, query).await?;
    if found.items.is_empty() {
        // Nothing done may mean that there never was such an automation.
        operations::automations::get(app, call, key).await?;
    }
    Ok(found)
}

/// Reads one execution.
pub(crate) async fn get(app: &App, call: &Call, key: &str) -> Result<Execution, Problem> {
    let found = app.automations.execution(&call.org, id("execution", key)?).await?;
    found.ok_or_else(|| Problem::not_found("execution", shown(key)))
}
