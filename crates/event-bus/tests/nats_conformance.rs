//! The NATS backend keeps the contract of every backend. Time is real, because the server keeps it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use omni_clock::{Random, SystemClock};
use omni_event_bus::{
    EventBus, NatsOptions,
    conformance::{
        Suite, Time, consuming, lifecycle, ordering, publishing, reading, routing, settling,
        subscribing,
    },
    testing::NatsServer,
};

/// A suite over a server of its own, which lives as long as the suite.
async fn place() -> (NatsServer, Suite) {
    let server = NatsServer::start().await;
    let url = server.url();
    let suite = Suite::new(Time::Real(SystemClock::new()), move |clock| {
        let random = Arc::new(Random::seeded(7));
        let options = NatsOptions { clock, random, ..NatsOptions::new(url.clone()) };
        async move { EventBus::nats(options).await.unwrap() }
    });
    (server, suite)
}

macro_rules! checks {
    ($($module:ident::$check:ident)*) => {
        $(#[tokio::test]
        async fn $check() {
            let (_server, suite) = place().await;
            $module::$check(&suite).await;
        })*
    };
}

omni_event_bus::for_every_check!(checks);
