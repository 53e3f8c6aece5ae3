//! The bridge: CloudEvents that other systems publish over NATS become events of the log.
//!
//! It must stay true that a message is acknowledged only after its event is committed, that a repeat is the same event,
//! and that what can never be taken ends as a dead letter with the reason, without holding up what follows.

mod agent;
mod translate;

pub use self::agent::Bridge;
