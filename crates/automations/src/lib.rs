#![doc = include_str!("../README.md")]

mod announcing;
mod automations;
mod cache;
mod compiled;
mod definition;
mod engine;
mod error;
mod execution;
mod handling;
mod in_hand;
mod letters;
mod plan;
mod readers;
mod recorder;
mod replaying;
mod room;
mod taken_over;
mod trying;

pub use automations::Automations;
pub use cache::Refresher;
pub use definition::{ActionSpec, Automation, Definition, OnError};
pub use engine::{CONSUMER, Engine, EngineConfig, EngineStats};
pub use error::{Error, Problem};
pub use execution::{ActionResult, ActionStatus, Execution, ExecutionStatus};
pub use readers::{Read, Reader};
