#![doc = include_str!("../README.md")]

mod error;
mod store;

pub mod automations;
pub mod bus;
pub mod capture_policies;
pub mod dead_letters;
pub mod events;
pub mod executions;
pub mod expunges;
pub mod jobs;
pub mod outbox;
pub mod payloads;
pub mod quarantine;
pub mod scheduled;
pub mod schemas;
pub mod sources;
pub mod stats;

mod batch;
mod checkpoint;
mod conn;
mod counters;
mod dual;
mod migrate;
mod pack;
mod schema;
#[cfg(feature = "testing")]
pub mod testing;

pub use conn::Conn;
pub use dual::Kind;
pub use error::{Answer, Error, Result};
pub use store::{Location, PooledConn, Store};
