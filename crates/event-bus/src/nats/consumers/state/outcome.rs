//! What becomes of messages by what their holders say.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Action, Key, Out, Record, State};
use crate::{DeadLetter, Settlement, Verdict};

impl State {
    /// Takes note of what became of a message. Returns what to tell the server, and whether there is room again.
    pub(in super::super) fn settle(
        &mut self,
        settlement: Settlement,
        (now, wall): (Duration, DateTime<Utc>),
    ) -> (Option<Action>, bool) {
        let key = (settlement.stream, settlement.sequence);
        let full = self.out.len() >= self.in_flight_max || self.chance == Some(key);
        if let Some(until) = self.ghosts.get_mut(&key) {
            if matches!(settlement.verdict, Verdict::InProgress) {
                *until = now + self.ack_wait;
                return (None, false);
            }
            self.ghosts.remove(&key);
            return (None, true);
        }
        if matches!(settlement.verdict, Verdict::Ack) {
            let Some(out) = self.out.remove(&key).or_else(|| self.late.remove(&key)) else {
                return (None, false);
            };
            if out.until <= now || out.waits {
                self.discard(key);
            }
            let recorded = out.recorded.then(|| self.record_key(out.source, key));
            return (Some(Action::Ack { reply: out.reply, recorded }), full);
        }
        if !self.is_active(now) {
            return (None, false);
        }
        // What the server may have given up already is not ours to judge.
        let margin = self.ack_wait / 20;
        let Some(out) = self.out.get_mut(&key) else { return (None, false) };
        let latest = out.pulled.attempt == settlement.attempt && !out.waits;
        if !latest || now + margin >= out.until {
            return (None, false);
        }
        let before = out.until.saturating_sub(margin);
        let (reply, source) = (out.reply.clone(), out.source);
        match settlement.verdict {
            Verdict::InProgress | Verdict::Ack => {
                out.until = now + self.ack_wait;
                (Some(Action::Progress { reply }), false)
            }
            Verdict::Retry { delay, reason } => {
                out.failures.push(reason);
                (out.waits, out.until, out.recorded) = (true, now + delay, true);
                let record = Record { failures: out.failures.clone(), out: None };
                let wake = self.chance == Some(key);
                let key = self.record_key(source, key);
                (Some(Action::Again { reply, key, record, delay, before }), wake)
            }
            Verdict::Dead { reason } => (self.bury(key, reason, wall), full),
        }
    }

    fn bury(&mut self, key: Key, reason: String, dead_at: DateTime<Utc>) -> Option<Action> {
        let Out { pulled, reply, failures: mut reasons, recorded, source, .. } =
            self.out.remove(&key)?;
        reasons.push(reason);
        let letter = DeadLetter {
            consumer: self.name.clone(),
            stream: pulled.stream,
            sequence: pulled.sequence,
            message: pulled.message,
            published_at: pulled.published_at,
            attempts: pulled.attempt,
            reasons,
            dead_at,
        };
        let made = self.sources.get(source).map(|standing| standing.made.clone());
        let recorded = recorded.then(|| self.record_key(source, key));
        let (letter, made) = (Box::new(letter), made.unwrap_or_default());
        Some(Action::Bury { reply, letter, made, recorded })
    }
}
