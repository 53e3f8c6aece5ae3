//! `omni.v1.SourceService`.

use omni_proto::{
    CreateSourceRequest, CreateSourceResponse, DeleteQuarantinedRequest, DeleteQuarantinedResponse,
    DeleteSourceRequest, DeleteSourceResponse, DisableSourceRequest, DisableSourceResponse,
    EnableSourceRequest, EnableSourceResponse, GetQuarantinedRequest, GetQuarantinedResponse,
    GetSourceRequest, GetSourceResponse, ListProvidersRequest, ListProvidersResponse,
    ListQuarantineRequest, ListQuarantineResponse, ListSourcesRequest, ListSourcesResponse,
    QuarantinedRequest, ReleaseManyQuarantinedRequest, ReleaseManyQuarantinedResponse,
    ReleaseQuarantinedRequest, ReleaseQuarantinedResponse, RotateSourceSecretRequest,
    RotateSourceSecretResponse, Source, TestSourceRequest, TestSourceResponse, UpdateSourceRequest,
    UpdateSourceResponse, source_service_server::SourceService,
};
use omni_sources::{Quarantined, ReleaseMany, ReleaseRequest, Rotation, TestRequest};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    operations::sources::{self, QuarantineQuery},
    page::PageQuery,
    problem::Problem,
};

#[tonic::async_trait]
impl SourceService for Service {
    async fn create(&self, request: Request<CreateSourceRequest>) -> Answer<CreateSourceResponse> {
        let call = Call::of(&request)?;
        let definition = body::parse(request.into_inner().definition)?;
        let source = Some(message(&sources::create(&self.0, &call, definition).await?)?);
        Ok(Response::new(CreateSourceResponse { source }))
    }

    async fn get(&self, request: Request<GetSourceRequest>) -> Answer<GetSourceResponse> {
        let call = Call::of(&request)?;
        let found = sources::get(&self.0, &call, &request.get_ref().name).await?;
        Ok(Response::new(GetSourceResponse { source: Some(message(&found)?) }))
    }

    async fn list(&self, request: Request<ListSourcesRequest>) -> Answer<ListSourcesResponse> {
        let call = Call::of(&request)?;
        let ListSourcesRequest { limit, cursor } = request.into_inner();
        let query = PageQuery { limit: convert::limit(limit), cursor: convert::given(cursor) };
        let page = sources::list(&self.0, &call, query).await?;
        Ok(Response::new(ListSourcesResponse {
            sources: page.items.iter().map(message).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn update(&self, request: Request<UpdateSourceRequest>) -> Answer<UpdateSourceResponse> {
        let call = Call::of(&request)?;
        let UpdateSourceRequest { name, definition, if_version } = request.into_inner();
        let definition = body::parse(definition)?;
        let updated = sources::update(&self.0, &call, &name, definition, if_version).await?;
        Ok(Response::new(UpdateSourceResponse { source: Some(message(&updated)?) }))
    }

    async fn delete(&self, request: Request<DeleteSourceRequest>) -> Answer<DeleteSourceResponse> {
        let call = Call::of(&request)?;
        sources::delete(&self.0, &call, &request.get_ref().name).await?;
        Ok(Response::new(DeleteSourceResponse {}))
    }

    async fn enable(&self, request: Request<EnableSourceRequest>) -> Answer<EnableSourceResponse> {
        let call = Call::of(&request)?;
        let source = sources::set_enabled(&self.0, &call, &request.get_ref().name, true).await?;
        Ok(Response::new(EnableSourceResponse { source: Some(message(&source)?) }))
    }

    async fn disable(
        &self,
        request: Request<DisableSourceRequest>,
    ) -> Answer<DisableSourceResponse> {
        let call = Call::of(&request)?;
        let source = sources::set_enabled(&self.0, &call, &request.get_ref().name, false).await?;
        Ok(Response::new(DisableSourceResponse { source: Some(message(&source)?) }))
    }

    async fn list_providers(
        &self,
        request: Request<ListProvidersRequest>,
    ) -> Answer<ListProvidersResponse> {
        Call::of(&request)?;
        let providers = sources::providers().items.into_iter().map(convert::json);
        let providers = providers.collect::<Result<_, _>>()?;
        Ok(Response::new(ListProvidersResponse { providers }))
    }

    async fn rotate_secret(
        &self,
        request: Request<RotateSourceSecretRequest>,
    ) -> Answer<RotateSourceSecretResponse> {
        let call = Call::of(&request)?;
        let RotateSourceSecretRequest { name, secret, overlap_seconds } = request.into_inner();
        let rotation = Rotation { secret: secret.map(Into::into), overlap_seconds };
        let rotated = sources::rotate_secret(&self.0, &call, &name, &rotation).await?;
        let source = Some(message(&rotated.source)?);
        Ok(Response::new(RotateSourceSecretResponse { source, secret: rotated.secret }))
    }

    async fn test(&self, request: Request<TestSourceRequest>) -> Answer<TestSourceResponse> {
        let call = Call::of(&request)?;
        let TestSourceRequest { name, request, base_url } = request.into_inner();
        let wanted =
            if request.is_empty() { TestRequest::default() } else { body::parse(request)? };
        let base = convert::given(base_url).unwrap_or_else(|| "http://127.0.0.1:7400".to_owned());
        let report = sources::test(&self.0, &call, &name, wanted, &base).await?;
        Ok(Response::new(TestSourceResponse { report: convert::json(&report)? }))
    }

    async fn list_quarantine(
        &self,
        request: Request<ListQuarantineRequest>,
    ) -> Answer<ListQuarantineResponse> {
        let call = Call::of(&request)?;
        let ListQuarantineRequest { source, limit, cursor, status, code } = request.into_inner();
        let query = QuarantineQuery {
            status: convert::given(status),
            code: convert::given(code),
            limit: convert::limit(limit),
            cursor: convert::given(cursor),
        };
        let page = sources::quarantine(&self.0, &call, &source, query).await?;
        let requests = page.items.into_iter().map(quarantined).collect::<Result<_, _>>()?;
        let next_cursor = page.next_cursor.unwrap_or_default();
        Ok(Response::new(ListQuarantineResponse { requests, next_cursor }))
    }

    async fn get_quarantined(
        &self,
        request: Request<GetQuarantinedRequest>,
    ) -> Answer<GetQuarantinedResponse> {
        let call = Call::of(&request)?;
        let GetQuarantinedRequest { source, id } = request.get_ref();
        let found = sources::quarantined(&self.0, &call, source, id).await?;
        Ok(Response::new(GetQuarantinedResponse { request: Some(quarantined(found)?) }))
    }

    async fn release(
        &self,
        request: Request<ReleaseQuarantinedRequest>,
    ) -> Answer<ReleaseQuarantinedResponse> {
        let call = Call::of(&request)?;
        let ReleaseQuarantinedRequest { source, id, force, note } = request.into_inner();
        let wanted = ReleaseRequest { force, note };
        let released = sources::release(&self.0, &call, (&source, &id), &wanted).await?;
        Ok(Response::new(ReleaseQuarantinedResponse { request: Some(quarantined(released)?) }))
    }

    async fn release_many(
        &self,
        request: Request<ReleaseManyQuarantinedRequest>,
    ) -> Answer<ReleaseManyQuarantinedResponse> {
        let call = Call::of(&request)?;
        let ReleaseManyQuarantinedRequest { source, ids, code, limit } = request.into_inner();
        let ids = ids.iter().map(|id| crate::operations::id("refused request", id));
        let ids = ids.collect::<Result<_, _>>()?;
        let many = ReleaseMany { ids, code: convert::given(code), limit };
        let done = sources::release_many(&self.0, &call, &source, many).await?;
        Ok(Response::new(ReleaseManyQuarantinedResponse {
            released: done.released,
            already: done.already,
            refused: done.refused,
            missing: done.missing,
            refusals: convert::json(&done.refusals)?,
        }))
    }

    async fn delete_quarantined(
        &self,
        request: Request<DeleteQuarantinedRequest>,
    ) -> Answer<DeleteQuarantinedResponse> {
        let call = Call::of(&request)?;
        let DeleteQuarantinedRequest { source, id } = request.get_ref();
        sources::forget(&self.0, &call, source, id).await?;
        Ok(Response::new(DeleteQuarantinedResponse {}))
    }
}

fn message(source: &omni_sources::Source) -> Result<Source, Problem> {
    Ok(Source {
        name: source.definition.name.clone(),
        version: source.version,
        document: convert::json(source)?,
    })
}

fn quarantined(request: Quarantined) -> Result<QuarantinedRequest, Problem> {
    Ok(QuarantinedRequest {
        id: request.id.to_string(),
        reason: request.reason,
        content_type: request.content_type,
        headers: convert::json(&request.headers)?,
        body: request.body,
        remote: request.remote,
        received_at: Some(convert::timestamp(request.received_at)),
        status: request.status,
        code: request.code,
        method: request.method,
        path: request.path,
        event_ids: request.event_ids.iter().map(ToString::to_string).collect(),
        forced: request.forced,
        note: request.note,
        released_at: request.released_at.map(convert::timestamp),
    })
}
