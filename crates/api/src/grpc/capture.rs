//! `omni.v1.CaptureService`.

use omni_event_log::StoredPolicy;
use omni_proto::{
    CapturePolicy, DeleteCapturePolicyRequest, DeleteCapturePolicyResponse,
    DeleteEventPayloadsRequest, DeleteEventPayloadsResponse, ExpireCapturesRequest,
    ExpireCapturesResponse, ExpungeEventRequest, ExpungeEventResponse, GetCapturePolicyRequest,
    GetCapturePolicyResponse, ListCapturePoliciesRequest, ListCapturePoliciesResponse,
    SetCapturePolicyRequest, SetCapturePolicyResponse, capture_service_server::CaptureService,
};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    operations::captures::{self, DeleteQuery, ExpireBody, ExpungeBody},
    problem::Problem,
};

#[tonic::async_trait]
impl CaptureService for Service {
    async fn list_policies(
        &self,
        request: Request<ListCapturePoliciesRequest>,
    ) -> Answer<ListCapturePoliciesResponse> {
        let call = Call::of(&request)?;
        let found = captures::policies(&self.0, &call).await?;
        let policies = found.into_iter().map(message).collect::<Result<_, _>>()?;
        Ok(Response::new(ListCapturePoliciesResponse { policies }))
    }

    async fn get_policy(
        &self,
        request: Request<GetCapturePolicyRequest>,
    ) -> Answer<GetCapturePolicyResponse> {
        let call = Call::of(&request)?;
        let found = captures::policy(&self.0, &call, &request.get_ref().event_type).await?;
        Ok(Response::new(GetCapturePolicyResponse { policy: Some(message(found)?) }))
    }

    async fn set_policy(
        &self,
        request: Request<SetCapturePolicyRequest>,
    ) -> Answer<SetCapturePolicyResponse> {
        let call = Call::of(&request)?;
        let SetCapturePolicyRequest { event_type, policy } = request.into_inner();
        let policy = body::parse(policy)?;
        let stored = captures::set_policy(&self.0, &call, &event_type, policy).await?;
        Ok(Response::new(SetCapturePolicyResponse { policy: Some(message(stored)?) }))
    }

    async fn delete_policy(
        &self,
        request: Request<DeleteCapturePolicyRequest>,
    ) -> Answer<DeleteCapturePolicyResponse> {
        let call = Call::of(&request)?;
        captures::delete_policy(&self.0, &call, &request.get_ref().event_type).await?;
        Ok(Response::new(DeleteCapturePolicyResponse {}))
    }

    async fn expire(
        &self,
        request: Request<ExpireCapturesRequest>,
    ) -> Answer<ExpireCapturesResponse> {
        let call = Call::of(&request)?;
        let ExpireCapturesRequest { dry_run, at } = request.into_inner();
        let body = ExpireBody { dry_run, at: convert::time("/at", at)? };
        let document = convert::json(&captures::expire(&self.0, &call, body).await?)?;
        Ok(Response::new(ExpireCapturesResponse { document }))
    }

    async fn delete_payloads(
        &self,
        request: Request<DeleteEventPayloadsRequest>,
    ) -> Answer<DeleteEventPayloadsResponse> {
        let call = Call::of(&request)?;
        let DeleteEventPayloadsRequest { event_id, reason, stage } = request.into_inner();
        let query = DeleteQuery { reason, stage: convert::given(stage) };
        let deleted = captures::delete(&self.0, &call, &event_id, query).await? as i64;
        Ok(Response::new(DeleteEventPayloadsResponse { deleted }))
    }

    async fn expunge(&self, request: Request<ExpungeEventRequest>) -> Answer<ExpungeEventResponse> {
        let call = Call::of(&request)?;
        let ExpungeEventRequest { event_id, reason } = request.into_inner();
        let done = captures::expunge(&self.0, &call, &event_id, &ExpungeBody { reason }).await?;
        Ok(Response::new(ExpungeEventResponse {
            event_id: done.event_id.to_string(),
            at: Some(convert::timestamp(done.expunged_at)),
            reason: done.reason,
        }))
    }
}

fn message(stored: StoredPolicy) -> Result<CapturePolicy, Problem> {
    Ok(CapturePolicy {
        policy: convert::json(&stored.policy)?,
        event_type: stored.event_type,
        updated_at: Some(convert::timestamp(stored.updated_at)),
    })
}
