//! `omni.v1.SourceService`.

use omni_proto::{
    CreateSourceRequest, CreateSourceResponse, DeleteSourceRequest, DeleteSourceResponse,
    GetSourceRequest, GetSourceResponse, ListQuarantineRequest, ListQuarantineResponse,
    ListSourcesRequest, ListSourcesResponse, QuarantinedRequest, Source, UpdateSourceRequest,
    UpdateSourceResponse, source_service_server::SourceService,
};
use omni_sources::Quarantined;
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{body, call::Call, operations::sources, page::PageQuery, problem::Problem};

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

    async fn list_quarantine(
        &self,
        request: Request<ListQuarantineRequest>,
    ) -> Answer<ListQuarantineResponse> {
        let call = Call::of(&request)?;
        let ListQuarantineRequest { source, limit } = request.into_inner();
        let page = sources::quarantine(&self.0, &call, &source, convert::limit(limit)).await?;
        let requests = page.items.into_iter().map(quarantined).collect::<Result<_, _>>()?;
        Ok(Response::new(ListQuarantineResponse { requests }))
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
    })
}
