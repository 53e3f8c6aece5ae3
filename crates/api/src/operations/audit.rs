//! The conservation audit.

use chrono::{DateTime, Utc};
use omni_event_log::{AUDIT_GRACE, Audit, Report};
use omni_store::Kind as StoreKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::{
    App,
    call::Call,
    problem::{Kind, Problem},
};

/// Audits at one time: each keeps a connection busy.
static RUNNING: Semaphore = Semaphore::const_new(2);

/// How an audit is made.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditQuery {
    /// Everything, which may take minutes, instead of what is recent or not known to be settled.
    pub(crate) full: bool,
}

/// What an audit found, and who made it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AuditReport")]
pub(crate) struct AuditDocument {
    /// The process that answers.
    server: ServerDocument,
    #[serde(flatten)]
    report: Report,
}

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ServerInfo")]
pub(crate) struct ServerDocument {
    /// The version of the product.
    version: &'static str,
    /// The time on its clock.
    time: DateTime<Utc>,
    /// `sqlite` or `postgres`.
    store: &'static str,
}

/// Audits the events of the organisation.
pub(crate) async fn audit(
    app: &App,
    call: &Call,
    query: AuditQuery,
) -> Result<AuditDocument, Problem> {
    let _running = RUNNING.try_acquire().map_err(|_| {
        Problem::new(Kind::Overloaded, "Two audits are running already; try again in a moment.")
    })?;
    let audit = Audit {
        org: Some(call.org.clone()),
        full: query.full,
        grace: AUDIT_GRACE,
        consumer: omni_automations::CONSUMER,
    };
    let report = app.event_log.audit(&audit).await?;
    let store = match app.store.kind() {
        StoreKind::Sqlite => "sqlite",
        StoreKind::Postgres => "postgres",
    };
    let server = ServerDocument { version: app.version, time: app.clock.now(), store };
    Ok(AuditDocument { server, report })
}
