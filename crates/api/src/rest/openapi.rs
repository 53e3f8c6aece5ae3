//! `/api/openapi.json`: the description of this face, written once.

use std::sync::OnceLock;

use axum::{extract::State, response::IntoResponse};
use bytes::Bytes;
use http::{HeaderValue, Method, header};

use crate::{
    openapi,
    rest::{Answer, AppState},
    routes::{self, Route},
};

pub(crate) fn routes() -> Vec<Route> {
    let path = "/api/openapi.json";
    vec![Route::new((Method::GET, path), "getOpenapi", "Describes this API as OpenAPI 3.1", get)]
}

async fn get(State(app): AppState) -> Answer {
    // The same for the whole life of a process: routes and version are compiled in.
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text =
        TEXT.get_or_init(|| openapi::document(&routes::all(), app.version).to_string().into());
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], text.clone()).into_response())
}
