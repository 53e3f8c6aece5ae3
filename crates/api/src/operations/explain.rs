//! Why an event did what it did, and why nothing happened.

use omni_automations::{Explained, Subject};
use omni_events::rfc3339_millis;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    call::Call,
    operations::{
        scheduled::{self, Found},
        shown, storable,
    },
    problem::Problem,
};

/// For which automation an event is explained.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExplainQuery {
    /// Id or name of one automation; all that listen to the type, or nearly, when absent.
    pub(crate) automation: Option<String>,
}

/// Explains an event for one automation, or for all that it may concern.
pub(crate) async fn explain(
    app: &App,
    call: &Call,
    key: &str,
    query: &ExplainQuery,
) -> Result<Explained, Problem> {
    let automation = query.automation.as_deref();
    storable("automation", automation)?;
    let subject = match scheduled::find(app, call, key).await? {
        Found::Stored(stored) => {
            let gone = "its payload was taken out of the record, so what is compared has none";
            let notes = if stored.is_expunged { vec![gone.to_owned()] } else { Vec::new() };
            let outcome = stored.outcome;
            Subject {
                event: stored.event,
                processed_at: outcome.as_ref().map(|outcome| outcome.processed_at),
                status: outcome.map(|outcome| outcome.status),
                notes,
            }
        }
        Found::Waiting(waiting) => {
            let status = scheduled::status(&waiting).to_owned();
            let due = rfc3339_millis(waiting.due_at);
            Subject {
                notes: vec![format!("it has not happened: it is {status}, and was due at {due}")],
                event: waiting.event,
                status: Some(status),
                processed_at: None,
            }
        }
    };
    let found = app.automations.explain(subject, automation).await?;
    found.ok_or_else(|| Problem::not_found("automation", shown(automation.unwrap_or_default())))
}
