#![doc = include_str!("../README.md")]

mod backfill;
mod by_hand;
mod catchup;
mod cron;
mod definition;
mod error;
mod fire;
mod judge;
mod overlap;
mod plan;
mod prepared;
mod preview;
mod recording;
mod render;
mod runner;
mod schedule;
mod schedules;
mod stats;
mod zone;

pub use backfill::{BACKFILL_MAX, Backfill, BackfillReport};
pub use catchup::{CatchUp, catch_up};
pub use definition::{Catchup, Definition, Kind, Overlap};
pub use error::{Error, Problem};
pub use fire::{Fire, FireStatus, FiresQuery, Instant, Reason};
pub use overlap::{OverlapDecision, overlap};
pub use plan::{Next, Plan};
pub use preview::{Preview, PreviewInstant};
pub use runner::Runner;
pub use schedule::Schedule;
pub use schedules::{Config, Schedules};
pub use stats::{LATENESS_MS, Stats};
