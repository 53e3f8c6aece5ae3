//! Chance from one seed: random numbers and time-ordered ids.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Bits of a UUIDv7 after the time that count up within one millisecond, so that ids of one process never tie.
const COUNTER_BITS: u32 = 12;

/// A source of chance. The same seed gives the same sequence, so a run can be played again.
///
/// Not for keys or secrets.
#[derive(Debug)]
pub struct Random(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    last_ms: u64,
    counter: u16,
}

impl Random {
    /// Seeded by the system; every process has its own sequence.
    pub fn from_entropy() -> Self {
        Self::with(fastrand::Rng::new())
    }

    /// The sequence of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self::with(fastrand::Rng::with_seed(seed))
    }

    fn with(rng: fastrand::Rng) -> Self {
        Self(Mutex::new(State { rng, last_ms: 0, counter: 0 }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number out of all.
    pub fn next_u64(&self) -> u64 {
        self.state().rng.u64(..)
    }

    /// A number from 0 up to but without 1.
    pub fn fraction(&self) -> f64 {
        self.state().rng.f64()
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.state().rng.fill(&mut bytes);
        bytes
    }

    /// A new UUIDv7 (RFC 9562) for the given time.
    ///
    /// Ids of one source ascend even when many fall into one millisecond or the clock goes back: then the last
    /// millisecond is used on with a counter.
    pub fn uuid_v7(&self, now: DateTime<Utc>) -> Uuid {
        let mut state = self.state();
        let now_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        if now_ms > state.last_ms {
            state.last_ms = now_ms;
            // Starting low leaves room to count up.
            state.counter = state.rng.u16(..0x400);
        } else {
            state.counter += 1;
            if u32::from(state.counter) >= 1 << COUNTER_BITS {
                state.last_ms += 1;
                state.counter = 0;
            }
        }
        let tail: u64 = state.rng.u64(..);
        let mut bytes = [0u8; 10];
        bytes[..2].copy_from_slice(&state.counter.to_be_bytes());
        bytes[2..].copy_from_slice(&tail.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(state.last_ms, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence() {
        let (a, b) = (Random::seeded(1), Random::seeded(1));
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(a.uuid_v7(now), b.uuid_v7(now));
        assert_eq!(a.next_u64(), b.next_u64());
        assert!((0.0..1.0).contains(&a.fraction()));
    }

    #[test]
    fn ids_ascend_within_a_millisecond_and_when_the_clock_goes_back() {
        let random = Random::seeded(3);
        let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        let mut last = random.uuid_v7(at(1_000_000));
        for n in 0..20_000 {
            let next = random.uuid_v7(at(1_000_000 - n % 7));
            assert!(next > last, "{next} after {last}");
            assert_eq!(next.get_version_num(), 7);
            last = next;
        }
    }
}
