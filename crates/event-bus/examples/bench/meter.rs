//! Counting what tasks get done in a stretch of time, and what it costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use omni_clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::machine;

/// Not counted: until everybody runs.
const WARM_UP: Duration = Duration::from_millis(300);

/// What tasks count into, and where they see that it is over.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    done: AtomicU64,
    over: AtomicBool,
}

/// How much was done, and the processor time of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// Of this process, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Of the server, in microseconds, where there is one.
    pub(crate) server_micros: Option<f64>,
}

impl Meter {
    pub(crate) fn add(&self, count: usize) {
        self.done.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// All that was counted.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Counts for a while, and then lets all tasks end.
    pub(crate) async fn run(
        self: &Arc<Self>,
        time: Duration,
        server: Option<u32>,
        tasks: JoinSet<()>,
    ) -> Rate {
        let clock = SystemClock::new();
        clock.sleep(WARM_UP).await;
        let (watch, before) = (Watch::start(server), self.done());
        clock.sleep(time).await;
        let rate = watch.rate(self.done() - before);
        self.over.store(true, Ordering::Relaxed);
        tasks.join_all().await;
        rate
    }
}

/// A moment, and the processor time used up to it.
pub(crate) struct Watch {
    at: Instant,
    cpu: Duration,
    server: Option<(u32, Duration)>,
}

impl Watch {
    pub(crate) fn start(server: Option<u32>) -> Self {
        let server = server.map(|pid| (pid, machine::cpu_of_server(pid)));
        Self { at: Instant::now(), cpu: machine::cpu("self"), server }
    }

    /// What so many events since then mean.
    pub(crate) fn rate(&self, events: u64) -> Rate {
        let events = events as f64;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / events;
        Rate {
            per_second: events / self.at.elapsed().as_secs_f64(),
            cpu_micros: each(machine::cpu("self").saturating_sub(self.cpu)),
            server_micros: self
                .server
                .map(|(pid, cpu)| each(machine::cpu_of_server(pid).saturating_sub(cpu))),
        }
    }
}
