#![doc = include_str!("../README.md")]

mod appender;
mod check;
mod closing;
mod delivery;
mod draft;
mod error;
mod healer;
mod log;
mod publisher;
mod recovery;
mod repeats;

pub use appender::Appender;
pub use closing::Closing;
pub use draft::{Capture, Dedupe, Draft};
pub use error::AppendError;
pub use log::{Appended, Config, EventLog, Parts, Stats, open};
pub use publisher::Publisher;
pub use repeats::Repeats;

#[cfg(test)]
mod tests;
