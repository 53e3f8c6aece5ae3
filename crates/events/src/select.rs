//! Builds the patterns that select events by type, channel and instance. It must stay true that they select exactly the
//! events meant, whatever the number of parts of their types.
//!
//! `custom.order.whatsapp.*` would select the channel of a type of two parts, and the last part but one of deeper types.
//! So where a channel or an instance is fixed and the type is open, there is one pattern for each possible depth.

use crate::{
    Domain, InvalidSubject, SubjectPattern, TypePattern, check_token,
    event_type::{EventType, InvalidType, TYPE_TOKENS_MAX},
};

/// Parts of the types in the closed domains: `message.received`.
const CLOSED_DEPTH: usize = 2;

/// Why a selection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSelect {
    /// A type, or the beginning of one, is none.
    #[error(transparent)]
    Type(#[from] InvalidType),
    /// A channel or an instance is no name.
    #[error(transparent)]
    Part(#[from] InvalidSubject),
    /// No event can have such a type.
    #[error("there can be no type under `{0}`: types of its domain have two parts")]
    Nothing(String),
}

/// Says which events are meant, to get the patterns for it.
///
/// Types add up, the channel and the instance narrow down. Without a type every type is meant.
///
/// ```
/// use omni_events::Select;
///
/// let patterns = Select::new().event_type("message.received").channel("whatsapp").patterns()?;
/// assert_eq!(patterns[0].as_str(), "message.received.whatsapp.*");
/// # Ok::<(), omni_events::InvalidSelect>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Select {
    types: Vec<Types>,
    channel: Option<String>,
    instance: Option<String>,
}

#[derive(Clone, Debug)]
enum Types {
    Exact(String),
    Prefix(String),
    Pattern(TypePattern),
}

impl Select {
    /// Everything, until more is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Events of this type.
    pub fn event_type(self, event_type: impl Into<String>) -> Self {
        self.with(Types::Exact(event_type.into()))
    }

    /// Events whose type begins with these parts, the type of just these parts included.
    pub fn type_prefix(self, prefix: impl Into<String>) -> Self {
        self.with(Types::Prefix(prefix.into()))
    }

    /// Events whose type the pattern matches.
    pub fn type_pattern(self, pattern: TypePattern) -> Self {
        self.with(Types::Pattern(pattern))
    }

    /// Events of a domain.
    pub fn domain(self, domain: Domain) -> Self {
        self.type_prefix(domain.as_str())
    }

    /// Only those of this kind of channel.
    pub fn channel(mut self, channel_type: impl Into<String>) -> Self {
        self.channel = Some(channel_type.into());
        self
    }

    /// Only those of this instance.
    pub fn instance(mut self, instance_id: impl Into<String>) -> Self {
        self.instance = Some(instance_id.into());
        self
    }

    /// The patterns: together they select exactly the events meant, and none of them is covered by another.
    ///
    /// # Errors
    /// When a type, the channel or the instance is not valid, or there can be no such type.
    pub fn patterns(&self) -> Result<Vec<SubjectPattern>, InvalidSelect> {
        for name in [&self.channel, &self.instance].into_iter().flatten() {
            check_token(name)?;
        }
        let mut patterns = Vec::new();
        if self.types.is_empty() {
            self.below(&[], 0, &mut patterns);
        }
        for types in &self.types {
            self.of_types(types, &mut patterns)?;
        }
        Ok(SubjectPattern::minimal(&patterns))
    }

    fn with(mut self, types: Types) -> Self {
        self.types.push(types);
        self
    }

    fn of_types(
        &self,
        types: &Types,
        patterns: &mut Vec<SubjectPattern>,
    ) -> Result<(), InvalidSelect> {
        let (text, at_least) = match types {
            Types::Exact(name) => {
                EventType::parse(name)?;
                (name.as_str(), None)
            }
            Types::Prefix(prefix) => {
                // A domain alone is no type: what is checked is one that begins so.
                let checked = if prefix.contains('.') { prefix } else { &format!("{prefix}.x") };
                EventType::parse(checked)?;
                (prefix.as_str(), Some(0))
            }
            Types::Pattern(pattern) => match pattern.as_str() {
                ">" => ("", Some(0)),
                text => match text.strip_suffix(".>") {
                    Some(text) => (text, Some(1)),
                    None => (text, None),
                },
            },
        };
        let parts: Vec<&str> = text.split('.').filter(|part| !part.is_empty()).collect();
        let before = patterns.len();
        match at_least {
            None => patterns.push(self.pattern(&parts, parts.len())),
            Some(at_least) => self.below(&parts, at_least, patterns),
        }
        if patterns.len() == before {
            return Err(InvalidSelect::Nothing(text.to_owned()));
        }
        Ok(())
    }

    /// Types that begin with these parts and have at least so many more.
    fn below(&self, parts: &[&str], at_least: usize, patterns: &mut Vec<SubjectPattern>) {
        let domain = parts.first().copied().filter(|first| *first != "*").and_then(Domain::of);
        let depth_min = (parts.len() + at_least).max(2);
        let depth_max = match domain {
            Some(domain) if !domain.is_open() => CLOSED_DEPTH,
            _ => TYPE_TOKENS_MAX,
        };
        let anywhere = self.channel.is_none() && self.instance.is_none();
        if anywhere && depth_min <= depth_max && (depth_max > CLOSED_DEPTH || parts.len() == 1) {
            patterns.push(open_end(parts, depth_min));
            return;
        }
        for depth in depth_min..=depth_max {
            if domain.is_some() || depth <= CLOSED_DEPTH {
                patterns.push(self.pattern(parts, depth));
                continue;
            }
            // Only open domains have types as deep as this: the streams of the others need not be searched.
            for open in Domain::ALL.into_iter().filter(|domain| domain.is_open()) {
                let mut parts = parts.to_vec();
                parts.splice(..parts.len().min(1), [open.as_str()]);
                patterns.push(self.pattern(&parts, depth));
            }
        }
    }

    /// Types that begin with these parts and have `depth` of them.
    fn pattern(&self, parts: &[&str], depth: usize) -> SubjectPattern {
        let mut all = parts.to_vec();
        all.resize(depth.max(parts.len()), "*");
        all.push(self.channel.as_deref().unwrap_or("*"));
        all.push(self.instance.as_deref().unwrap_or("*"));
        SubjectPattern::of_parts(&all)
    }
}

/// Types that begin with these parts and have at least `depth` of them, of any channel and instance.
fn open_end(parts: &[&str], depth: usize) -> SubjectPattern {
    let mut all = parts.to_vec();
    // With at most a domain given the short form will do: no subject has fewer than four parts.
    if parts.len() > 1 || depth > 2 {
        all.resize(depth + 1, "*");
    }
    all.push(">");
    SubjectPattern::of_parts(&all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Subject, payload::core_types};

    fn texts(select: &Select) -> Vec<String> {
        select.patterns().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn built_in_types_of_closed_domains_have_the_known_depth() {
        for core in core_types() {
            let event_type = EventType::parse(core.event_type).unwrap();
            let depth = event_type.as_str().split('.').count();
            assert!(event_type.domain().is_open() || depth == CLOSED_DEPTH, "{event_type}");
        }
    }

    #[test]
    fn usual_selections_have_short_patterns() {
        let new = Select::new;
        for (select, expected) in [
            (new(), ">"),
            (new().domain(Domain::Message), "message.>"),
            (new().domain(Domain::Custom), "custom.>"),
            (new().event_type("message.received"), "message.received.*.*"),
            (
                new().event_type("message.received").channel("whatsapp"),
                "message.received.whatsapp.*",
            ),
            (
                new().event_type("message.received").channel("whatsapp").instance("wa-001"),
                "message.received.whatsapp.wa-001",
            ),
            (new().event_type("custom.a.b").instance("wa-001"), "custom.a.b.*.wa-001"),
            (new().domain(Domain::Message).channel("whatsapp"), "message.*.whatsapp.*"),
            (new().type_prefix("custom.order"), "custom.order.*.>"),
            (
                new().type_prefix("custom.order").type_prefix("custom.order.paid"),
                "custom.order.*.>",
            ),
            (
                new().type_pattern(TypePattern::parse("custom.order.>").unwrap()),
                "custom.order.*.*.>",
            ),
            (new().type_pattern(TypePattern::parse("message.>").unwrap()), "message.>"),
        ] {
            assert_eq!(texts(&select), [expected]);
        }
    }

    #[test]
    fn an_open_depth_with_a_channel_has_a_pattern_for_each_depth() {
        let order = texts(&Select::new().type_prefix("custom.order").channel("whatsapp"));
        assert_eq!(order.len(), 13);
        assert_eq!(order[0], "custom.order.whatsapp.*");
        assert_eq!(order[1], "custom.order.*.whatsapp.*");
        let all = texts(&Select::new().channel("whatsapp"));
        assert_eq!(all.len(), 25);
        assert_eq!(all[0], "*.*.whatsapp.*");
        assert!(all[1..].iter().all(|p| p.starts_with("custom.") || p.starts_with("system.")));
    }

    #[test]
    fn what_can_select_nothing_is_refused() {
        let new = Select::new;
        let refused = [
            new().event_type("message"),
            new().event_type("order.paid"),
            new().event_type("message.*"),
            new().type_prefix("order"),
            new().type_prefix(""),
            new().type_prefix("message.received.late"),
            new().type_pattern(TypePattern::parse("message.received.>").unwrap()),
            new().channel("what.sapp"),
            new().instance("*"),
            new().channel("_"),
        ];
        for select in refused {
            assert!(select.patterns().is_err(), "{select:?} was taken");
        }
    }

    /// What a selection means, said without patterns.
    fn means(select: &Select, subject: &Subject) -> bool {
        let name = subject.event_type().as_str();
        let begins = |prefix: &str| {
            name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let of_types = |types: &Types| match types {
            Types::Exact(exact) => name == exact,
            Types::Prefix(prefix) => begins(prefix),
            Types::Pattern(pattern) => pattern.matches(subject.event_type()),
        };
        (select.types.is_empty() || select.types.iter().any(of_types))
            && select.channel.as_deref().is_none_or(|c| subject.channel() == Some(c))
            && select.instance.as_deref().is_none_or(|i| subject.instance() == Some(i))
    }

    fn word(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
        prop::sample::select(words)
    }

    /// Types out of few words, which are names of channels and instances as well; short ones more often.
    fn a_type() -> impl Strategy<Value = String> {
        let open = |most| {
            (word(&["custom", "system"]), prop::collection::vec(word(&["a", "wa"]), 1..=most))
                .prop_map(|(domain, parts)| format!("{domain}.{}", parts.join(".")))
        };
        let closed = (word(&["message", "media"]), word(&["a", "wa"]));
        prop_oneof![closed.prop_map(|(d, a)| format!("{d}.{a}")), open(3), open(3), open(13)]
    }

    fn types() -> impl Strategy<Value = Types> {
        let prefix = (a_type(), 1usize..5).prop_map(|(name, parts)| {
            Types::Prefix(name.split('.').take(parts).collect::<Vec<_>>().join("."))
        });
        let pattern = (a_type(), prop::collection::vec(any::<bool>(), 14), any::<bool>()).prop_map(
            |(name, stars, open)| {
                let part = |(part, star)| if star { "*" } else { part };
                let mut parts: Vec<&str> = name.split('.').zip(stars).map(part).collect();
                if open && let Some(last) = parts.last_mut() {
                    *last = ">";
                }
                Types::Pattern(TypePattern::parse(&parts.join(".")).unwrap())
            },
        );
        prop_oneof![
            a_type().prop_map(Types::Exact),
            prefix,
            pattern,
            Just(Types::Pattern(TypePattern::parse(">").unwrap())),
        ]
    }

    proptest! {
           #![proptest_config(ProptestConfig::with_cases(1024))]

           #[test]
           fn patterns_select_exactly_what_is_meant(
               types in prop::collection::vec(types(), 0..3),
               channel in prop::option::of(word(&["a", "wa"])),
               instance in prop::option::of(word(&["b", "wa"])),
               subjects in prop::collection::vec(
                   (a_type(), word(&["a", "wa", "_"]), word(&["b", "wa", "_"])),
                   32,
               ),
           ) {
               let select = Select {
    types,
    channel: channel.map(str::to_owned),
    instance: instance.map(str::to_owned) };
               let Ok(patterns) = select.patterns() else { return Ok(()) };
               for (name, channel, instance) in subjects {
                   let text = format!("{name}.{channel}.{instance}");
                   let subject = Subject::parse(&text).unwrap();
                   let selected = patterns.iter().any(|pattern| pattern.matches(&text));
                   prop_assert_eq!(selected, means(&select, &subject), "{} by {:?}", text, select);
               }
               for (i, a) in patterns.iter().enumerate() {
                   for (j, b) in patterns.iter().enumerate() {
                       prop_assert!(i == j || !a.covers(b), "{} covers {}", a, b);
                   }
               }
           }
       }
}
