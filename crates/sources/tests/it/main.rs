//! The sources over a real store, bus and event log: definitions, the receiver, the manual trigger.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod bodies;
mod bridge;
mod definitions;
mod documented;
mod greetings;
mod limits;
mod manual;
mod receive;
mod refuse;
mod secrets;
mod world;
