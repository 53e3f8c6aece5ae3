#![doc = include_str!("../README.md")]

mod backend;
mod bus;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod consumer;
mod delivery;
mod embedded;
mod error;
mod group;
mod health;
mod lanes;
mod limits;
mod message;
mod nats;
mod ordered;
mod ordering;
mod replay;
mod retention;
mod routes;
mod sleeping;
mod stats;
mod stream;
mod subscription;
#[cfg(feature = "testing")]
pub mod testing;

pub use backend::{
    Addressed, Backend, DeadLetter, Page, Position, Pulled, Read, ReadFrom, Settlement, Verdict,
};
pub use bus::EventBus;
pub use config::{ConsumerConfig, EmbeddedOptions, Start, Sync};
pub use consumer::Consumer;
pub use delivery::Delivery;
pub use error::Error;
pub use health::Health;
pub use limits::{Limit, Limits};
pub use message::{Message, Receipt};
pub use nats::{Credentials, Foreign, Inbox, NatsOptions, Tls};
pub use ordering::OrderingKey;
pub use replay::{Progress, Replay, ReplayConfig, ReplayFrom, ReplayUntil, Replayed};
pub use retention::Retention;
pub use stats::{ConsumerStats, Latency, Stats};
pub use stream::Stream;
pub use subscription::{Ended, Failure, Received, Subscription};
