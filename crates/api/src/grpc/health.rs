//! `grpc.health.v1.Health`: the same switch as `/readyz`, for the process and for each of its services.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

use super::Answer;
use crate::health::{self, State};

/// What can be asked for: the process as a whole, and its services.
const SERVICES: [&str; 6] = [
    "",
    "omni.v1.EventService",
    "omni.v1.SourceService",
    "omni.v1.AutomationService",
    "omni.v1.RegistryService",
    "omni.v1.AdminService",
];

#[derive(Clone, Debug)]
pub(super) struct Health(pub(super) health::Health);

fn told(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn status_of(state: State) -> ServingStatus {
    match state {
        State::Ready => ServingStatus::Serving,
        State::Starting | State::Draining => ServingStatus::NotServing,
    }
}

type Watching = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = Watching;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        if !SERVICES.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("There is no such service here."));
        }
        Ok(Response::new(told(status_of(self.0.state()))))
    }

    /// Tells the state now and at every change. Ends with the draining, so that it does not hold up the stop.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Answer<Watching> {
        let known = SERVICES.contains(&request.get_ref().service.as_str());
        let mut receiver = self.0.subscribe();
        // The state of now is told at once, as if it had just changed.
        receiver.mark_changed();
        let states = stream::unfold(Some(receiver), move |receiver| async move {
            let (state, receiver) = next(receiver?).await;
            let status = if known { status_of(state) } else { ServingStatus::ServiceUnknown };
            Some((Ok(told(status)), receiver))
        });
        Ok(Response::new(Box::pin(states)))
    }
}

/// The next state to tell, and where the one after it comes from.
async fn next(mut receiver: watch::Receiver<State>) -> (State, Option<watch::Receiver<State>>) {
    if receiver.changed().await.is_err() {
        return (State::Draining, None);
    }
    let state = *receiver.borrow_and_update();
    (state, (state != State::Draining).then_some(receiver))
}
