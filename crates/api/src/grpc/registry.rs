//! `omni.v1.RegistryService`.

mod messages;

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use omni_proto::{
    CheckTypeProgress, CheckTypeRequest, CheckTypeResponse, ConfigureTypeRequest,
    ConfigureTypeResponse, DeleteTypeRequest, DeleteTypeResponse, ExportTypesRequest,
    ExportTypesResponse, GetTypeRequest, GetTypeResponse, GetTypeSettingsRequest,
    GetTypeSettingsResponse, GetTypeVersionRequest, GetTypeVersionResponse, ImportTypesRequest,
    ImportTypesResponse, InferTypeRequest, InferTypeResponse, ListTypeVersionsRequest,
    ListTypeVersionsResponse, ListTypesRequest, ListTypesResponse, RegisterTypeRequest,
    RegisterTypeResponse, SetTypeSettingsRequest, SetTypeSettingsResponse, check_type_response,
    registry_service_server::RegistryService,
};
use omni_registry::Progress;
use tonic::{Request, Response, Status};

use self::messages::{export_query, info, outcome, version};
use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::{DeleteTypeQuery, InferBody, Versions},
    operations::registry::{self, Step},
    problem::Problem,
};

type Checking = Pin<Box<dyn Stream<Item = Result<CheckTypeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl RegistryService for Service {
    async fn list_types(&self, request: Request<ListTypesRequest>) -> Answer<ListTypesResponse> {
        let call = Call::of(&request)?;
        let namespace = convert::given(request.into_inner().namespace);
        let found = registry::list(&self.0, &call, namespace.as_deref());
        let types = found.into_iter().map(info).collect::<Result<_, _>>()?;
        Ok(Response::new(ListTypesResponse { types }))
    }

    async fn get_type(&self, request: Request<GetTypeRequest>) -> Answer<GetTypeResponse> {
        let call = Call::of(&request)?;
        let found = registry::get(&self.0, &call, &request.get_ref().event_type)?;
        Ok(Response::new(GetTypeResponse { r#type: Some(info(found)?) }))
    }

    async fn register(
        &self,
        request: Request<RegisterTypeRequest>,
    ) -> Answer<RegisterTypeResponse> {
        let call = Call::of(&request)?;
        let body = body::parse(request.into_inner().definition)?;
        let done = registry::register(&self.0, &call, body).await?;
        Ok(Response::new(RegisterTypeResponse {
            document: convert::json(&done)?,
            outcome: outcome(done.registered.outcome).to_owned(),
            r#type: Some(info(done.registered.info)?),
        }))
    }

    async fn list_versions(
        &self,
        request: Request<ListTypeVersionsRequest>,
    ) -> Answer<ListTypeVersionsResponse> {
        let call = Call::of(&request)?;
        let ListTypeVersionsRequest { event_type, before } = request.into_inner();
        let before = (before != 0).then_some(before);
        let Versions { versions, next } =
            registry::versions(&self.0, &call, &event_type, before).await?;
        let versions = versions.into_iter().map(version).collect::<Result<_, _>>()?;
        Ok(Response::new(ListTypeVersionsResponse { versions, next: next.unwrap_or_default() }))
    }

    async fn get_version(
        &self,
        request: Request<GetTypeVersionRequest>,
    ) -> Answer<GetTypeVersionResponse> {
        let call = Call::of(&request)?;
        let GetTypeVersionRequest { event_type, version: number } = request.into_inner();
        let found = registry::version(&self.0, &call, &event_type, &number.to_string()).await?;
        Ok(Response::new(GetTypeVersionResponse { version: Some(version(found)?) }))
    }

    type CheckStream = Checking;

    async fn check(&self, request: Request<CheckTypeRequest>) -> Answer<Checking> {
        let call = Call::of(&request)?;
        let CheckTypeRequest { event_type, spec } = request.into_inner();
        let steps = registry::steps(self.0.clone(), call, event_type, body::parse(spec)?);
        let messages = steps.map(|step| Ok(CheckTypeResponse { step: Some(message(step?)?) }));
        Ok(Response::new(Box::pin(messages)))
    }

    async fn configure(
        &self,
        request: Request<ConfigureTypeRequest>,
    ) -> Answer<ConfigureTypeResponse> {
        let call = Call::of(&request)?;
        let ConfigureTypeRequest { event_type, config } = request.into_inner();
        let body = body::parse(config)?;
        let found = registry::configure(&self.0, &call, &event_type, body).await?;
        Ok(Response::new(ConfigureTypeResponse { r#type: Some(info(found)?) }))
    }

    async fn delete(&self, request: Request<DeleteTypeRequest>) -> Answer<DeleteTypeResponse> {
        let call = Call::of(&request)?;
        let DeleteTypeRequest { event_type, permanent } = request.into_inner();
        registry::delete(&self.0, &call, &event_type, &DeleteTypeQuery { permanent }).await?;
        Ok(Response::new(DeleteTypeResponse {}))
    }

    async fn get_settings(
        &self,
        request: Request<GetTypeSettingsRequest>,
    ) -> Answer<GetTypeSettingsResponse> {
        let call = Call::of(&request)?;
        let settings = convert::json(&registry::settings(&self.0, &call).await?)?;
        Ok(Response::new(GetTypeSettingsResponse { settings }))
    }

    async fn set_settings(
        &self,
        request: Request<SetTypeSettingsRequest>,
    ) -> Answer<SetTypeSettingsResponse> {
        let call = Call::of(&request)?;
        let body = body::parse(request.into_inner().settings)?;
        let settings = convert::json(&registry::set_settings(&self.0, &call, body).await?)?;
        Ok(Response::new(SetTypeSettingsResponse { settings }))
    }

    async fn infer(&self, request: Request<InferTypeRequest>) -> Answer<InferTypeResponse> {
        let call = Call::of(&request)?;
        let InferTypeRequest { event_type, limit, from, to } = request.into_inner();
        let body = InferBody {
            limit: (limit != 0).then_some(limit),
            from: convert::time("/from", from)?,
            to: convert::time("/to", to)?,
        };
        let found = registry::infer(&self.0, &call, &event_type, body).await?;
        Ok(Response::new(InferTypeResponse {
            schema: convert::json(&found.schema)?,
            documents: found.documents,
            evidence: found.evidence,
        }))
    }

    async fn import(&self, request: Request<ImportTypesRequest>) -> Answer<ImportTypesResponse> {
        let call = Call::of(&request)?;
        let body = body::parse(request.into_inner().spec)?;
        let document = convert::json(&registry::import(&self.0, &call, body).await?)?;
        Ok(Response::new(ImportTypesResponse { document }))
    }

    async fn export(&self, request: Request<ExportTypesRequest>) -> Answer<ExportTypesResponse> {
        let call = Call::of(&request)?;
        let query = export_query(request.into_inner())?;
        let document = convert::json(&registry::export(&self.0, &call, query).await?)?;
        Ok(Response::new(ExportTypesResponse { document }))
    }
}

fn message(step: Step) -> Result<check_type_response::Step, Problem> {
    Ok(match step {
        Step::Progress(Progress { checked, total }) => {
            check_type_response::Step::Progress(CheckTypeProgress { checked, total })
        }
        Step::Done(check) => check_type_response::Step::Check(convert::json(&check)?),
    })
}
