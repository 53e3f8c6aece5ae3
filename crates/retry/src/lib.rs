#![doc = include_str!("../README.md")]

mod header;
mod policy;

pub use header::{RETRY_AFTER_MAX, retry_after};
pub use policy::{ATTEMPTS_MAX, DELAY_MS_MAX, Policy, Strategy};
