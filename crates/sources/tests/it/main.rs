//! The sources over a real store, bus and event log: definitions, the receiver, the manual trigger.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod bridge;
mod definitions;
mod manual;
mod receive;
mod refuse;
mod world;
