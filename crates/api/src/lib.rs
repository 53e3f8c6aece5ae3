#![doc = include_str!("../README.md")]

mod app;
mod health;
mod neighbour;
mod router;

mod grpc;
mod operations;
mod rest;
mod routes;

mod documents;
mod page;
mod problem;

mod body;
mod call;
mod correlation;
mod openapi;
mod query;

#[cfg(test)]
mod tests;

pub use app::{App, MetricsText};
pub use body::{BODY_MAX, NoRoom};
pub use health::{Connection, Health, State};
pub use router::{router, router_of_webhooks};
