//! `/api/audit`: whether everything that was accepted is accounted for.

use axum::extract::State;
use http::Method;

use crate::{
    call::Call,
    operations::audit::{self, AuditDocument, AuditQuery},
    query::Query,
    rest::{Answer, AppState, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::GET, "/api/audit"), "auditEvents", "Proves that no event is lost, or says which", audit)
            .rpc("AdminService.Audit").query::<AuditQuery>().answer::<AuditDocument>(),
    ]
}

async fn audit(State(app): AppState, call: Call, Query(query): Query<AuditQuery>) -> Answer {
    ok(&audit::audit(&app, &call, query).await?)
}
