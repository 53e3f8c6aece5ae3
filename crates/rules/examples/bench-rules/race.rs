//! Lets matchers take turns on the same events.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::engines::{Engine, MODES, Ours, Peer};

/// Bytes of events between two turns: they stay in the cache of a core.
const TURN: usize = 256 << 10;

/// Events one behind the other, as a log has them.
#[derive(Default)]
pub(crate) struct Events {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Events {
    pub(crate) fn push(&mut self, event: &str) {
        self.bytes.extend_from_slice(event.as_bytes());
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn mean_bytes(&self) -> usize {
        self.bytes.len() / self.len()
    }

    pub(crate) fn get(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[place]]
    }

    /// The events of each turn.
    fn turns(&self) -> Vec<std::ops::Range<usize>> {
        let (mut turns, mut start, mut bytes) = (Vec::new(), 0, 0);
        for place in 0..self.len() {
            bytes += self.get(place).len();
            if bytes >= TURN || place + 1 == self.len() {
                turns.push(start..place + 1);
                (start, bytes) = (place + 1, 0);
            }
        }
        turns
    }
}

/// How one matcher did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lap {
    pub(crate) nanos_per_event: f64,
    /// Rules that held, over all events.
    pub(crate) matches: usize,
}

/// Each matcher sees all events, a turn at a time, and each is as often the first of a turn as the others.
pub(crate) fn race(events: &Events, engines: &mut [&mut dyn Engine]) -> Vec<Lap> {
    let mut sums = vec![(Duration::ZERO, 0); engines.len()];
    for (number, turn) in events.turns().into_iter().enumerate() {
        for runner in 0..engines.len() {
            let runner = (runner + number) % engines.len();
            touch(events, &turn);
            let (time, matches) = &mut sums[runner];
            let started = Instant::now();
            for place in turn.clone() {
                *matches += engines[runner].count(events.get(place));
            }
            *time += started.elapsed();
        }
    }
    let lap = |(time, matches): (Duration, usize)| Lap {
        nanos_per_event: time.as_secs_f64() * 1e9 / events.len() as f64,
        matches,
    };
    sums.into_iter().map(lap).collect()
}

/// Ours beside both modes of the other.
pub(crate) struct Outcome {
    pub(crate) ours: Lap,
    /// By the names of the modes, without those that could not be built.
    pub(crate) peers: Vec<(&'static str, Lap)>,
}

impl Outcome {
    /// How many times quicker ours is than the better mode of the other.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let best = self.peers.iter().map(|(_, lap)| lap.nanos_per_event).min_by(f64::total_cmp)?;
        Some(best / self.ours.nanos_per_event)
    }
}

/// Races ours against both modes of the other. Panics when they do not find the same.
pub(crate) fn against(
    what: &str,
    events: &Events,
    ours: &mut Ours,
    patterns: &[(u32, String)],
    build_at_most: Duration,
) -> Outcome {
    let build =
        |(name, mode)| Some((name, Peer::build(mode, patterns, events.get(0), build_at_most)?));
    let mut peers: Vec<_> = MODES.into_iter().filter_map(build).collect();
    let mut engines: Vec<&mut dyn Engine> = vec![ours];
    engines.extend(peers.iter_mut().map(|(_, peer)| peer as &mut dyn Engine));
    let laps = race(events, &mut engines);
    let peers: Vec<_> =
        peers.iter().map(|(name, _)| *name).zip(laps[1..].iter().copied()).collect();
    for (name, lap) in &peers {
        assert_eq!(laps[0].matches, lap.matches, "{what}: ours beside quamina built for {name}");
    }
    Outcome { ours: laps[0], peers }
}

fn touch(events: &Events, turn: &std::ops::Range<usize>) {
    for place in turn.clone() {
        for line in events.get(place).chunks(64) {
            black_box(line[0]);
        }
    }
}
