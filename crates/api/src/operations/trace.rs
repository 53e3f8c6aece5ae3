//! The trace of an event.

use omni_event_log::Trace;

use crate::{
    App,
    call::Call,
    operations::{id, shown},
    problem::Problem,
};

/// The tree of causes that an event stands in.
pub(crate) async fn trace(app: &App, call: &Call, key: &str) -> Result<Trace, Problem> {
    let found = app.event_log.trace(&call.org, id("event", key)?).await?;
    found.ok_or_else(|| Problem::not_found("event", shown(key)))
}
