//! `omni.v1.DeadLetterService`.

use omni_events::TypePattern;
use omni_proto::{
    AbandonDeadLetterRequest, AbandonDeadLetterResponse, DeadLetter, DeadLetterRetry,
    GetDeadLetterRequest, GetDeadLetterResponse, GetDeadLetterRetryRequest,
    GetDeadLetterRetryResponse, ListDeadLettersRequest, ListDeadLettersResponse,
    ResolveDeadLetterRequest, ResolveDeadLetterResponse, RetryDeadLetterRequest,
    RetryDeadLetterResponse, RetryDeadLettersRequest, RetryDeadLettersResponse,
    dead_letter_service_server::DeadLetterService,
};
use omni_store::{dead_letters::DeadLetterHead, jobs::JobRow};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    call::Call,
    documents::DeadLetterStoryDocument,
    operations::dead_letters::{self, DeadLetterQuery, ResolveBody, RetryBody, RetryQuery},
    problem::Problem,
};

#[tonic::async_trait]
impl DeadLetterService for Service {
    async fn list(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Answer<ListDeadLettersResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query = DeadLetterQuery {
            status: convert::given(request.status),
            consumer: convert::given(request.consumer),
            automation_id: convert::filter_id("/automationId", &request.automation_id)?,
            event_id: convert::filter_id("/eventId", &request.event_id)?,
            event_type: pattern(request.r#type)?,
            from: convert::time("/from", request.from)?,
            to: convert::time("/to", request.to)?,
            limit: convert::limit(request.limit),
            cursor: convert::given(request.cursor),
        };
        let page = dead_letters::list(&self.0, &call, query).await?;
        Ok(Response::new(ListDeadLettersResponse {
            dead_letters: page.items.into_iter().map(message).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn get(&self, request: Request<GetDeadLetterRequest>) -> Answer<GetDeadLetterResponse> {
        let call = Call::of(&request)?;
        let story = dead_letters::get(&self.0, &call, &request.get_ref().id).await?;
        let dead_letter = Some(message(story.letter.head.clone()));
        let document = convert::json(&DeadLetterStoryDocument::from(story))?;
        Ok(Response::new(GetDeadLetterResponse { dead_letter, document }))
    }

    async fn retry(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Answer<RetryDeadLetterResponse> {
        let call = Call::of(&request)?;
        let head = dead_letters::retry(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(RetryDeadLetterResponse { dead_letter: Some(message(head)) }))
    }

    async fn resolve(
        &self,
        request: Request<ResolveDeadLetterRequest>,
    ) -> Answer<ResolveDeadLetterResponse> {
        let call = Call::of(&request)?;
        let ResolveDeadLetterRequest { id, note } = request.into_inner();
        let head = dead_letters::resolve(&self.0, &call, &id, ResolveBody { note }).await?;
        Ok(Response::new(ResolveDeadLetterResponse { dead_letter: Some(message(head)) }))
    }

    async fn abandon(
        &self,
        request: Request<AbandonDeadLetterRequest>,
    ) -> Answer<AbandonDeadLetterResponse> {
        let call = Call::of(&request)?;
        let head = dead_letters::abandon(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(AbandonDeadLetterResponse { dead_letter: Some(message(head)) }))
    }

    async fn retry_all(
        &self,
        request: Request<RetryDeadLettersRequest>,
    ) -> Answer<RetryDeadLettersResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let filter = RetryQuery {
            consumer: convert::given(request.consumer),
            automation_id: convert::filter_id("/automationId", &request.automation_id)?,
            event_id: convert::filter_id("/eventId", &request.event_id)?,
            event_type: pattern(request.r#type)?,
            from: convert::time("/from", request.from)?,
            to: convert::time("/to", request.to)?,
        };
        let job = dead_letters::retry_all(&self.0, &call, RetryBody { filter }).await?;
        Ok(Response::new(RetryDeadLettersResponse { retry: Some(retry(job)) }))
    }

    async fn get_retry(
        &self,
        request: Request<GetDeadLetterRetryRequest>,
    ) -> Answer<GetDeadLetterRetryResponse> {
        let call = Call::of(&request)?;
        let job = dead_letters::job(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(GetDeadLetterRetryResponse { retry: Some(retry(job)) }))
    }
}

fn pattern(text: String) -> Result<Option<TypePattern>, Problem> {
    let parse = |text: String| TypePattern::parse(&text);
    let parsed = convert::given(text).map(parse).transpose();
    parsed.map_err(|error| Problem::field("/type", error.to_string()))
}

fn message(head: DeadLetterHead) -> DeadLetter {
    DeadLetter {
        id: head.id.to_string(),
        status: head.status,
        consumer: head.consumer,
        automation_id: head.automation_id.map(|id| id.to_string()),
        version: head.version,
        event_id: head.event_id.to_string(),
        event_type: head.event_type,
        attempts: head.attempts,
        retries: head.retries,
        next_retry_at: head.next_retry_at.map(convert::timestamp),
        retry_event_id: head.retry_event_id.map(|id| id.to_string()),
        note: head.note,
        changed_by: head.changed_by,
        dead_at: Some(convert::timestamp(head.dead_at)),
        changed_at: Some(convert::timestamp(head.changed_at)),
    }
}

fn retry(job: JobRow) -> DeadLetterRetry {
    DeadLetterRetry {
        id: job.id.to_string(),
        status: job.status,
        total: job.total,
        done: job.done,
        error: job.error,
        created_at: Some(convert::timestamp(job.created_at)),
        finished_at: job.finished_at.map(convert::timestamp),
    }
}
