#![doc = include_str!("../README.md")]

mod error;
mod store;

pub mod automations;
pub mod bus;
pub mod events;
pub mod executions;
pub mod outbox;
pub mod payloads;
pub mod quarantine;
pub mod schemas;
pub mod sources;
pub mod stats;

mod batch;
mod checkpoint;
mod conn;
mod counters;
mod dual;
mod migrate;
mod schema;
#[cfg(feature = "testing")]
pub mod testing;

pub use conn::Conn;
pub use dual::Kind;
pub use error::{Answer, Error, Result};
pub use store::{Location, PooledConn, Store};
