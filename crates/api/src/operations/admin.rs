//! The installation: counts, kinds of action, and whether it can work.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::{Either, select};
use omni_events::Org;
use omni_store::stats;
use uuid::Uuid;

use crate::{
    App,
    call::Call,
    documents::{ActionKind, StatsDocument, StatusCount, TypeCount},
    health::State,
    problem::{Kind, Problem},
};

/// How long the store may take to answer before the process counts as not ready.
const STORE_TIME_MAX: Duration = Duration::from_secs(2);

/// Counts the events, executions and definitions of the organisation.
pub(crate) async fn stats(app: &App, call: &Call) -> Result<StatsDocument, Problem> {
    let mut conn = app.store.read().await?;
    let since = app.clock.now() - TimeDelta::hours(24);
    let counts = stats::read(&mut conn, call.org.as_str(), since).await?;
    let status = |(status, count)| StatusCount { status, count };
    let by_type = |(event_type, count)| TypeCount { event_type, count };
    Ok(StatsDocument {
        events: counts.events,
        events_last24h: counts.events_recent,
        by_type: counts.by_type.into_iter().map(by_type).collect(),
        outcomes: counts.outcomes.into_iter().map(status).collect(),
        executions: counts.executions.into_iter().map(status).collect(),
        sources: counts.sources,
        automations: counts.automations,
        automations_enabled: counts.automations_enabled,
    })
}

/// Lists the kinds of action.
pub(crate) fn actions(app: &App) -> Vec<ActionKind> {
    let describe = |action: &std::sync::Arc<dyn omni_actions::Action>| ActionKind {
        kind: action.kind(),
        description: action.describe(),
        config_schema: action.config_schema(),
    };
    app.actions.iter().map(describe).collect()
}

/// Says whether traffic should come here: everything runs, nothing drains, and the store answers a real question.
pub(crate) async fn ready(app: &App) -> Result<(), Problem> {
    let not = |detail: &str| Err(Problem::new(Kind::Unavailable, detail));
    match app.health.state() {
        State::Starting => return not("The process is starting."),
        State::Draining => return not("The process is draining and takes no new traffic."),
        State::Ready => {}
    }
    let asking = std::pin::pin!(async { app.event_log.get(&Org::default(), Uuid::nil()).await });
    match select(asking, app.clock.sleep(STORE_TIME_MAX)).await {
        Either::Left((Ok(_), _)) => Ok(()),
        Either::Left((Err(error), _)) => {
            tracing::warn!(%error, "not ready: the store does not answer");
            not("The store does not answer; the log of the server says why.")
        }
        Either::Right(_) => not("The store does not answer in time."),
    }
}
