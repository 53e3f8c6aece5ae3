//! `omni-load ingest`: how fast signed webhooks become durable events, and at what cost.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use omni_clock::Random;

use crate::load::Options;
use crate::load::disk::sync_micros;
use crate::load::drive::{self, Load};
use crate::load::error::Error;
use crate::load::report::{self, Figure, millis};
use crate::load::server::Server;
use crate::load::target::Target;

/// Rate at which the bar for latency holds.
const RATE: u64 = 2000;
/// Connections, caches and the allocator are warm after this.
const WARM_UP: Duration = Duration::from_secs(2);
/// The engine may be behind the intake by this much.
const SETTLE_MAX: Duration = Duration::from_mins(1);

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let disk = sync_micros(folder.path())?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let target = Target::new(server.addr, &Random::from_entropy());
    target.create_source().await?;

    let numbers = Arc::new(AtomicU64::new(1));
    let (connections, time) = (options.connections, Duration::from_secs(options.seconds));
    eprintln!("ingest: as fast as it goes, {connections} connections, {} s …", time.as_secs());
    let warm = drive::closed(&target, &numbers, connections, WARM_UP).await?;
    server.settle(SETTLE_MAX).await?;
    let cpu_before = server.cpu_micros()?;
    let fast = drive::closed(&target, &numbers, connections, time).await?;
    let settled = server.settle(SETTLE_MAX).await?;
    let cpu = server.cpu_micros()? - cpu_before;
    eprintln!(
        "ingest: all {} events have an outcome: {}",
        settled.events,
        settled.outcomes == settled.events
    );

    let rate = options.rate.unwrap_or(RATE);
    eprintln!("ingest: {rate}/s, {} s …", time.as_secs());
    let calm = drive::open(&target, &numbers, connections, rate, time).await?;
    let counts = server.settle(SETTLE_MAX).await?;
    let acknowledged = warm.acknowledged + fast.acknowledged + calm.acknowledged;
    if counts.events != acknowledged {
        return Err(Error::new(format!(
            "{acknowledged} events were acknowledged but the server holds {}",
            counts.events
        )));
    }
    if counts.outcomes != counts.events {
        return Err(server.failure(&format!(
            "only {} of {} events have an outcome after {} s",
            counts.outcomes,
            counts.events,
            SETTLE_MAX.as_secs()
        )));
    }
    server.stop()?;
    report::publish(&figures(disk, &fast, cpu, (rate, &calm)), options.json.as_deref())
}

fn figures(disk: f64, fast: &Load, cpu: u64, (rate, calm): (u64, &Load)) -> Vec<Figure> {
    let per_second = fast.acknowledged as f64 / fast.elapsed.as_secs_f64();
    let at_rate = |what| format!("ingest: ack {what} at {rate}/s");
    let p99 = Figure::new(at_rate("p99"), millis(&calm.latency, 99.0), "ms");
    let p50 = millis(&calm.latency, 50.0);
    vec![
        Figure::new("ingest: durable events", per_second, "events/s").at_least(15_000.0),
        Figure::new("ingest: events counted", fast.acknowledged as f64, "events"),
        Figure::new("ingest: server CPU", cpu as f64 / fast.acknowledged as f64, "µs/event"),
        Figure::new("ingest: ack p50, saturated", millis(&fast.latency, 50.0), "ms"),
        Figure::new("ingest: ack p99, saturated", millis(&fast.latency, 99.0), "ms"),
        Figure::new(at_rate("p50"), p50, "ms"),
        if rate == RATE { p99.at_most(5.0) } else { p99 },
        Figure::new(at_rate("p99.9"), millis(&calm.latency, 99.9), "ms"),
        Figure::new(at_rate("max"), calm.latency.max() as f64 / 1000.0, "ms"),
        Figure::new("limit: fdatasync of 1 KiB, p50", disk, "µs"),
        Figure::new("ratio: ack p50 / fdatasync p50", p50 * 1000.0 / disk, "times"),
        Figure::new("ratio: events per fdatasync", per_second * disk / 1e6, "events"),
    ]
}
