//! `omni.v1.AutomationService`.

use omni_proto::{
    Automation, CreateAutomationRequest, CreateAutomationResponse, DeleteAutomationRequest,
    DeleteAutomationResponse, DisableAutomationRequest, DisableAutomationResponse,
    EnableAutomationRequest, EnableAutomationResponse, Execution, GetAutomationRequest,
    GetAutomationResponse, GetExecutionRequest, GetExecutionResponse, LintAutomationsRequest,
    LintAutomationsResponse, ListAutomationsRequest, ListAutomationsResponse,
    ListExecutionsRequest, ListExecutionsResponse, TestAutomationRequest, TestAutomationResponse,
    UpdateAutomationRequest, UpdateAutomationResponse,
    automation_service_server::AutomationService,
};
use tonic::{Request, Response};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::AutomationDocument,
    operations::{
        automations::{self, AutomationQuery},
        executions::{self, ExecutionQuery},
        trials::{self, LintBody},
    },
    problem::Problem,
};

#[tonic::async_trait]
impl AutomationService for Service {
    async fn create(
        &self,
        request: Request<CreateAutomationRequest>,
    ) -> Answer<CreateAutomationResponse> {
        let call = Call::of(&request)?;
        let definition = body::parse(request.into_inner().definition)?;
        let automation = message(automations::create(&self.0, &call, definition).await?)?;
        Ok(Response::new(CreateAutomationResponse { automation }))
    }

    async fn get(&self, request: Request<GetAutomationRequest>) -> Answer<GetAutomationResponse> {
        let call = Call::of(&request)?;
        let automation = message(automations::get(&self.0, &call, &request.get_ref().id).await?)?;
        Ok(Response::new(GetAutomationResponse { automation }))
    }

    async fn list(
        &self,
        request: Request<ListAutomationsRequest>,
    ) -> Answer<ListAutomationsResponse> {
        let call = Call::of(&request)?;
        let ListAutomationsRequest { name, limit, cursor } = request.into_inner();
        let query = AutomationQuery {
            name: convert::given(name),
            limit: convert::limit(limit),
            cursor: convert::given(cursor),
        };
        let page = automations::list(&self.0, &call, query).await?;
        let found: Vec<Option<Automation>> =
            page.items.into_iter().map(message).collect::<Result<_, _>>()?;
        Ok(Response::new(ListAutomationsResponse {
            automations: found.into_iter().flatten().collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn update(
        &self,
        request: Request<UpdateAutomationRequest>,
    ) -> Answer<UpdateAutomationResponse> {
        let call = Call::of(&request)?;
        let UpdateAutomationRequest { id, definition, if_version } = request.into_inner();
        let definition = body::parse(definition)?;
        let updated = automations::update(&self.0, &call, &id, definition, if_version).await?;
        Ok(Response::new(UpdateAutomationResponse { automation: message(updated)? }))
    }

    async fn delete(
        &self,
        request: Request<DeleteAutomationRequest>,
    ) -> Answer<DeleteAutomationResponse> {
        let call = Call::of(&request)?;
        automations::delete(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(DeleteAutomationResponse {}))
    }

    async fn enable(
        &self,
        request: Request<EnableAutomationRequest>,
    ) -> Answer<EnableAutomationResponse> {
        let call = Call::of(&request)?;
        let id = &request.get_ref().id;
        let automation = message(automations::set_enabled(&self.0, &call, id, true).await?)?;
        Ok(Response::new(EnableAutomationResponse { automation }))
    }

    async fn disable(
        &self,
        request: Request<DisableAutomationRequest>,
    ) -> Answer<DisableAutomationResponse> {
        let call = Call::of(&request)?;
        let id = &request.get_ref().id;
        let automation = message(automations::set_enabled(&self.0, &call, id, false).await?)?;
        Ok(Response::new(DisableAutomationResponse { automation }))
    }

    async fn test(
        &self,
        request: Request<TestAutomationRequest>,
    ) -> Answer<TestAutomationResponse> {
        let call = Call::of(&request)?;
        let body = body::parse(request.into_inner().spec)?;
        let trial = trials::test(&self.0, &call, body).await?;
        let document = convert::json(&trial)?;
        Ok(Response::new(TestAutomationResponse { document, matched: trial.matched }))
    }

    async fn lint(
        &self,
        request: Request<LintAutomationsRequest>,
    ) -> Answer<LintAutomationsResponse> {
        let call = Call::of(&request)?;
        let definition = request.into_inner().definition;
        let definition = if definition.is_empty() { None } else { Some(body::parse(definition)?) };
        let lints = trials::lint(&self.0, &call, LintBody { definition }).await?;
        Ok(Response::new(LintAutomationsResponse { document: convert::json(&lints)? }))
    }

    async fn list_executions(
        &self,
        request: Request<ListExecutionsRequest>,
    ) -> Answer<ListExecutionsResponse> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query = ExecutionQuery {
            automation_id: convert::filter_id("/automationId", &request.automation_id)?,
            event_id: convert::filter_id("/eventId", &request.event_id)?,
            event_type: convert::given(request.event_type),
            status: convert::given(request.status),
            limit: convert::limit(request.limit),
            cursor: convert::given(request.cursor),
        };
        let page = executions::list(&self.0, &call, query).await?;
        Ok(Response::new(ListExecutionsResponse {
            executions: page.items.into_iter().map(execution).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Answer<GetExecutionResponse> {
        let call = Call::of(&request)?;
        let found = executions::get(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(GetExecutionResponse { execution: Some(execution(found)?) }))
    }
}

fn message(automation: omni_automations::Automation) -> Result<Option<Automation>, Problem> {
    let document = AutomationDocument::from(automation);
    Ok(Some(Automation {
        id: document.id.to_string(),
        name: document.definition.name.clone(),
        version: document.version,
        enabled: document.definition.enabled,
        document: convert::json(&document)?,
    }))
}

fn execution(execution: omni_automations::Execution) -> Result<Execution, Problem> {
    Ok(Execution {
        id: execution.id.to_string(),
        automation_id: execution.automation_id.to_string(),
        automation_version: execution.automation_version,
        event_id: execution.event_id.to_string(),
        event_type: execution.event_type,
        status: execution.status,
        conditions_matched: execution.conditions_matched,
        actions_executed: convert::json(&execution.actions_executed)?,
        error: execution.error,
        execution_time_ms: execution.execution_time_ms as f64,
        created_at: Some(convert::timestamp(execution.created_at)),
    })
}
