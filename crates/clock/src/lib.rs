#![doc = include_str!("../README.md")]

mod clock;
mod manual;
mod random;

pub use clock::{Clock, SystemClock};
pub use manual::ManualClock;
pub use random::Random;
