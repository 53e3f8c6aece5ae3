#![doc = include_str!("../README.md")]

mod appender;
mod check;
mod closing;
mod draft;
mod error;
mod log;
mod publisher;
mod recovery;

pub use appender::Appender;
pub use closing::Closing;
pub use draft::{Capture, Dedupe, Draft};
pub use error::AppendError;
pub use log::{Appended, Config, EventLog, Parts, Stats, open};
pub use publisher::Publisher;

#[cfg(test)]
mod tests;
