#![doc = include_str!("../README.md")]

mod blocking;
mod compared;
mod configure;
mod delete;
mod entry;
mod error;
mod evidence;
mod infer;
mod nearby;
mod refresher;
mod register;
mod registry;
mod routes;
mod seed;
mod stored;
mod versions;

pub use blocking::off_thread;
pub use compared::{Against, Compared};
pub use configure::{Said, Settings, TypeOptions};
pub use entry::{TypeInfo, Validation};
pub use error::{Error, Refused};
pub use evidence::{CHECK_EVENTS, Evidence, Failure, REGISTER_EVENTS};
pub use infer::InferOptions;
pub use omni_schema::{
    Comparison, Compatibility, Direction, Finding, Inferred, Policy, Schema, Unusable, Violation,
};
pub use refresher::Refresher;
pub use register::{NewType, Outcome, Registered};
pub use registry::{Checked, Registry};
pub use routes::Routes;
pub use stored::{EVENTS_MAX, Progress};
pub use versions::{VERSIONS_MAX, VersionInfo};
