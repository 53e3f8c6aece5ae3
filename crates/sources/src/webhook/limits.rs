//! Who may send to a source, and how often.
//!
//! What must stay true: a request that is refused here takes nothing from the allowance of those that are not.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;

/// How often a source takes requests in this process: the generic cell rate algorithm, which needs one number of memory
/// and lets through `burst` requests at once and then one per interval.
#[derive(Debug)]
pub(crate) struct Rate {
    interval: u64,
    /// How far the next request may lie ahead of its time.
    ahead_max: u64,
    /// When the next request would be due if all came evenly, in nanoseconds of the clock. Shared with later readings of
    /// the same source, so that no change of another source gives a flood new allowance.
    due: Arc<AtomicU64>,
}

impl Rate {
    /// So many requests per second on average, and so many at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        let ahead_max = interval.saturating_mul(u64::from(burst.max(1)) - 1);
        Self { interval, ahead_max, due: Arc::default() }
    }

    /// Goes on counting where an earlier reading of the same source stands.
    pub(crate) fn succeed(&mut self, before: &Self) {
        self.due = Arc::clone(&before.due);
    }

    /// Takes one request, or says how long it has to wait, in whole seconds.
    pub(crate) fn admit(&self, now: Duration) -> Result<(), u64> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut due = self.due.load(Ordering::Relaxed);
        loop {
            let early = due.saturating_sub(now);
            if early > self.ahead_max {
                return Err((early - self.ahead_max).div_ceil(1_000_000_000).max(1));
            }
            let next = due.max(now).saturating_add(self.interval);
            match self.due.compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => due = current,
            }
        }
    }
}

/// Whether an address may send; an empty list lets everybody, and an unknown address is on no list.
pub(crate) fn may_send(allowed: &[IpNet], from: Option<IpAddr>) -> bool {
    // An IPv4 address arrives in the clothes of IPv6 at a listener for both.
    let from = from.map(|from| from.to_canonical());
    allowed.is_empty() || from.is_some_and(|from| allowed.iter().any(|net| net.contains(&from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &Rate, at: Duration, tries: usize) -> usize {
        (0..tries).filter(|_| rate.admit(at).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_average_does() {
        let rate = Rate::new(10, 5);
        let at = Duration::from_millis;
        assert_eq!(taken(&rate, at(1000), 100), 5);
        assert_eq!(taken(&rate, at(1099), 100), 0);
        assert_eq!(taken(&rate, at(1100), 100), 1);
        assert_eq!(taken(&rate, at(1450), 100), 3);
        // A pause gives back no more than a burst.
        assert_eq!(taken(&rate, at(60_000), 100), 5);
        // Over ten seconds it is the average, whatever comes.
        let sum: usize = (0..1000).map(|n| taken(&rate, at(100_000 + n * 10), 3)).sum();
        assert!((100..=105).contains(&sum), "{sum}");
    }

    #[test]
    fn it_says_how_long_to_wait_and_forgets_nothing_when_read_anew() {
        let rate = Rate::new(1, 1);
        let at = Duration::from_secs;
        assert_eq!(rate.admit(at(5)), Ok(()));
        assert_eq!(rate.admit(at(5)), Err(1));
        let mut again = Rate::new(1, 1);
        again.succeed(&rate);
        assert_eq!(again.admit(at(5)), Err(1));
        assert_eq!(again.admit(at(6)), Ok(()));
        assert_eq!(rate.admit(at(6)), Err(1));
    }

    #[test]
    fn addresses_are_compared_in_their_plain_form() {
        let nets = |texts: &[&str]| -> Vec<IpNet> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let allowed = nets(&["192.0.2.0/24", "2001:db8::/32"]);
        for (from, may) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.3.7", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(may_send(&allowed, Some(from.parse().unwrap())), may, "{from}");
        }
        assert!(!may_send(&allowed, None));
        assert!(may_send(&[], None));
    }
}
