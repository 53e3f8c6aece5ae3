//! `omni.v1.AdminService`.

use omni_proto::{
    ActionKind, AuditRequest, AuditResponse, ListActionsRequest, ListActionsResponse, StatsRequest,
    StatsResponse, admin_service_server::AdminService,
};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    call::Call,
    documents,
    operations::{
        admin,
        audit::{self, AuditQuery},
    },
    problem::Problem,
};

#[tonic::async_trait]
impl AdminService for Service {
    async fn stats(&self, request: Request<StatsRequest>) -> Answer<StatsResponse> {
        let call = Call::of(&request)?;
        let document = convert::json(&admin::stats(&self.0, &call).await?)?;
        Ok(Response::new(StatsResponse { document }))
    }

    async fn audit(&self, request: Request<AuditRequest>) -> Answer<AuditResponse> {
        let call = Call::of(&request)?;
        let query = AuditQuery { full: request.get_ref().full };
        let document = convert::json(&audit::audit(&self.0, &call, query).await?)?;
        Ok(Response::new(AuditResponse { document }))
    }

    async fn list_actions(
        &self,
        _request: Request<ListActionsRequest>,
    ) -> Answer<ListActionsResponse> {
        let found = admin::actions(&self.0);
        let actions = found.into_iter().map(message).collect::<Result<_, _>>()?;
        Ok(Response::new(ListActionsResponse { actions }))
    }
}

fn message(action: documents::ActionKind) -> Result<ActionKind, Problem> {
    Ok(ActionKind {
        r#type: action.kind.to_owned(),
        description: action.description.to_owned(),
        config_schema: convert::json(&action.config_schema)?,
    })
}
