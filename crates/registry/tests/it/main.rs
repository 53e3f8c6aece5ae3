//! The registry over real stores.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod checking;
mod compatibility;
mod configuring;
mod deleting;
mod evidence;
mod registering;
mod replicas;
mod routing;
mod world;
