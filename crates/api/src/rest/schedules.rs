//! `/api/schedules`: definitions of schedules by name, what they will do and what they did.

use axum::{extract::State, response::IntoResponse};
use http::{Method, StatusCode};
use omni_schedules::{BackfillReport, Definition, Fire, Instant, Preview, Schedule};

use crate::{
    body::Json,
    call::Call,
    documents::{BackfillBody, PurgedDocument},
    operations::schedules::{self, CountQuery, FireQuery, TriggerQuery},
    page::{List, PageQuery},
    query::{Path, Query},
    rest::{Answer, AppState, IfMatch, created, definition, json, ok},
    routes::Route,
};

#[rustfmt::skip] // A table is read by row.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new((Method::POST, "/api/schedules"), "createSchedule", "Creates a schedule", create)
            .rpc("ScheduleService.Create").body::<Definition>().status(StatusCode::CREATED).answer::<Schedule>(),
        Route::new((Method::GET, "/api/schedules"), "listSchedules", "Lists the schedules", list)
            .rpc("ScheduleService.List").query::<PageQuery>().answer::<List<Schedule>>(),
        Route::new((Method::POST, "/api/schedules/preview"), "previewSchedule", "Tells what a definition means, without saving it", preview)
            .rpc("ScheduleService.Preview").query::<CountQuery>().body::<Definition>().answer::<Preview>(),
        Route::new((Method::GET, "/api/schedules/{name}"), "getSchedule", "Reads a schedule", get)
            .rpc("ScheduleService.Get").answer::<Schedule>(),
        Route::new((Method::PUT, "/api/schedules/{name}"), "updateSchedule", "Replaces the definition of a schedule", update)
            .rpc("ScheduleService.Update").body::<Definition>().answer::<Schedule>(),
        Route::new((Method::DELETE, "/api/schedules/{name}"), "deleteSchedule", "Deletes a schedule; its events stay", delete)
            .rpc("ScheduleService.Delete").status(StatusCode::NO_CONTENT),
        Route::new((Method::POST, "/api/schedules/{name}/enable"), "enableSchedule", "Switches a schedule on; what it missed is caught up as it says", enable)
            .rpc("ScheduleService.Enable").answer::<Schedule>(),
        Route::new((Method::POST, "/api/schedules/{name}/disable"), "disableSchedule", "Switches a schedule off", disable)
            .rpc("ScheduleService.Disable").answer::<Schedule>(),
        Route::new((Method::POST, "/api/schedules/{name}/trigger"), "triggerSchedule", "Fires a schedule now, whatever the clock says", trigger)
            .rpc("ScheduleService.Trigger").query::<TriggerQuery>().status(StatusCode::CREATED).answer::<Fire>(),
        Route::new((Method::POST, "/api/schedules/{name}/backfill"), "backfillSchedule", "Fires for the instants of a time range that have no fire, or tells which these are", backfill)
            .rpc("ScheduleService.Backfill").body::<BackfillBody>().answer::<BackfillReport>(),
        Route::new((Method::POST, "/api/schedules/{name}/purge"), "purgeSchedule", "Cancels the fires that wait", purge)
            .rpc("ScheduleService.Purge").answer::<PurgedDocument>(),
        Route::new((Method::GET, "/api/schedules/{name}/next"), "nextOfSchedule", "Tells the next instants of a schedule", next)
            .rpc("ScheduleService.Next").query::<CountQuery>().answer::<List<Instant>>(),
        Route::new((Method::GET, "/api/schedules/{name}/fires"), "listFires", "Lists what became of the instants of a schedule, newest first", fires)
            .rpc("ScheduleService.ListFires").query::<FireQuery>().answer::<List<Fire>>(),
    ]
}

async fn create(State(app): AppState, call: Call, Json(body): Json<Definition>) -> Answer {
    let schedule = schedules::create(&app, &call, body).await?;
    let location = format!("/api/schedules/{}", schedule.definition.name);
    created(definition(schedule.version, &schedule), &location)
}

async fn list(State(app): AppState, call: Call, Query(query): Query<PageQuery>) -> Answer {
    ok(&schedules::list(&app, &call, query).await?)
}

async fn preview(
    State(app): AppState,
    _call: Call,
    Query(query): Query<CountQuery>,
    Json(body): Json<Definition>,
) -> Answer {
    ok(&schedules::preview(&app, body, query.count)?)
}

async fn get(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let schedule = schedules::get(&app, &call, &name).await?;
    definition(schedule.version, &schedule)
}

async fn update(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    IfMatch(version): IfMatch,
    Json(body): Json<Definition>,
) -> Answer {
    let schedule = schedules::update(&app, &call, &name, body, version).await?;
    definition(schedule.version, &schedule)
}

async fn delete(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    schedules::delete(&app, &call, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enable(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let schedule = schedules::set_enabled(&app, &call, &name, true).await?;
    definition(schedule.version, &schedule)
}

async fn disable(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    let schedule = schedules::set_enabled(&app, &call, &name, false).await?;
    definition(schedule.version, &schedule)
}

async fn trigger(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Query(query): Query<TriggerQuery>,
) -> Answer {
    let fire = schedules::trigger(&app, &call, &name, query.triggered_by.as_deref()).await?;
    json(StatusCode::CREATED, &fire)
}

async fn backfill(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Json(body): Json<BackfillBody>,
) -> Answer {
    ok(&schedules::backfill(&app, &call, &name, body).await?)
}

async fn purge(State(app): AppState, call: Call, Path(name): Path<String>) -> Answer {
    ok(&schedules::purge(&app, &call, &name).await?)
}

async fn next(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Query(query): Query<CountQuery>,
) -> Answer {
    ok(&schedules::next(&app, &call, &name, query.count).await?)
}

async fn fires(
    State(app): AppState,
    call: Call,
    Path(name): Path<String>,
    Query(query): Query<FireQuery>,
) -> Answer {
    ok(&schedules::fires(&app, &call, &name, query).await?)
}
