#![doc = include_str!("../README.md")]

mod announcing;
mod automations;
mod cache;
mod compiled;
mod definition;
mod engine;
mod error;
mod execution;
mod explaining;
mod handling;
mod in_hand;
mod letters;
mod linting;
mod matching;
mod plan;
mod readers;
mod recorder;
mod replaying;
mod room;
mod taken_over;
mod trial;
mod trying;

pub use automations::Automations;
pub use cache::Refresher;
pub use definition::{ActionSpec, Automation, Definition, OnError};
pub use engine::{CONSUMER, Engine, EngineConfig, EngineStats};
pub use error::{Error, Problem};
pub use execution::{ActionResult, ActionStatus, Execution, ExecutionStatus};
pub use explaining::{Explained, Explanation, Reason, ReasonKind, Recorded, Subject};
pub use linting::{Linted, Lints};
pub use readers::{Read, Reader};
pub use trial::{Rendered, Trial};
