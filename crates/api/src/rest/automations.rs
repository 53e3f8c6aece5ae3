//! `/api/automations`: definitions of automations, by id.

use axum::{extract::State, response::IntoResponse};
use http::{Method, StatusCode};
use omni_automations::{Automation, Definition, Lints, Trial};

use crate::{
    body::Json,
    call::Call,
    documents::{AutomationDocument, ExecutionDocument},
    operations::{
        automations::{self, AutomationQuery},
        executions,
        trials::{self, LintBody, TestBody},
    },
    page::{List, PageQuery},
    query::{Path, Query},
    rest::{Answer, AppState, IfMatch, created, definition, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    type Document = AutomationDocument;
    vec![
        Route::new((Method::POST, "/api/automations"), "createAutomation", "Creates an automation", create)
            .rpc("AutomationService.Create").body::<Definition>().status(StatusCode::CREATED).answer::<Document>(),
        Route::new((Method::GET, "/api/automations"), "listAutomations", "Lists the automations", list)
            .rpc("AutomationService.List").query::<AutomationQuery>().answer::<List<Document>>(),
        Route::new((Method::POST, "/api/automations/test"), "testAutomation", "Tries a definition out on an event; nothing is saved or done", test)
            .rpc("AutomationService.Test").body::<TestBody>().answer::<Trial>(),
        Route::new((Method::POST, "/api/automations/lint"), "lintAutomations", "Says what is odd about a definition, or about all automations", lint)
            .rpc("AutomationService.Lint").body::<LintBody>().answer::<Lints>(),
        Route::new((Method::GET, "/api/automations/{id}"), "getAutomation", "Reads an automation", get)
            .rpc("AutomationService.Get").answer::<Document>(),
        Route::new((Method::PUT, "/api/automations/{id}"), "updateAutomation", "Replaces the definition of an automation", update)
            .rpc("AutomationService.Update").body::<Definition>().answer::<Document>(),
        Route::new((Method::DELETE, "/api/automations/{id}"), "deleteAutomation", "Deletes an automation", delete)
            .rpc("AutomationService.Delete").status(StatusCode::NO_CONTENT),
        Route::new((Method::POST, "/api/automations/{id}/enable"), "enableAutomation", "Switches an automation on", enable)
            .rpc("AutomationService.Enable").answer::<Document>(),
        Route::new((Method::POST, "/api/automations/{id}/disable"), "disableAutomation", "Switches an automation off", disable)
            .rpc("AutomationService.Disable").answer::<Document>(),
        Route::new((Method::GET, "/api/automations/{id}/logs"), "listAutomationLogs", "Lists the executions of an automation", logs)
            .rpc("AutomationService.ListExecutions").query::<PageQuery>().answer::<List<ExecutionDocument>>(),
    ]
}

fn answer(automation: Automation) -> Answer {
    definition(automation.version, &AutomationDocument::from(automation))
}

async fn create(State(app): AppState, call: Call, Json(body): Json<Definition>) -> Answer {
    let automation = automations::create(&app, &call, body).await?;
    let location = format!("/api/automations/{}", automation.id);
    created(answer(automation), &location)
}

async fn list(State(app): AppState, call: Call, Query(query): Query<AutomationQuery>) -> Answer {
    ok(&automations::list(&app, &call, query).await?.map(AutomationDocument::from))
}

async fn test(State(app): AppState, call: Call, Json(body): Json<TestBody>) -> Answer {
    ok(&trials::test(&app, &call, body).await?)
}

async fn lint(State(app): AppState, call: Call, Json(body): Json<LintBody>) -> Answer {
    ok(&trials::lint(&app, &call, body).await?)
}

async fn get(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    answer(automations::get(&app, &call, &id).await?)
}

async fn update(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Json(body): Json<Definition>,
) -> Answer {
    answer(automations::update(&app, &call, &id, body, version).await?)
}

async fn delete(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    automations::delete(&app, &call, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enable(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    answer(automations::set_enabled(&app, &call, &id, true).await?)
}

async fn disable(State(app): AppState, call: Call, Path(id): Path<String>) -> Answer {
    answer(automations::set_enabled(&app, &call, &id, false).await?)
}

async fn logs(
    State(app): AppState,
    call: Call,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> Answer {
    ok(&executions::of_automation(&app, &call, &id, page).await?.map(ExecutionDocument::from))
}
