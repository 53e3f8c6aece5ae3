//! `omni.v1.ReplayService`.

use bytes::Bytes;
use omni_event_log::ReplayJob;
use omni_proto::{
    CancelReplayRequest, CancelReplayResponse, GetReplayRequest, GetReplayResponse,
    ListReplaysRequest, ListReplaysResponse, ReplayEventRequest, ReplayEventResponse,
    StartReplayRequest, StartReplayResponse, replay_service_server::ReplayService,
    start_replay_response,
};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::{ReplayAnswer, ReplayDocument},
    operations::replays::{self, ReplayEventBody},
    page::PageQuery,
    problem::Problem,
};

#[tonic::async_trait]
impl ReplayService for Service {
    async fn start(&self, request: Request<StartReplayRequest>) -> Answer<StartReplayResponse> {
        let call = Call::of(&request)?;
        let body = body::parse(request.into_inner().spec)?;
        let answer = match replays::start(&self.0, call, body).await? {
            ReplayAnswer::Plan(plan) => start_replay_response::Answer::Plan(convert::json(&plan)?),
            ReplayAnswer::Replay(replay) => {
                start_replay_response::Answer::Replay(convert::json(&replay)?)
            }
        };
        Ok(Response::new(StartReplayResponse { answer: Some(answer) }))
    }

    async fn get(&self, request: Request<GetReplayRequest>) -> Answer<GetReplayResponse> {
        let call = Call::of(&request)?;
        let found = replays::get(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(GetReplayResponse { replay: document(found)? }))
    }

    async fn list(&self, request: Request<ListReplaysRequest>) -> Answer<ListReplaysResponse> {
        let call = Call::of(&request)?;
        let ListReplaysRequest { limit, cursor } = request.into_inner();
        let query = PageQuery { limit: convert::limit(limit), cursor: convert::given(cursor) };
        let page = replays::list(&self.0, &call, query).await?;
        Ok(Response::new(ListReplaysResponse {
            replays: page.items.into_iter().map(document).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn cancel(&self, request: Request<CancelReplayRequest>) -> Answer<CancelReplayResponse> {
        let call = Call::of(&request)?;
        let found = replays::cancel(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(CancelReplayResponse { replay: document(found)? }))
    }

    async fn replay_event(
        &self,
        request: Request<ReplayEventRequest>,
    ) -> Answer<ReplayEventResponse> {
        let call = Call::of(&request)?;
        let ReplayEventRequest { event_id, automation_id, repeat_effects } = request.into_inner();
        let automation_id = convert::filter_id("/automationId", &automation_id)?;
        let body = ReplayEventBody { automation_id, repeat_effects };
        let event = replays::one(&self.0, &call, &event_id, body).await?;
        let (event_id, sequence) = (event.event_id.to_string(), event.sequence);
        Ok(Response::new(ReplayEventResponse { event_id, sequence }))
    }
}

fn document(job: ReplayJob) -> Result<Bytes, Problem> {
    convert::json(&ReplayDocument::from(job))
}
