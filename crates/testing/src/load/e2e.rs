//! `omni-load e2e`: from the acknowledgement of an event to the start of the action it causes,
//! seen from outside: the answer is here, the action's request is here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use omni_clock::Random;
use serde_json::{Value, json};

use crate::load::Options;
use crate::load::drive;
use crate::load::error::Error;
use crate::load::receiver::{Effect, Receiver};
use crate::load::report::{self, Figure, histogram, millis};
use crate::load::server::Server;
use crate::load::target::Target;

/// Rate at which the bar holds.
const RATE: u64 = 500;
const WARM_UP: Duration = Duration::from_secs(2);
const SETTLE_MAX: Duration = Duration::from_mins(1);

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let target = Target::new(server.addr, &Random::from_entropy());
    target.create_source().await?;
    target.create_automation(&automation(&receiver)).await?;

    let numbers = Arc::new(AtomicU64::new(1));
    let rate = options.rate.unwrap_or(RATE);
    let (connections, time) = (options.connections, Duration::from_secs(options.seconds));
    eprintln!("e2e: {rate}/s, {} s …", time.as_secs());
    let warm = drive::open(&target, &numbers, connections, rate, WARM_UP).await?;
    server.settle(SETTLE_MAX).await?;
    let cpu_before = server.cpu_micros()?;
    let load = drive::open(&target, &numbers, connections, rate, time).await?;
    let counts = server.settle(SETTLE_MAX).await?;
    let cpu = server.cpu_micros()? - cpu_before;

    let acknowledged = warm.acknowledged + load.acknowledged;
    let effects = receiver.effects();
    if counts.events != acknowledged || counts.outcomes != acknowledged {
        return Err(server.failure(&format!(
            "{acknowledged} events were acknowledged, {} are held, {} have an outcome",
            counts.events, counts.outcomes
        )));
    }
    if effects.len() as u64 != acknowledged {
        return Err(server.failure(&format!(
            "{acknowledged} events were acknowledged but {} actions arrived",
            effects.len()
        )));
    }
    server.stop()?;
    let delays = delays(&load.acknowledgements, &effects)?;
    let p99 =
        Figure::new(format!("e2e: ack → action p99 at {rate}/s"), millis(&delays, 99.0), "ms");
    let figures = [
        Figure::new(format!("e2e: ack → action p50 at {rate}/s"), millis(&delays, 50.0), "ms"),
        if rate == RATE { p99.at_most(20.0) } else { p99 },
        Figure::new("e2e: ack → action max", delays.max() as f64 / 1000.0, "ms"),
        Figure::new("e2e: ack p99", millis(&load.latency, 99.0), "ms"),
        Figure::new("e2e: events counted", load.acknowledged as f64, "events"),
        Figure::new("e2e: server CPU", cpu as f64 / load.acknowledged as f64, "µs/event"),
    ];
    report::publish(&figures, options.json.as_deref())
}

fn automation(receiver: &Receiver) -> Value {
    json!({
        "name": "load", "triggerEventType": "custom.webhook.github.push",
        "triggerConditions": [
            { "field": "payload.ref", "operator": "eq", "value": "refs/heads/main" },
        ],
        "actions": [
            { "type": "webhook", "config": { "url": format!("http://{}/effect", receiver.addr) } },
        ],
    })
}

/// One delay per acknowledgement, in microseconds. The action may be faster than the answer; that
/// is a delay of none.
fn delays(
    acknowledgements: &[(String, Instant)],
    effects: &[Effect],
) -> Result<Histogram<u64>, Error> {
    let mut first: HashMap<&str, Instant> = HashMap::with_capacity(effects.len());
    for effect in effects {
        first.entry(&effect.event_id).or_insert(effect.at);
    }
    let mut delays = histogram()?;
    for (event_id, acknowledged) in acknowledgements {
        let Some(started) = first.get(event_id.as_str()) else {
            return Err(Error::new(format!(
                "event {event_id} was acknowledged but never acted on"
            )));
        };
        let delay = started.saturating_duration_since(*acknowledged);
        delays.saturating_record(delay.as_micros() as u64);
    }
    Ok(delays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(event_id: &str, at: Instant) -> Effect {
        Effect { event_id: event_id.into(), key: String::new(), at }
    }

    #[test]
    fn a_delay_counts_to_the_first_arrival_and_never_below_none() {
        let now = Instant::now();
        let later = |ms| now + Duration::from_millis(ms);
        let effects = [effect("a", later(5)), effect("a", later(900)), effect("b", now)];
        let delays = delays(&[("a".into(), now), ("b".into(), later(3))], &effects).unwrap();
        assert_eq!(delays.len(), 2);
        assert!((5000..5010).contains(&delays.max()), "{}", delays.max());
        assert_eq!(delays.min(), 0);
    }

    #[test]
    fn an_action_that_never_came_voids_the_run() {
        assert!(delays(&[("a".into(), Instant::now())], &[]).is_err());
    }
}
