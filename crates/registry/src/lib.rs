#![doc = include_str!("../README.md")]

mod error;
mod nearby;
mod refresher;
mod registry;
mod schema;
mod seed;

pub use error::{Error, Refused, Violation};
pub use refresher::Refresher;
pub use registry::{Checked, Registry, TypeInfo};
pub use schema::Validation;
