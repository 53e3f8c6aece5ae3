#![doc = include_str!("../README.md")]

pub mod bridge;
pub mod cloudevent;
mod compiled;
pub mod definition;
mod error;
mod lab;
pub mod manual;
pub mod provider;
mod refresher;
mod secrets;
mod source;
mod sources;
pub mod webhook;

pub use definition::{Definition, EventTypeFrom, Kind, Limits};
pub use error::{Error, Problem};
pub use lab::{Certainty, Diagnosis};
pub use refresher::Refresher;
pub use source::{Quarantined, RotatedSource, SecretInfo, Source};
pub use sources::{
    CheckReport, QuarantineQuery, ReleaseMany, ReleaseRequest, Releases, Rotation, Sample, Sources,
    StillRefused, TestReport, TestRequest, WouldBecome,
};
