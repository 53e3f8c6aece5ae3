#![doc = include_str!("../README.md")]

mod cloudevents;
mod envelope;
mod event_type;
mod labels;
mod org;
mod pattern;
pub mod payload;
mod raw;
mod select;
mod subject;
mod time;

pub use cloudevents::{CloudEvent, InvalidCloudEvent};
pub use envelope::{Event, Metadata, Replay};
pub use event_type::{Domain, EventType, InvalidType, TypePattern};
pub use labels::{Direction, Priority, UnknownLabel};
pub use org::{InvalidOrg, Org};
pub use pattern::SubjectPattern;
pub use raw::{DEPTH_MAX, InvalidJson, Payload};
pub use select::{InvalidSelect, Select};
pub use subject::{InvalidSubject, Subject, check_token, subject};
pub use time::rfc3339_millis;

/// How many times an event may cause another before the chain is cut.
///
/// A rule that emits what triggers it would otherwise run for ever; sixteen is deeper than any sensible chain.
pub const HOPS_MAX: u16 = 16;
