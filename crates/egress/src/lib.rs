#![doc = include_str!("../README.md")]

mod config;
pub mod guard;
mod ranges;

mod client;
mod connect;
mod error;
mod request;

pub use client::{Egress, Streaming};
pub use config::Config;
pub use error::Error;
pub use request::{Request, Response, is_reserved_header};
