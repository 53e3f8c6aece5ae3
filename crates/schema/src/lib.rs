#![doc = include_str!("../README.md")]

mod compat;
mod exchange;
mod infer;
mod paths;
mod schema;
mod validator;

pub use compat::{Comparison, Compatibility, Direction, Finding, Policy, compare};
pub use exchange::{
    Exported, Imported, Imports, NotImported, export_asyncapi, export_openapi, import,
};
pub use infer::{Inference, Inferred};
pub use paths::{Reading, Step, places, reading};
pub use schema::{Draft, SCHEMA_BYTES_MAX, Schema, Unusable};
pub use validator::{Validator, Violation};
