//! The route table: one row per REST operation. The router, the OpenAPI document and the comparison with the RPCs are
//! all made from these rows, so none of them can differ from the others.

use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{App, rest};

/// Writes the schema of a type into a document.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One REST operation.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{placeholders}`, as both the router and OpenAPI write them.
    pub(crate) path: &'static str,
    /// Name in OpenAPI; generated clients call their functions so.
    pub(crate) operation_id: &'static str,
    pub(crate) summary: &'static str,
    /// The RPC that does the same, as `EventService.Trigger`; none for webhooks, health and OpenAPI.
    pub(crate) rpc: Option<&'static str>,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) body: Option<SchemaOf>,
    /// Other media types of the body, with their schemas.
    pub(crate) or_bodies: Vec<(&'static str, SchemaOf)>,
    pub(crate) status: StatusCode,
    pub(crate) answer: Option<SchemaOf>,
    /// The media type of the answer, where that is not JSON with a schema.
    pub(crate) media: Option<&'static str>,
    /// Whether a request from this machine may call it by any name: what tunnels and probes reach.
    pub(crate) by_any_name: bool,
    pub(crate) handler: MethodRouter<Arc<App>>,
}

impl Route {
    /// A row; the answer is 200 without a schema until said otherwise.
    pub(crate) fn new<H, T>(
        (method, path): (Method, &'static str),
        operation_id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        // Only the methods below are used; a row with another would never be routed, and the tests would say so.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
        Self {
            method,
            path,
            operation_id,
            summary,
            rpc: None,
            query: None,
            body: None,
            or_bodies: Vec::new(),
            status: StatusCode::OK,
            answer: None,
            media: None,
            by_any_name: false,
            handler: on(filter, handler),
        }
    }

    /// The RPC that does the same.
    pub(crate) fn rpc(mut self, rpc: &'static str) -> Self {
        self.rpc = Some(rpc);
        self
    }

    /// The query parameters.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(SchemaGenerator::root_schema_for::<T>);
        self
    }

    /// The JSON body.
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The body in another media type.
    pub(crate) fn or_body<T: JsonSchema>(mut self, media: &'static str) -> Self {
        self.or_bodies.push((media, SchemaGenerator::subschema_for::<T>));
        self
    }

    /// The JSON answer.
    pub(crate) fn answer<T: JsonSchema>(mut self) -> Self {
        self.answer = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The media type of an answer that is not JSON.
    pub(crate) fn media(mut self, media: &'static str) -> Self {
        self.media = Some(media);
        self
    }

    /// A request from this machine may call it by any name.
    pub(crate) fn by_any_name(mut self) -> Self {
        self.by_any_name = true;
        self
    }

    /// The status of success.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// Every row.
pub(crate) fn all() -> Vec<Route> {
    [
        rest::webhooks::routes(),
        rest::events::routes(),
        rest::publish::routes(),
        rest::captures::routes(),
        rest::trace::routes(),
        rest::explain::routes(),
        rest::replays::routes(),
        rest::types::routes(),
        rest::schema_check::routes(),
        rest::schema_exchange::routes(),
        rest::sources::routes(),
        rest::schedules::routes(),
        rest::automations::routes(),
        rest::executions::routes(),
        rest::dead_letters::routes(),
        rest::admin::routes(),
        rest::audit::routes(),
        rest::openapi::routes(),
        rest::health::routes(),
    ]
    .concat()
}
