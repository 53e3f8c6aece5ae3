//! Event types.

use omni_registry::TypeInfo;

use crate::{App, call::Call, operations::shown, problem::Problem};

/// Lists the types that the organisation can use.
pub(crate) fn list(app: &App, call: &Call) -> Vec<TypeInfo> {
    app.registry.types(&call.org)
}

/// Reads one type.
pub(crate) fn get(app: &App, call: &Call, event_type: &str) -> Result<TypeInfo, Problem> {
    app.registry
        .get(&call.org, event_type)
        .ok_or_else(|| Problem::not_found("registered event type", shown(event_type)))
}
