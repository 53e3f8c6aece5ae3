//! What a connection is at, and until when it may stay so.
//!
//! Only facts are noted while bytes flow; the timer of the connection looks at them now and then ([`Activity::verdict`]),
//! so that a request costs no timer of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{Cause, Limits, limits::STALL_MAX};

/// What an HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    now: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    protocol: Protocol,
    /// Since when the client has taken nothing of what we write.
    stuck: Option<Instant>,
    /// A request was answered before all of it was read.
    unread: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not a byte came.
    Silent,
    /// The head of a request is coming.
    Head { since: Instant },
    /// So many requests are running.
    Busy { requests: usize },
    /// Everything is answered.
    Idle { since: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// So many bytes of the preface of HTTP/2 came, and nothing else.
    Unknown {
        matched: usize,
    },
    One,
    Two,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then.
    Wait(Instant),
    /// Its time is over: finish what runs and close.
    Finish,
    /// Cut it off.
    Cut(Cause),
}

impl Activity {
    pub(super) fn new(opened: Instant) -> Self {
        let protocol = Protocol::Unknown { matched: 0 };
        let state = State { phase: Phase::Silent, protocol, stuck: None, unread: false };
        Self { opened, now: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These bytes came.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if let Protocol::Unknown { matched } = state.protocol {
            state.protocol = told(matched, bytes);
            if state.protocol == Protocol::Two {
                state.phase = Phase::Idle { since: Instant::now() };
                return;
            }
        }
        // On HTTP/2 bytes between requests are frames of their own, such as pings.
        let waits = matches!(state.phase, Phase::Silent | Phase::Idle { .. });
        if waits && state.protocol != Protocol::Two {
            state.phase = Phase::Head { since: Instant::now() };
        }
    }

    /// The client takes nothing of what is written, or does again.
    pub(super) fn stuck(&self, is_stuck: bool) {
        let mut state = self.lock();
        if !is_stuck {
            state.stuck = None;
        } else if state.stuck.is_none() {
            state.stuck = Some(Instant::now());
        }
    }

    /// The head of a request is complete.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        let running = match state.phase {
            Phase::Busy { requests } => requests,
            Phase::Silent | Phase::Head { .. } | Phase::Idle { .. } => 0,
        };
        state.phase = Phase::Busy { requests: running + 1 };
    }

    /// The answer to a request is given to the connection.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        match state.phase {
            Phase::Busy { requests } if requests > 1 => {
                state.phase = Phase::Busy { requests: requests - 1 };
            }
            _ => state.phase = Phase::Idle { since: Instant::now() },
        }
    }

    /// A request was answered before all of its body was read.
    pub(super) fn left_unread(&self) {
        self.lock().unread = true;
    }

    /// Whether the client may still be sending what nobody will read.
    pub(super) fn is_unread(&self) -> bool {
        let state = self.lock();
        // A connection of HTTP/2 says itself how it ends.
        let is_one = state.protocol != Protocol::Two;
        is_one && (state.unread || matches!(state.phase, Phase::Head { .. }))
    }

    /// What is to be done now.
    pub(super) fn verdict(&self, limits: &Limits, now: Instant) -> Verdict {
        let state = self.lock();
        if state.stuck.is_some_and(|since| now >= since + STALL_MAX) {
            return Verdict::Cut(Cause::Stalled);
        }
        // No phase that begins after now ends before this.
        let later = now + limits.header.min(limits.idle);
        let until = match state.phase {
            Phase::Busy { .. } => later,
            Phase::Silent => self.opened + limits.first_byte,
            Phase::Head { since } => since + limits.header,
            Phase::Idle { since } => since + limits.idle,
        };
        match state.phase {
            Phase::Silent if now >= until => Verdict::Cut(Cause::Silent),
            Phase::Head { .. } if now >= until => Verdict::Cut(Cause::SlowHead),
            // It was told that its time is over, and does not go.
            Phase::Idle { .. } if now >= until + limits.header => Verdict::Cut(Cause::Silent),
            Phase::Idle { .. } if now >= until => Verdict::Finish,
            _ if limits.age.is_some_and(|age| now >= self.opened + age) => Verdict::Finish,
            _ => Verdict::Wait(until.min(later)),
        }
    }
}

/// The protocol after these bytes.
fn told(matched: usize, bytes: &[u8]) -> Protocol {
    let rest = PREFACE.get(matched..).unwrap_or_default();
    let common = rest.iter().zip(bytes).take_while(|(want, got)| want == got).count();
    if common == rest.len() {
        Protocol::Two
    } else if common == bytes.len() {
        Protocol::Unknown { matched: matched + common }
    } else {
        Protocol::One
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            connections: 1,
            per_address: 1,
            first_byte: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            age: None,
            body_memory: 1,
        }
    }

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time() {
        let activity = Activity::new(Instant::now());
        assert_eq!(activity.verdict(&limits(), after(4)), Verdict::Wait(after(5)));
        assert_eq!(activity.verdict(&limits(), after(5)), Verdict::Cut(Cause::Silent));
        activity.received(b"P");
        assert_eq!(activity.verdict(&limits(), after(9)), Verdict::Wait(after(10)));
        assert_eq!(activity.verdict(&limits(), after(10)), Verdict::Cut(Cause::SlowHead));
        activity.received(b"OST / HTTP/1.1\r\n\r\n");
        activity.begin();
        assert_eq!(activity.verdict(&limits(), after(999)), Verdict::Wait(after(1009)));
        activity.end();
        assert_eq!(activity.verdict(&limits(), after(0)), Verdict::Wait(after(10)));
        assert_eq!(activity.verdict(&limits(), after(60)), Verdict::Finish);
        activity.received(b"G");
        assert_eq!(activity.verdict(&limits(), after(10)), Verdict::Cut(Cause::SlowHead));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_finishes_and_its_other_times_still_hold() {
        let limits = Limits { age: Some(Duration::from_secs(7)), ..limits() };
        let activity = Activity::new(Instant::now());
        activity.received(b"G");
        assert!(matches!(activity.verdict(&limits, after(6)), Verdict::Wait(_)));
        assert_eq!(activity.verdict(&limits, after(7)), Verdict::Finish);
        assert_eq!(activity.verdict(&limits, after(10)), Verdict::Cut(Cause::SlowHead));
        activity.begin();
        assert_eq!(activity.verdict(&limits, after(10)), Verdict::Finish);
    }

    #[tokio::test(start_paused = true)]
    async fn pings_between_requests_of_http2_are_no_slow_head() {
        let activity = Activity::new(Instant::now());
        activity.received(&PREFACE[..5]);
        assert_eq!(activity.verdict(&limits(), after(10)), Verdict::Cut(Cause::SlowHead));
        activity.received(&PREFACE[5..]);
        activity.received(b"ping");
        assert_eq!(activity.verdict(&limits(), after(59)), Verdict::Wait(after(60)));
        assert_eq!(activity.verdict(&limits(), after(60)), Verdict::Finish);
        assert_eq!(activity.verdict(&limits(), after(70)), Verdict::Cut(Cause::Silent));
        activity.begin();
        activity.begin();
        activity.end();
        assert!(matches!(activity.verdict(&limits(), after(99)), Verdict::Wait(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_of_an_answer_is_cut_off() {
        let activity = Activity::new(Instant::now());
        activity.begin();
        activity.stuck(true);
        assert!(matches!(activity.verdict(&limits(), after(29)), Verdict::Wait(_)));
        assert_eq!(activity.verdict(&limits(), after(30)), Verdict::Cut(Cause::Stalled));
        activity.stuck(false);
        assert!(matches!(activity.verdict(&limits(), after(30)), Verdict::Wait(_)));
    }

    #[test]
    fn the_preface_is_told_however_it_is_cut() {
        assert_eq!(told(0, b"GET"), Protocol::One);
        assert_eq!(told(0, b"PRI * HTTP/1.1"), Protocol::One);
        assert_eq!(told(0, PREFACE), Protocol::Two);
        assert_eq!(told(0, &[PREFACE.as_slice(), b"more"].concat()), Protocol::Two);
        assert_eq!(told(0, b"PRI"), Protocol::Unknown { matched: 3 });
        assert_eq!(told(3, b" * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Protocol::Two);
        assert_eq!(told(3, b"X"), Protocol::One);
    }
}
