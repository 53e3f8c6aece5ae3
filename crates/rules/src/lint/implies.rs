//! What follows from one question for another. It must stay true that "yes" is proved: what is not known is "no".

use std::borrow::Cow;

use crate::{
    fuel::Fuel,
    predicate::{Literal, Predicate, Scalar, fold::fold, number::Range},
};

/// The kinds of scalar values, as bits.
pub(super) mod kind {
    pub(in crate::lint) const NULL: u8 = 1;
    pub(in crate::lint) const BOOL: u8 = 2;
    pub(in crate::lint) const NUMBER: u8 = 4;
    pub(in crate::lint) const TEXT: u8 = 8;
    pub(in crate::lint) const ALL: u8 = 15;
}

/// The kinds of values that may satisfy a question.
pub(super) fn kinds(predicate: &Predicate) -> u8 {
    match predicate {
        Predicate::Equals(Literal::Null) => kind::NULL,
        Predicate::Equals(Literal::Bool(_)) => kind::BOOL,
        Predicate::Equals(Literal::Number(_)) | Predicate::Range(_) => kind::NUMBER,
        Predicate::Exists | Predicate::AnythingBut(_) => kind::ALL,
        Predicate::Every(all) => {
            all.iter().fold(kind::ALL, |kinds, part| kinds & self::kinds(part))
        }
        _ => kind::TEXT,
    }
}

/// Whether every value that satisfies `one` satisfies `other`.
pub(super) fn implies(one: &Predicate, other: &Predicate) -> bool {
    if one == other || matches!(other, Predicate::Exists) {
        return true;
    }
    match (one, other) {
        (_, Predicate::Every(all)) => all.iter().all(|part| implies(one, part)),
        (Predicate::AnythingBut(denied), Predicate::AnythingBut(others)) => {
            others.iter().all(|other| denied.iter().any(|denied| implies(other, denied)))
        }
        (_, Predicate::AnythingBut(denied)) => denied.iter().all(|denied| disjoint(one, denied)),
        (Predicate::Equals(literal), _) => holds_for(other, literal) == Some(true),
        (Predicate::Every(all), _) => all.iter().any(|part| implies(part, other)),
        (Predicate::Range(inner), Predicate::Range(outer)) => is_within(inner, outer),
        (Predicate::Address(inner), Predicate::Address(outer)) => {
            outer.bits <= inner.bits && outer.contains(inner.address)
        }
        _ => text_implies(one, other),
    }
}

/// Whether no value satisfies both.
pub(super) fn disjoint(one: &Predicate, other: &Predicate) -> bool {
    if kinds(one) & kinds(other) == 0 {
        return true;
    }
    match (one, other) {
        (Predicate::Equals(literal), question) | (question, Predicate::Equals(literal)) => {
            holds_for(question, literal) == Some(false)
        }
        (Predicate::Every(all), question) | (question, Predicate::Every(all)) => {
            all.iter().any(|part| disjoint(part, question))
        }
        (Predicate::AnythingBut(denied), question) | (question, Predicate::AnythingBut(denied)) => {
            denied.iter().any(|denied| implies(question, denied))
        }
        (Predicate::Range(a), Predicate::Range(b)) => common(a, b).is_empty(),
        (Predicate::Address(a), Predicate::Address(b)) => {
            !a.contains(b.address) && !b.contains(a.address)
        }
        _ => ends_differ(one, other),
    }
}

/// Whether no value satisfies the question.
pub(super) fn is_impossible(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Range(range) => range.is_empty(),
        Predicate::AnythingBut(denied) => denied.contains(&Predicate::Exists),
        Predicate::Every(all) => {
            let apart = |place: usize| all[..place].iter().any(|part| disjoint(part, &all[place]));
            kinds(predicate) == 0 || all.iter().any(is_impossible) || (1..all.len()).any(apart)
        }
        _ => false,
    }
}

/// Whether a question holds for a value that is known; `None` when it cannot be decided.
fn holds_for(predicate: &Predicate, literal: &Literal) -> Option<bool> {
    let number;
    let scalar = match literal {
        Literal::Null => Scalar::Null,
        Literal::Bool(flag) => Scalar::Bool(*flag),
        Literal::Text(text) => Scalar::Text(text.as_bytes()),
        Literal::Number(value) => {
            number = value.text();
            Scalar::Number(number.as_bytes())
        }
    };
    predicate.holds(scalar, &mut Fuel::new()).ok()
}

fn is_within(inner: &Range, outer: &Range) -> bool {
    inner.is_empty() || common(inner, outer) == *inner
}

/// The numbers of both.
fn common(a: &Range, b: &Range) -> Range {
    // Of two bounds with one number, that without the number is the narrower.
    let lower = match (a.lower, b.lower) {
        (Some(a), Some(b)) => {
            Some(if (a.number, !a.inclusive) >= (b.number, !b.inclusive) { a } else { b })
        }
        (a, b) => a.or(b),
    };
    let upper = match (a.upper, b.upper) {
        (Some(a), Some(b)) => {
            Some(if (a.number, a.inclusive) <= (b.number, b.inclusive) { a } else { b })
        }
        (a, b) => a.or(b),
    };
    Range { lower, upper }
}

/// A text that satisfies `one`, with a character that `other` does not name wherever any text may stand: if that text
/// satisfies `other`, every text may stand there.
fn text_implies(one: &Predicate, other: &Predicate) -> bool {
    match (one, other) {
        (Predicate::EqualsFold(a) | Predicate::PrefixFold(a), Predicate::PrefixFold(b)) => {
            a.starts_with(&**b)
        }
        (Predicate::EqualsFold(a) | Predicate::SuffixFold(a), Predicate::SuffixFold(b)) => {
            a.ends_with(&**b)
        }
        (
            _,
            Predicate::Prefix(_)
            | Predicate::Suffix(_)
            | Predicate::Contains(_)
            | Predicate::Wildcard(_)
            | Predicate::EqualsFold(_)
            | Predicate::PrefixFold(_)
            | Predicate::SuffixFold(_),
        ) => {
            let Some(text) = example(one, other) else { return false };
            other.holds(Scalar::Text(text.as_bytes()), &mut Fuel::new()) == Ok(true)
        }
        _ => false,
    }
}

fn example(one: &Predicate, other: &Predicate) -> Option<String> {
    // Characters for private use have no case, and hardly anybody names one.
    let any = ('\u{e000}'..'\u{e100}').find(|any| !names(other, *any))?;
    Some(match one {
        Predicate::Prefix(text) => format!("{text}{any}"),
        Predicate::Suffix(text) => format!("{any}{text}"),
        Predicate::Contains(text) => format!("{any}{text}{any}"),
        Predicate::Wildcard(glob) => glob.parts.join(&any.to_string()),
        _ => return None,
    })
}

fn names(predicate: &Predicate, wanted: char) -> bool {
    match predicate {
        Predicate::Prefix(text)
        | Predicate::Suffix(text)
        | Predicate::Contains(text)
        | Predicate::EqualsFold(text)
        | Predicate::PrefixFold(text)
        | Predicate::SuffixFold(text) => text.contains(wanted),
        Predicate::Wildcard(glob) => glob.parts.iter().any(|part| part.contains(wanted)),
        _ => true,
    }
}

/// Whether texts cannot begin, or end, as both questions want.
fn ends_differ(one: &Predicate, other: &Predicate) -> bool {
    let differ = |a: Option<End<'_>>, b: Option<End<'_>>, begins: fn(&str, &str) -> bool| {
        let (Some(a), Some(b)) = (a, b) else { return false };
        let (a, b) = if a.folded == b.folded { (a.text, b.text) } else { (a.fold(), b.fold()) };
        !begins(&a, &b) && !begins(&b, &a)
    };
    if let (Predicate::EqualsFold(a), Predicate::EqualsFold(b)) = (one, other) {
        return a != b;
    }
    differ(start(one), start(other), |text, start| text.starts_with(start))
        || differ(end(one), end(other), |text, end| text.ends_with(end))
}

/// What a text has to begin or to end with.
struct End<'a> {
    text: Cow<'a, str>,
    folded: bool,
}

impl<'a> End<'a> {
    fn fold(self) -> Cow<'a, str> {
        if self.folded { self.text } else { Cow::Owned(fold(&self.text)) }
    }
}

fn start(predicate: &Predicate) -> Option<End<'_>> {
    let (text, folded) = match predicate {
        Predicate::Prefix(text) => (text, false),
        Predicate::Wildcard(glob) => (glob.parts.first()?, false),
        Predicate::PrefixFold(text) | Predicate::EqualsFold(text) => (text, true),
        _ => return None,
    };
    Some(End { text: Cow::Borrowed(text), folded })
}

fn end(predicate: &Predicate) -> Option<End<'_>> {
    let (text, folded) = match predicate {
        Predicate::Suffix(text) => (text, false),
        Predicate::Wildcard(glob) => (glob.parts.last()?, false),
        Predicate::SuffixFold(text) | Predicate::EqualsFold(text) => (text, true),
        _ => return None,
    };
    Some(End { text: Cow::Borrowed(text), folded })
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::predicate::{
        address::Network,
        glob::Glob,
        number::{Bound, Number},
    };

    fn text() -> impl Strategy<Value = Box<str>> {
        select(vec!["", "a", "b", "ab", "ba", "A", "aB", "aba", "10.0.0.1"]).prop_map(Into::into)
    }

    fn number() -> impl Strategy<Value = Number> {
        (-1..4_i32).prop_map(|n| Number::parse(n.to_string().as_bytes()).unwrap())
    }

    fn bound() -> impl Strategy<Value = Option<Bound>> {
        let bound =
            (number(), any::<bool>()).prop_map(|(number, inclusive)| Bound { number, inclusive });
        proptest::option::of(bound)
    }

    fn predicate() -> impl Strategy<Value = Predicate> {
        use Predicate as P;
        let folded = || text().prop_map(|text| fold(&text).into_boxed_str());
        let glob = "[ab](\\*[abA]?){0,2}|\\*a|\\*";
        let simple = prop_oneof![
            Just(P::Equals(Literal::Null)),
            any::<bool>().prop_map(|flag| P::Equals(Literal::Bool(flag))),
            number().prop_map(|number| P::Equals(Literal::Number(number))),
            text().prop_map(|text| P::Equals(Literal::Text(text))),
            (8..=32_u8)
                .prop_map(|bits| P::Address(Network::new("10.0.0.1".parse().unwrap(), bits))),
            text().prop_map(P::Prefix),
            text().prop_map(P::Suffix),
            text().prop_map(P::Contains),
            folded().prop_map(P::EqualsFold),
            folded().prop_map(P::PrefixFold),
            folded().prop_map(P::SuffixFold),
            glob.prop_map(|glob| P::Wildcard(Glob::parse(&glob.replace("**", "*")).unwrap())),
            (bound(), bound()).prop_map(|(lower, upper)| P::Range(Range { lower, upper })),
            Just(P::Exists),
        ];
        simple.prop_recursive(2, 8, 3, |inner| {
            let list = || proptest::collection::vec(inner.clone(), 1..3).prop_map(Into::into);
            prop_oneof![list().prop_map(P::AnythingBut), list().prop_map(P::Every)]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_proved_holds_for_every_value(
            one in predicate(),
            other in predicate(),
            texts in proptest::collection::vec("[abAB]{0,4}|10\\.0\\.0\\.[0-3]", 24),
        ) {
            let (follows, apart, never) = (implies(&one, &other), disjoint(&one, &other), is_impossible(&one));
            prop_assume!(follows || apart || never);
            let numbers = ["-1", "0", "0.5", "1", "2", "2.5", "3"];
            let values = [Scalar::Null, Scalar::Bool(true), Scalar::Bool(false)].into_iter()
                .chain(numbers.iter().map(|number| Scalar::Number(number.as_bytes())))
                .chain(texts.iter().map(|text| Scalar::Text(text.as_bytes())));
            for value in values {
                let holds = |predicate: &Predicate| predicate.holds(value, &mut Fuel::new()).unwrap();
                prop_assert!(!follows || !holds(&one) || holds(&other), "implies {:?}", value);
                prop_assert!(!apart || !holds(&one) || !holds(&other), "disjoint {:?}", value);
                prop_assert!(!never || !holds(&one), "impossible {:?}", value);
            }
        }
    }

    #[test]
    fn what_people_write_is_proved() {
        use Predicate as P;
        let glob = |text: &str| P::Wildcard(Glob::parse(text).unwrap());
        let prefix = |text: &str| P::Prefix(text.into());
        for (one, other) in [
            (prefix("abc"), prefix("ab")),
            (prefix("abc"), glob("ab*")),
            (glob("ab*c"), prefix("a")),
            (glob("a*b*c"), glob("a*c")),
            (glob("x*y*x"), P::Contains("y".into())),
            (prefix("Ab"), P::PrefixFold("a".into())),
            (P::Equals(Literal::Text("abc".into())), glob("a*c")),
            (prefix("a"), P::AnythingBut([prefix("b")].into())),
            (P::Every([prefix("ab"), P::Suffix("c".into())].into()), prefix("a")),
        ] {
            assert!(implies(&one, &other), "{one:?} {other:?}");
            assert!(one == other || !implies(&other, &one), "{other:?} {one:?}");
        }
        assert!(is_impossible(&P::Every([prefix("a"), prefix("b")].into())));
        assert!(disjoint(&glob("a*"), &glob("b*")) && !disjoint(&glob("a*"), &glob("*b")));
    }
}
