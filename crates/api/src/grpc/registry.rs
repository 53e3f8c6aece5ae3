//! `omni.v1.RegistryService`.

use omni_proto::{
    EventTypeInfo, GetTypeRequest, GetTypeResponse, ListTypesRequest, ListTypesResponse,
    registry_service_server::RegistryService,
};
use omni_registry::TypeInfo;
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{call::Call, operations::registry, problem::Problem};

#[tonic::async_trait]
impl RegistryService for Service {
    async fn list_types(&self, request: Request<ListTypesRequest>) -> Answer<ListTypesResponse> {
        let call = Call::of(&request)?;
        let found = registry::list(&self.0, &call);
        let types = found.into_iter().map(message).collect::<Result<_, _>>()?;
        Ok(Response::new(ListTypesResponse { types }))
    }

    async fn get_type(&self, request: Request<GetTypeRequest>) -> Answer<GetTypeResponse> {
        let call = Call::of(&request)?;
        let found = registry::get(&self.0, &call, &request.get_ref().event_type)?;
        Ok(Response::new(GetTypeResponse { r#type: Some(message(found)?) }))
    }
}

fn message(info: TypeInfo) -> Result<EventTypeInfo, Problem> {
    Ok(EventTypeInfo {
        event_type: info.event_type,
        description: info.description.unwrap_or_default(),
        version: info.version,
        schema: convert::json(&info.schema)?,
        validation: info.validation.as_str().to_owned(),
        built_in: info.built_in,
    })
}
