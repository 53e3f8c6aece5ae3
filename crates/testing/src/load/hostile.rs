//! `omni-load hostile`: what an honest sender notices while others open ten thousand sockets and say nothing, say it
//! slowly, or say too much.

mod attack;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use omni_clock::{Clock, Random, SystemClock};

use crate::load::Options;
use crate::load::drive::{self, Load};
use crate::load::error::Error;
use crate::load::hostile::attack::{Attack, Done};
use crate::load::http::Connection;
use crate::load::report::{self, Figure, millis};
use crate::load::server::Server;
use crate::load::target::Target;

/// Honest deliveries per second.
const RATE: u64 = 500;
/// Sockets that the attack keeps open.
const SOCKETS: u64 = 10_000;
/// Connections, caches and the allocator are warm after this.
const WARM_UP: Duration = Duration::from_secs(2);
/// The attack has all its sockets after this, or cannot.
const BEGIN_MAX: Duration = Duration::from_secs(30);
/// The engine may be behind the intake by this much.
const SETTLE_MAX: Duration = Duration::from_mins(1);

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    // Room for the attack and for honest senders: what is measured is the cost of sockets, not a full house.
    let seats = [("OMNI_CONNECTIONS_MAX", (SOCKETS + 2000).to_string())];
    let server = Server::start(options, folder.path(), &seats).await?;
    let target = Target::new(server.addr, &Random::from_entropy());
    target.create_source().await?;

    let numbers = Arc::new(AtomicU64::new(1));
    let (rate, time) = (options.rate.unwrap_or(RATE), Duration::from_secs(options.seconds));
    let honest = async |time| drive::open(&target, &numbers, options.connections, rate, time).await;
    let warm = honest(WARM_UP).await?;
    eprintln!("hostile: calm, {rate}/s, {} s …", time.as_secs());
    let calm = honest(time).await?;

    let attack = Attack::start(server.addr, SOCKETS)?;
    let clock = SystemClock::new();
    while attack.open() < SOCKETS * 9 / 10 {
        if clock.elapsed() > BEGIN_MAX {
            let open = attack.open();
            return Err(server.failure(&format!(
                "the attack has only {open} sockets open; is `ulimit -n` high enough?"
            )));
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
    eprintln!("hostile: under attack, {rate}/s, {} s …", time.as_secs());
    let attacked = honest(time).await?;
    let open = attack.open();
    let done = attack.stop()?;

    let counts = server.settle(SETTLE_MAX).await?;
    let acknowledged = warm.acknowledged + calm.acknowledged + attacked.acknowledged;
    if counts.events != acknowledged || counts.outcomes != acknowledged {
        return Err(server.failure(&format!(
            "{acknowledged} events were acknowledged but the server holds {} and handled {}",
            counts.events, counts.outcomes
        )));
    }
    let refused = refused(server.addr).await?;
    server.stop()?;
    report::publish(&figures((&calm, &attacked), open, &done, refused), options.json.as_deref())
}

/// Connections and requests that the server refused or cut off, of all causes.
async fn refused(addr: std::net::SocketAddr) -> Result<u64, Error> {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = Connection::open(addr).await?.ask(request.as_bytes()).await?.success()?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let lines = text.lines().filter(|line| line.starts_with("omni_connections_refused_total{"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

fn figures((calm, attacked): (&Load, &Load), open: u64, done: &Done, refused: u64) -> Vec<Figure> {
    let ratio = millis(&attacked.latency, 99.0) / millis(&calm.latency, 99.0);
    let count = |name: &str, count: u64| Figure::new(format!("hostile: {name}"), count as f64, "");
    vec![
        Figure::new("hostile: ack p50, calm", millis(&calm.latency, 50.0), "ms"),
        Figure::new("hostile: ack p99, calm", millis(&calm.latency, 99.0), "ms"),
        Figure::new("hostile: ack p50, under attack", millis(&attacked.latency, 50.0), "ms"),
        Figure::new("hostile: ack p99, under attack", millis(&attacked.latency, 99.0), "ms"),
        Figure::new("hostile: ack p99, under attack / calm", ratio, "times").at_most(1.5),
        count("sockets of the attack open at the end", open),
        count("sockets that the server closed", done.closed),
        count("bombs sent", done.bombs),
        count("refused or cut off by the server", refused),
    ]
}
