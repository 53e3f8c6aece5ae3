//! Schedules over a real store, bus and event log, on a clock that is moved by hand: each instant fires once, whatever
//! dies, and the policies do what they say.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod by_hand;
mod catching_up;
mod changes;
mod crashes;
mod firing;
mod overlapping;
mod replicas;
mod trouble;
mod world;
