//! The gRPC face: one file per service, each a few adapters around the functions that REST uses too.

mod admin;
mod automation;
mod capture;
mod convert;
mod dead_letter;
mod deadline;
mod event;
mod health;
mod registry;
mod replay;
mod schedule;
mod source;

use std::sync::Arc;

use axum::{Router, middleware};
use omni_proto::{
    FILE_DESCRIPTOR_SET, MESSAGE_MAX, admin_service_server::AdminServiceServer,
    automation_service_server::AutomationServiceServer,
    capture_service_server::CaptureServiceServer,
    dead_letter_service_server::DeadLetterServiceServer, event_service_server::EventServiceServer,
    registry_service_server::RegistryServiceServer, replay_service_server::ReplayServiceServer,
    schedule_service_server::ScheduleServiceServer, source_service_server::SourceServiceServer,
};
use tonic::service::Routes;
use tonic_health::pb::{FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTOR_SET, health_server::HealthServer};
use tonic_reflection::server::{Builder, Error};

use crate::App;

/// What every adapter answers.
type Answer<T> = Result<tonic::Response<T>, tonic::Status>;

/// A service: the adapters of all share this one state.
#[derive(Clone, Debug)]
struct Service(Arc<App>);

/// Sets the same message limit, both ways, on a generated server.
macro_rules! bounded {
    ($server:ident, $service:expr) => {
        $server::new($service)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX)
    };
}

/// All services, with health and both versions of reflection.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let service = Service(app.clone());
    let mut routes = Routes::default()
        .add_service(bounded!(EventServiceServer, service.clone()))
        .add_service(bounded!(CaptureServiceServer, service.clone()))
        .add_service(bounded!(ReplayServiceServer, service.clone()))
        .add_service(bounded!(SourceServiceServer, service.clone()))
        .add_service(bounded!(ScheduleServiceServer, service.clone()))
        .add_service(bounded!(AutomationServiceServer, service.clone()))
        .add_service(bounded!(RegistryServiceServer, service.clone()))
        .add_service(bounded!(DeadLetterServiceServer, service.clone()))
        .add_service(bounded!(AdminServiceServer, service))
        .add_service(HealthServer::new(health::Health(app.health.clone())));
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(HEALTH_DESCRIPTOR_SET)
    };
    // The sets are compiled in, and a test reads them; without reflection the API would work all the same.
    match reflection().build_v1() {
        Ok(service) => routes = routes.add_service(service),
        Err(error) => not_described(&error),
    }
    match reflection().build_v1alpha() {
        Ok(service) => routes = routes.add_service(service),
        Err(error) => not_described(&error),
    }
    let deadline = middleware::from_fn_with_state(app.clone(), deadline::keep);
    routes.prepare().into_axum_router().layer(deadline)
}

fn not_described(error: &Error) {
    tracing::error!(%error, "gRPC reflection is off");
}
