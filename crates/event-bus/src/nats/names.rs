//! What streams, subjects and buckets are called on the server. It must stay true that two installations with different
//! prefixes share no name, and that a subject on the wire says what it was before.

use std::fmt;

use crate::Stream;

/// Longest prefix, in bytes.
const PREFIX_LEN_MAX: usize = 32;
/// The first token of subjects of messages that are not in the stream of their domain.
const ROUTED: &str = "routed";
/// The first token of subjects of dead letters.
const DEAD_LETTER: &str = "dead_letter";
/// The first token of subjects of messages from strangers.
const INBOX: &str = "in";

/// The names of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Stands before subjects: empty, or with its dot.
    dotted: String,
    /// Stands before the names of streams and buckets: empty, or with its underscore.
    scored: String,
    streams: [String; Stream::ALL.len()],
}

impl Names {
    /// The names with this prefix, or what is wrong with it.
    pub(crate) fn new(prefix: Option<&str>) -> Result<Self, String> {
        if let Some(prefix) = prefix {
            check(prefix)?;
        }
        let (dotted, scored) = prefix
            .map_or_else(Default::default, |prefix| (format!("{prefix}."), format!("{prefix}_")));
        let streams = Stream::ALL.map(|stream| format!("{scored}{stream}"));
        Ok(Self { dotted, scored, streams })
    }

    /// What a stream is called on the server.
    pub(crate) fn stream(&self, stream: Stream) -> &str {
        &self.streams[stream.index()]
    }

    /// The subjects of a stream: those of its domain, and those of types that are routed to it.
    pub(crate) fn subjects(&self, stream: Stream) -> [String; 2] {
        let domain = format!("{}{}.>", self.dotted, stream.token());
        [domain, self.routed(stream, ">")]
    }

    /// The subject on the wire for a message, or a filter, of the stream's own domain.
    pub(crate) fn plain(&self, subject: &str) -> String {
        join(&[&self.dotted, subject])
    }

    /// The subject on the wire for a message, or a filter, that is routed to a stream.
    pub(crate) fn routed(&self, stream: Stream, subject: &str) -> String {
        join(&[&self.dotted, ROUTED, ".", stream.token(), ".", subject])
    }

    /// The subject on the wire for a message that goes to a stream.
    pub(crate) fn physical(&self, stream: Stream, subject: &str) -> String {
        let domain = subject.split('.').next();
        if domain == Some(stream.token()) {
            self.plain(subject)
        } else {
            self.routed(stream, subject)
        }
    }

    /// The subject that a message had before it went on the wire; `None` when it is not one of ours.
    pub(crate) fn logical<'a>(&self, physical: &'a str) -> Option<&'a str> {
        let subject = physical.strip_prefix(&self.dotted)?;
        let Some(routed) = subject.strip_prefix(ROUTED).and_then(|rest| rest.strip_prefix('.'))
        else {
            return Some(subject);
        };
        routed.split_once('.').map(|(_, subject)| subject)
    }

    /// The stream that keeps what was given up.
    pub(crate) fn dead_letters(&self) -> String {
        format!("{}DEAD_LETTERS", self.scored)
    }

    /// The subjects of all dead letters.
    pub(crate) fn dead_letter_subjects(&self) -> String {
        format!("{}{DEAD_LETTER}.>", self.dotted)
    }

    /// The subject of one dead letter.
    pub(crate) fn dead_letter(
        &self,
        consumer: &str,
        stream: impl fmt::Display,
        sequence: u64,
    ) -> String {
        format!("{}{DEAD_LETTER}.{consumer}.{stream}.{sequence}", self.dotted)
    }

    /// The bucket with what went wrong with messages that are tried again.
    pub(crate) fn failures(&self) -> String {
        format!("{}omni_failures", self.scored)
    }

    /// The bucket that says which process is active for an ordered consumer.
    pub(crate) fn leases(&self) -> String {
        format!("{}omni_leases", self.scored)
    }

    /// The stream that takes messages of strangers.
    pub(crate) fn inbox(&self) -> String {
        format!("{}INBOX", self.scored)
    }

    /// The subjects that strangers publish to.
    pub(crate) fn inbox_subjects(&self) -> String {
        format!("{}{INBOX}.>", self.dotted)
    }
}

/// One allocation of the right size.
fn join(parts: &[&str]) -> String {
    parts.concat()
}

fn check(prefix: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if prefix.is_empty() || prefix.len() > PREFIX_LEN_MAX || !prefix.chars().all(good) {
        return Err(format!(
            "the prefix `{prefix}` must be 1 to {PREFIX_LEN_MAX} of A-Z, a-z, 0-9 and `-`"
        ));
    }
    // The subjects of such an installation would be among those of one without a prefix.
    let taken = [ROUTED, DEAD_LETTER, INBOX];
    if Stream::ALL.into_iter().map(Stream::token).chain(taken).any(|token| token == prefix) {
        return Err(format!(
            "the prefix `{prefix}` is the beginning of other subjects: take another"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_carry_the_prefix() {
        let names = Names::new(Some("acme")).unwrap();
        assert_eq!(names.stream(Stream::Message), "acme_MESSAGE");
        assert_eq!(names.subjects(Stream::Message), ["acme.message.>", "acme.routed.message.>"]);
        assert_eq!(
            names.dead_letter("engine", Stream::Custom, 7),
            "acme.dead_letter.engine.CUSTOM.7"
        );
        assert_eq!(names.dead_letter_subjects(), "acme.dead_letter.>");
        assert_eq!(names.failures(), "acme_omni_failures");
        assert_eq!(names.inbox_subjects(), "acme.in.>");
        assert_eq!(names.logical("acme.in.shop.order"), Some("in.shop.order"));

        let names = Names::new(None).unwrap();
        assert_eq!(names.stream(Stream::Message), "MESSAGE");
        assert_eq!(names.subjects(Stream::System), ["system.>", "routed.system.>"]);
        assert_eq!(names.dead_letters(), "DEAD_LETTERS");
    }

    #[test]
    fn a_routed_message_says_where_it_is() {
        let names = Names::new(Some("acme")).unwrap();
        let routed = names.physical(Stream::Identity, "custom.order.paid._._");
        assert_eq!(routed, "acme.routed.identity.custom.order.paid._._");
        assert_eq!(names.physical(Stream::Custom, "custom.order"), "acme.custom.order");
    }

    #[test]
    fn a_bad_prefix_is_refused() {
        for bad in ["", "a.b", "a b", "a_b", "é", "message", "routed", "in", &"x".repeat(33)] {
            assert!(Names::new(Some(bad)).is_err(), "{bad}");
        }
        for good in ["a", "A-1", "inbox", &"x".repeat(32)] {
            assert!(Names::new(Some(good)).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn a_subject_comes_back_as_it_went(
            prefix in proptest::option::of("[A-Z][a-z0-9-]{0,8}"),
            stream in 0..Stream::ALL.len(),
            domain in 0..Stream::ALL.len(),
            rest in "[a-z_]{1,8}(\\.[a-z_]{1,8}){0,5}",
        ) {
            let names = Names::new(prefix.as_deref()).unwrap();
            let subject = format!("{}.{rest}", Stream::ALL[domain].token());
            let physical = names.physical(Stream::ALL[stream], &subject);
            prop_assert_eq!(names.logical(&physical), Some(subject.as_str()));
            let holder = names.subjects(Stream::ALL[stream]);
            let inside = holder.iter().any(|all| physical.starts_with(all.trim_end_matches('>')));
            prop_assert!(inside, "{} is not among {:?}", physical, holder);
        }
    }
}
