//! Which of the policies of one organisation decides about a type. It must stay true that of several the most specific one
//! does, whatever the order in which they were set.

use std::collections::HashMap;

use omni_events::{EventType, TypePattern};

use super::CapturePolicy;

/// The policies of one organisation.
#[derive(Debug, Default)]
pub(super) struct Known {
    exact: HashMap<String, CapturePolicy>,
    /// The most specific first.
    patterns: Vec<(TypePattern, CapturePolicy)>,
}

impl Known {
    pub(super) fn put(&mut self, types: TypePattern, policy: CapturePolicy) {
        if types.is_exact() {
            self.exact.insert(types.as_str().to_owned(), policy);
        } else {
            self.patterns.push((types, policy));
        }
    }

    /// To be called when all are put.
    pub(super) fn sort(&mut self) {
        self.patterns.sort_by_cached_key(|(types, _)| breadth(types));
    }

    /// The policy that decides about a type, if any does.
    pub(super) fn find(&self, event_type: &EventType) -> Option<&CapturePolicy> {
        self.exact.get(event_type.as_str()).or_else(|| {
            let found = self.patterns.iter().find(|(types, _)| types.matches(event_type));
            found.map(|(_, policy)| policy)
        })
    }
}

/// Part by part: a word is narrower than `*`, and `*` than `>`. Of two patterns that select one type, the narrower is
/// smaller.
fn breadth(types: &TypePattern) -> Vec<u8> {
    let part = |part| match part {
        ">" => 2,
        "*" => 1,
        _ => 0,
    };
    types.as_str().split('.').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(policies: &[(&str, u64)]) -> Known {
        let mut known = Known::default();
        for (types, most) in policies {
            let policy = CapturePolicy { max_bytes: Some(*most), ..CapturePolicy::default() };
            known.put(TypePattern::parse(types).unwrap(), policy);
        }
        known.sort();
        known
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let known = known(&[
            (">", 1),
            ("custom.>", 2),
            ("custom.webhook.>", 3),
            ("custom.*.github.>", 4),
            ("custom.webhook.github.>", 5),
            ("custom.webhook.*.push", 6),
            ("custom.webhook.github.*", 7),
            ("custom.webhook.github.push", 8),
        ]);
        for (event_type, wanted) in [
            ("message.received", 1),
            ("custom.a.b", 2),
            ("custom.webhook.gitlab.ping", 3),
            ("custom.other.github.push", 4),
            ("custom.webhook.github.a.b", 5),
            ("custom.webhook.gitlab.push", 6),
            ("custom.webhook.github.ping", 7),
            ("custom.webhook.github.push", 8),
        ] {
            let found = known.find(&EventType::parse(event_type).unwrap()).unwrap();
            assert_eq!(found.max_bytes, Some(wanted), "{event_type}");
        }
    }
}
