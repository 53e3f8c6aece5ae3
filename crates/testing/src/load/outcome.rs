//! What a campaign came to, as figures and as one line.

use std::time::Duration;

use crate::load::audit::Verdict;
use crate::load::report::Figure;

/// A campaign that ran to its end; whether it kept its promises is another question.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) rounds: u32,
    pub(crate) verdict: Verdict,
    /// Deliveries that were sent again.
    pub(crate) resent: u64,
    /// Answers of "not now".
    pub(crate) refused: u64,
    /// Ascending.
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) seed: u64,
}

impl Outcome {
    pub(crate) fn is_clean(&self) -> bool {
        self.verdict.is_clean()
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let (verdict, (p50, max)) = (&self.verdict, self.recovery());
        let name = |name: &str| format!("{}: {name}", self.name);
        let count = |what, count: u64| Figure::new(name(what), count as f64, "");
        let none = |what, number| count(what, number).at_most(0.0);
        vec![
            count("rounds", u64::from(self.rounds)),
            count("acknowledged", verdict.acknowledged),
            none("lost", verdict.lost),
            none("stuck", verdict.stuck),
            none("failed", verdict.failed),
            none("deliveries that became two events", verdict.dup_events),
            none("effects under two keys or emitted twice", verdict.dup_effects),
            none("effects that did not happen", verdict.missing_effects),
            none("events out of their order", verdict.out_of_order),
            count("effects repeated under their key", verdict.redelivered),
            count("deliveries sent again", self.resent),
            count("deliveries refused for a while", self.refused),
            Figure::new(name("recovery p50"), p50, "ms"),
            Figure::new(name("recovery max"), max, "ms"),
        ]
    }

    /// The line of the ledger. An effect that is missing counts as lost, because its event was acknowledged, and an event
    /// that failed as stuck.
    pub(crate) fn line(&self) -> String {
        let (verdict, (p50, max)) = (&self.verdict, self.recovery());
        format!(
            "acked {} · lost {} · dup-effects {} · redelivered {} · out-of-order {} · stuck {} · \
             recovery {p50:.0}/{max:.0} ms · seed {}",
            verdict.acknowledged,
            verdict.lost + verdict.missing_effects,
            verdict.dup_events + verdict.dup_effects,
            verdict.redelivered,
            verdict.out_of_order,
            verdict.stuck + verdict.failed,
            self.seed,
        )
    }

    /// Median and maximum, in milliseconds.
    fn recovery(&self) -> (f64, f64) {
        let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        (millis(self.recoveries.get(self.recoveries.len() / 2)), millis(self.recoveries.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_every_promise() {
        let verdict = Verdict {
            acknowledged: 9,
            lost: 1,
            missing_effects: 1,
            dup_effects: 2,
            dup_events: 1,
            redelivered: 4,
            out_of_order: 5,
            stuck: 6,
            failed: 1,
        };
        let recoveries = [100, 200, 900].map(Duration::from_millis).to_vec();
        let outcome = Outcome {
            name: "kill",
            rounds: 3,
            verdict,
            resent: 0,
            refused: 0,
            recoveries,
            seed: 7,
        };
        assert!(!outcome.is_clean());
        assert_eq!(
            outcome.line(),
            "acked 9 · lost 2 · dup-effects 3 · redelivered 4 · out-of-order 5 · stuck 7 · \
             recovery 200/900 ms · seed 7"
        );
    }
}
