#![doc = include_str!("../README.md")]

mod error;
mod store;

pub mod audit;
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
pub mod schedules;
pub mod schemas;
pub mod sources;
pub mod stats;
pub mod trace;

mod batch;
mod checkpoint;
mod conn;
mod counters;
mod dual;
mod migrate;
mod pack;
mod pool;
mod postgres;
mod schema;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;

pub use conn::Conn;
pub use dual::Kind;
pub use error::{Answer, Error, Result};
pub use pool::PooledConn;
pub use store::{Location, Store};
