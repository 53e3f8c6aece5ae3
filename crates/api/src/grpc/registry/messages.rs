//! Between the messages of `omni.v1.RegistryService` and our own types.

use omni_event_bus::Stream;
use omni_proto::{EventTypeInfo, EventTypeVersion, ExportTypesRequest};
use omni_registry::{Compatibility, Outcome, Policy, TypeInfo, VersionInfo};

use crate::{
    documents::{ExportFormat, ExportQuery},
    grpc::convert::{self, given, timestamp},
    problem::Problem,
};

pub(super) fn info(info: TypeInfo) -> Result<EventTypeInfo, Problem> {
    Ok(EventTypeInfo {
        event_type: info.event_type,
        description: info.description.unwrap_or_default(),
        version: info.version,
        schema: convert::json(&info.schema)?,
        validation: info.validation.as_str().to_owned(),
        built_in: info.built_in,
        compatibility: info.compatibility.map_or("", Compatibility::as_str).to_owned(),
        policy: info.policy.map_or("", Policy::as_str).to_owned(),
        stream: info.stream.map_or("", Stream::as_str).to_owned(),
        created_by: info.created_by.unwrap_or_default(),
        created_at: Some(timestamp(info.created_at)),
        updated_at: Some(timestamp(info.updated_at)),
    })
}

pub(super) fn version(info: VersionInfo) -> Result<EventTypeVersion, Problem> {
    Ok(EventTypeVersion {
        event_type: info.event_type,
        version: info.version,
        schema: convert::json(&info.schema)?,
        created_by: info.created_by.unwrap_or_default(),
        created_at: Some(timestamp(info.created_at)),
    })
}

/// The word that REST says too.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::NewVersion => "newVersion",
        Outcome::Configured => "configured",
        Outcome::Unchanged => "unchanged",
    }
}

pub(super) fn export_query(request: ExportTypesRequest) -> Result<ExportQuery, Problem> {
    let format = match request.format.as_str() {
        "" | "openapi" => ExportFormat::Openapi,
        "asyncapi" => ExportFormat::Asyncapi,
        _ => return Err(Problem::field("/format", "it is `openapi` or `asyncapi`")),
    };
    Ok(ExportQuery { format, namespace: given(request.namespace) })
}
