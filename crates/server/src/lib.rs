#![doc = include_str!("../README.md")]

mod bus_health;
mod config;
mod data_dir;
mod dead_letters;
mod definitions;
mod error;
mod housekeeping;
mod listener;
mod metrics;
mod parts;
mod routing;
mod server;
mod system;
pub mod telemetry;

pub use config::{Config, Hidden, Overrides};
pub use error::Error;
pub use parts::Environment;
pub use server::Server;

/// The version of the product.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
