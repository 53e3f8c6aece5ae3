#![doc = include_str!("../README.md")]

mod backend;
mod bus;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod consumer;
mod delivery;
mod embedded;
mod error;
mod message;
mod retention;
mod stats;
mod stream;

pub use backend::{Backend, DeadLetter, Position, Pulled, Settlement, Verdict};
pub use bus::EventBus;
pub use config::{ConsumerConfig, EmbeddedOptions, Start, Sync};
pub use consumer::Consumer;
pub use delivery::Delivery;
pub use error::Error;
pub use message::{Message, Receipt};
pub use retention::Retention;
pub use stats::Stats;
pub use stream::Stream;
