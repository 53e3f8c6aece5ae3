//! The two ways to offer load: closed (as fast as answers come) for the ceiling, and open (at
//! instants fixed beforehand) for latency.
//!
//! Open-loop latency counts from the intended instant, so a server that stalls is charged for
//! everything that should have been sent meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::load::error::Error;
use crate::load::http::Connection;
use crate::load::report::histogram;
use crate::load::target::Target;

/// An instant at which something should be sent.
pub(crate) type Ticks = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Load {
    /// Answered with the id of an event.
    pub(crate) acknowledged: u64,
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Event id and instant of every acknowledgement, of open loads.
    pub(crate) acknowledgements: Vec<(String, Instant)>,
}

impl Load {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            acknowledged: 0,
            elapsed: Duration::ZERO,
            latency: histogram()?,
            acknowledgements: Vec::new(),
        })
    }

    fn record(&mut self, since: Instant) {
        self.acknowledged += 1;
        self.latency.saturating_record(since.elapsed().as_micros() as u64);
    }

    fn add(&mut self, part: Self) -> Result<(), Error> {
        self.acknowledged += part.acknowledged;
        self.acknowledgements.extend(part.acknowledgements);
        let add = self.latency.add(&part.latency);
        add.map_err(|error| Error::new(format!("histograms do not add up: {error}")))
    }
}

/// Every connection sends its next request as soon as its last one is answered. Any wrong answer
/// ends the run.
pub(crate) async fn closed(
    target: &Target,
    numbers: &Arc<AtomicU64>,
    connections: u64,
    time: Duration,
) -> Result<Load, Error> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, numbers) = (target.clone(), Arc::clone(numbers));
        tasks.spawn(async move {
            let mut connection = Connection::open(target.addr).await?;
            let mut load = Load::new()?;
            while started.elapsed() < time {
                let request = target.request(numbers.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                target.deliver(&mut connection, &request).await?;
                load.record(sent);
            }
            Ok(load)
        });
    }
    collect(tasks, started).await
}

/// `rate` requests a second at even distances, whichever connection is free. Any wrong answer ends
/// the run.
pub(crate) async fn open(
    target: &Target,
    numbers: &Arc<AtomicU64>,
    connections: u64,
    rate: u64,
    time: Duration,
) -> Result<Load, Error> {
    let started = Instant::now();
    let ticks = pace(rate, Some(rate * time.as_secs()))?;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, numbers, ticks) = (target.clone(), Arc::clone(numbers), Arc::clone(&ticks));
        tasks.spawn(async move {
            let mut connection = Connection::open(target.addr).await?;
            let mut load = Load::new()?;
            while let Some(intended) = next(&ticks).await {
                let request = target.request(numbers.fetch_add(1, Ordering::Relaxed));
                let event_id = target.deliver(&mut connection, &request).await?;
                load.record(intended);
                load.acknowledgements.push((event_id, Instant::now()));
            }
            Ok(load)
        });
    }
    collect(tasks, started).await
}

async fn collect(mut tasks: JoinSet<Result<Load, Error>>, started: Instant) -> Result<Load, Error> {
    let mut load = Load::new()?;
    while let Some(part) = tasks.join_next().await {
        load.add(part??)?;
    }
    load.elapsed = started.elapsed();
    Ok(load)
}

/// The next instant, for whoever is free first.
pub(crate) async fn next(ticks: &Ticks) -> Option<Instant> {
    ticks.lock().await.recv().await
}

/// Instants at even distances, `total` of them or without end, from a thread of its own: the timer
/// of the runtime knows whole milliseconds only, which would count as latency of the server. It
/// ends when nobody listens any more.
pub(crate) fn pace(rate: u64, total: Option<u64>) -> Result<Ticks, Error> {
    let (due, ticks) = mpsc::unbounded_channel();
    let started = Instant::now();
    std::thread::Builder::new().name("pace".into()).spawn(move || {
        for number in 0..total.unwrap_or(u64::MAX) {
            let at = started + Duration::from_nanos(number * 1_000_000_000 / rate);
            let wait = at.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                #[expect(clippy::disallowed_methods, reason = "this is the clock of the load")]
                std::thread::sleep(wait);
            }
            if due.send(at).is_err() {
                return;
            }
        }
    })?;
    Ok(Arc::new(Mutex::new(ticks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ticks_come_at_their_instants_and_no_earlier() {
        let ticks = pace(1000, Some(50)).unwrap();
        let mut all = Vec::new();
        while let Some(at) = next(&ticks).await {
            assert!(at <= Instant::now());
            all.push(at);
        }
        assert_eq!(all.len(), 50);
        assert_eq!(all[49] - all[0], Duration::from_millis(49));
    }
}
