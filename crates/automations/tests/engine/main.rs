//! The engine over a real store, bus and event log, with small actions of its own: what is recorded is not done again, a
//! fault stays where it is, and nobody waits for another.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and an action that panics is one of the faults"
)]

mod actions;
mod announced;
mod explaining;
mod matching;
mod redelivery;
mod replays;
mod room;
mod taken_over;
mod world;
