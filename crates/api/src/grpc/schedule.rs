//! `omni.v1.ScheduleService`.

use omni_proto::{
    BackfillScheduleRequest, BackfillScheduleResponse, CreateScheduleRequest,
    CreateScheduleResponse, DeleteScheduleRequest, DeleteScheduleResponse, DisableScheduleRequest,
    DisableScheduleResponse, EnableScheduleRequest, EnableScheduleResponse, GetScheduleRequest,
    GetScheduleResponse, ListFiresRequest, ListFiresResponse, ListSchedulesRequest,
    ListSchedulesResponse, NextScheduleRequest, NextScheduleResponse, PreviewScheduleRequest,
    PreviewScheduleResponse, PurgeScheduleRequest, PurgeScheduleResponse, Schedule,
    ScheduleInstant, TriggerScheduleRequest, TriggerScheduleResponse, UpdateScheduleRequest,
    UpdateScheduleResponse, schedule_service_server::ScheduleService,
};
use omni_schedules::{Definition, FireStatus, PreviewInstant};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::BackfillBody,
    operations::schedules::{self, FireQuery},
    page::PageQuery,
    problem::Problem,
};

#[tonic::async_trait]
impl ScheduleService for Service {
    async fn create(
        &self,
        request: Request<CreateScheduleRequest>,
    ) -> Answer<CreateScheduleResponse> {
        let call = Call::of(&request)?;
        let definition = body::parse(request.into_inner().definition)?;
        let schedule = Some(message(&schedules::create(&self.0, &call, definition).await?)?);
        Ok(Response::new(CreateScheduleResponse { schedule }))
    }

    async fn get(&self, request: Request<GetScheduleRequest>) -> Answer<GetScheduleResponse> {
        let call = Call::of(&request)?;
        let found = schedules::get(&self.0, &call, &request.get_ref().name).await?;
        Ok(Response::new(GetScheduleResponse { schedule: Some(message(&found)?) }))
    }

    async fn list(&self, request: Request<ListSchedulesRequest>) -> Answer<ListSchedulesResponse> {
        let call = Call::of(&request)?;
        let ListSchedulesRequest { limit, cursor } = request.into_inner();
        let query = PageQuery { limit: convert::limit(limit), cursor: convert::given(cursor) };
        let page = schedules::list(&self.0, &call, query).await?;
        Ok(Response::new(ListSchedulesResponse {
            schedules: page.items.iter().map(message).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn update(
        &self,
        request: Request<UpdateScheduleRequest>,
    ) -> Answer<UpdateScheduleResponse> {
        let call = Call::of(&request)?;
        let UpdateScheduleRequest { name, definition, if_version } = request.into_inner();
        let definition = body::parse(definition)?;
        let updated = schedules::update(&self.0, &call, &name, definition, if_version).await?;
        Ok(Response::new(UpdateScheduleResponse { schedule: Some(message(&updated)?) }))
    }

    async fn delete(
        &self,
        request: Request<DeleteScheduleRequest>,
    ) -> Answer<DeleteScheduleResponse> {
        let call = Call::of(&request)?;
        schedules::delete(&self.0, &call, &request.get_ref().name).await?;
        Ok(Response::new(DeleteScheduleResponse {}))
    }

    async fn enable(
        &self,
        request: Request<EnableScheduleRequest>,
    ) -> Answer<EnableScheduleResponse> {
        let call = Call::of(&request)?;
        let on = schedules::set_enabled(&self.0, &call, &request.get_ref().name, true).await?;
        Ok(Response::new(EnableScheduleResponse { schedule: Some(message(&on)?) }))
    }

    async fn disable(
        &self,
        request: Request<DisableScheduleRequest>,
    ) -> Answer<DisableScheduleResponse> {
        let call = Call::of(&request)?;
        let off = schedules::set_enabled(&self.0, &call, &request.get_ref().name, false).await?;
        Ok(Response::new(DisableScheduleResponse { schedule: Some(message(&off)?) }))
    }

    async fn trigger(
        &self,
        request: Request<TriggerScheduleRequest>,
    ) -> Answer<TriggerScheduleResponse> {
        let call = Call::of(&request)?;
        let TriggerScheduleRequest { name, triggered_by } = request.into_inner();
        let by = convert::given(triggered_by);
        let fire = schedules::trigger(&self.0, &call, &name, by.as_deref()).await?;
        Ok(Response::new(TriggerScheduleResponse { fire: convert::json(&fire)? }))
    }

    async fn backfill(
        &self,
        request: Request<BackfillScheduleRequest>,
    ) -> Answer<BackfillScheduleResponse> {
        let call = Call::of(&request)?;
        let BackfillScheduleRequest { name, spec } = request.into_inner();
        let body: BackfillBody = body::parse(spec)?;
        let report = schedules::backfill(&self.0, &call, &name, body).await?;
        Ok(Response::new(BackfillScheduleResponse { report: convert::json(&report)? }))
    }

    async fn purge(&self, request: Request<PurgeScheduleRequest>) -> Answer<PurgeScheduleResponse> {
        let call = Call::of(&request)?;
        let purged = schedules::purge(&self.0, &call, &request.get_ref().name).await?;
        Ok(Response::new(PurgeScheduleResponse { cancelled: purged.cancelled }))
    }

    async fn next(&self, request: Request<NextScheduleRequest>) -> Answer<NextScheduleResponse> {
        let call = Call::of(&request)?;
        let NextScheduleRequest { name, count } = request.into_inner();
        let page = schedules::next(&self.0, &call, &name, convert::limit(count)).await?;
        let instants = page.items.into_iter().map(|instant| ScheduleInstant {
            time: Some(convert::timestamp(instant.time)),
            local: instant.local,
            jitter_ms: Some(instant.jitter_ms),
        });
        Ok(Response::new(NextScheduleResponse { instants: instants.collect() }))
    }

    async fn list_fires(&self, request: Request<ListFiresRequest>) -> Answer<ListFiresResponse> {
        let call = Call::of(&request)?;
        let ListFiresRequest { name, status, limit, cursor } = request.into_inner();
        let query = FireQuery {
            status: convert::given(status).map(|word| self::status(&word)).transpose()?,
            limit: convert::limit(limit),
            cursor: convert::given(cursor),
        };
        let page = schedules::fires(&self.0, &call, &name, query).await?;
        Ok(Response::new(ListFiresResponse {
            fires: page.items.iter().map(convert::json).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn preview(
        &self,
        request: Request<PreviewScheduleRequest>,
    ) -> Answer<PreviewScheduleResponse> {
        Call::of(&request)?;
        let PreviewScheduleRequest { definition, count } = request.into_inner();
        let definition: Definition = body::parse(definition)?;
        let preview = schedules::preview(&self.0, definition, convert::limit(count))?;
        let next = preview.next.into_iter().map(|PreviewInstant { time, local }| ScheduleInstant {
            time: Some(convert::timestamp(time)),
            local,
            jitter_ms: None,
        });
        let (describes, next) = (preview.describes, next.collect());
        Ok(Response::new(PreviewScheduleResponse { describes, next }))
    }
}

fn status(word: &str) -> Result<FireStatus, Problem> {
    FireStatus::parse(word).ok_or_else(|| {
        let words = FireStatus::ALL.map(FireStatus::as_str).join(", ");
        Problem::field("status", format!("it is none of {words}"))
    })
}

fn message(schedule: &omni_schedules::Schedule) -> Result<Schedule, Problem> {
    Ok(Schedule {
        name: schedule.definition.name.clone(),
        version: schedule.version,
        enabled: schedule.definition.enabled,
        next_run: schedule.next_run.map(convert::timestamp),
        document: convert::json(schedule)?,
    })
}
