//! Real servers for tests.

mod nats_server;

pub use self::nats_server::NatsServer;
