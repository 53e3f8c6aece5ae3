//! The product's tests: each starts the whole server and uses it from outside, on both databases where it matters.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "product/audit.rs"]
mod audit;
#[path = "product/automations.rs"]
mod automations;
#[path = "product/bad_input.rs"]
mod bad_input;
#[path = "product/bad_values.rs"]
mod bad_values;
#[path = "product/bus_faults.rs"]
mod bus_faults;
#[path = "product/campaigns.rs"]
mod campaigns;
#[path = "product/captures.rs"]
mod captures;
#[path = "product/connect.rs"]
mod connect;
#[path = "product/database_faults.rs"]
mod database_faults;
#[path = "product/dead_letters.rs"]
mod dead_letters;
#[path = "product/grpc.rs"]
mod grpc;
#[path = "product/lifecycle.rs"]
mod lifecycle;
#[path = "product/listen.rs"]
mod listen;
#[path = "product/listener.rs"]
mod listener;
#[path = "product/listener_hostile.rs"]
mod listener_hostile;
#[path = "product/loop_guard.rs"]
mod loop_guard;
#[path = "product/patterns.rs"]
mod patterns;
#[path = "product/process.rs"]
mod process;
#[path = "product/processes.rs"]
mod processes;
#[path = "product/replays.rs"]
mod replays;
#[path = "product/scheduled.rs"]
mod scheduled;
#[path = "product/schedules.rs"]
mod schedules;
#[path = "product/schema_check.rs"]
mod schema_check;
#[path = "product/schemas.rs"]
mod schemas;
#[path = "product/security.rs"]
mod security;
#[path = "product/sources.rs"]
mod sources;
#[path = "product/surface.rs"]
mod surface;
#[path = "product/trace.rs"]
mod trace;
#[path = "product/webhook_walk.rs"]
mod webhook_walk;
#[path = "product/wire.rs"]
mod wire;
