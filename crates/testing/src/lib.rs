#![doc = include_str!("../README.md")]

mod app;
mod eventually;
pub mod github;
mod http;
pub mod load;
mod receiver;

pub use app::{Bus, Database, SECRET, TestApp, on_both};
pub use eventually::{PATIENCE, eventually};
pub use http::{Http, Reply};
pub use omni_event_bus::testing::NatsServer;
pub use receiver::{Received, Receiver};
