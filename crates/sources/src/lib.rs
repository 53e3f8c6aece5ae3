#![doc = include_str!("../README.md")]

pub mod bridge;
pub mod cloudevent;
mod compiled;
mod definition;
mod error;
pub mod manual;
mod refresher;
mod source;
mod sources;
pub mod webhook;

pub use definition::{
    ApiKey, Definition, Encoding, EventTypeFrom, HmacSha256, Kind, Limits, Provider, Verifier,
};
pub use error::{Error, Problem};
pub use refresher::Refresher;
pub use source::{Quarantined, Source};
pub use sources::Sources;
