#![doc = include_str!("../README.md")]

mod config;
mod data_dir;
mod error;
mod metrics;
mod parts;
mod server;
pub mod telemetry;

pub use config::{Config, Overrides};
pub use error::Error;
pub use parts::Environment;
pub use server::Server;

/// The version of the product.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
