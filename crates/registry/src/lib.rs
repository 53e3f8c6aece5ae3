#![doc = include_str!("../README.md")]

mod error;
mod nearby;
mod refresher;
mod register;
mod registry;
mod routes;
mod schema;
mod seed;

pub use error::{Error, Refused, Violation};
pub use refresher::Refresher;
pub use register::NewType;
pub use registry::{Checked, Registry, TypeInfo};
pub use routes::Routes;
pub use schema::Validation;
