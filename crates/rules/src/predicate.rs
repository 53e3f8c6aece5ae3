//! What a rule asks of one value of an event, compiled. It must stay true that a predicate says the same whether an
//! index fires it or [`Predicate::holds`] asks it.

pub(crate) mod address;
pub(crate) mod fold;
pub(crate) mod glob;
pub(crate) mod number;

use memchr::memmem;

use self::{
    address::Network,
    glob::Glob,
    number::{Number, Range},
};
use crate::fuel::{Exhausted, Fuel};
use crate::regular::Regular;

/// Bytes of text that are searched in one step.
const SEARCHED_PER_STEP: usize = 8;

/// A value of an event that is neither array nor object; texts are unescaped UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// The number as it is written.
    Number(&'a [u8]),
    Text(&'a [u8]),
}

/// A value that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
}

/// The question to one value. Equal predicates of one path are kept once by an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Predicate {
    /// The same value.
    Equals(Literal),
    /// A text that is an address of this network.
    Address(Network),
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// The texts of the next three are folded, see [`fold`].
    EqualsFold(Box<str>),
    PrefixFold(Box<str>),
    SuffixFold(Box<str>),
    /// A text with this part.
    Contains(Box<str>),
    Wildcard(Glob),
    /// A number in this range.
    Range(Range),
    /// Any value.
    Exists,
    /// None of these holds for this value.
    AnythingBut(Box<[Predicate]>),
    /// All of these hold for this one value.
    Every(Box<[Predicate]>),
    /// A text that a regular expression matches somewhere.
    Matches(Regular),
}

impl Literal {
    /// Whether a value is this one: numbers by value, texts by their bytes.
    pub(crate) fn is(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Null, Scalar::Null) => true,
            (Self::Bool(expected), Scalar::Bool(actual)) => *expected == actual,
            (Self::Number(expected), Scalar::Number(actual)) => {
                Number::parse(actual) == Some(*expected)
            }
            (Self::Text(expected), Scalar::Text(actual)) => expected.as_bytes() == actual,
            _ => false,
        }
    }
}

impl Predicate {
    /// Whether it holds for a value.
    ///
    /// # Errors
    ///
    /// When the fuel does not pay for the answer.
    pub(crate) fn holds(&self, value: Scalar<'_>, fuel: &mut Fuel) -> Result<bool, Exhausted> {
        fuel.spend(1)?;
        match (self, value) {
            (Self::Equals(literal), value) => Ok(literal.is(value)),
            (Self::Exists, _) => Ok(true),
            (Self::AnythingBut(list), value) => {
                for predicate in list {
                    if predicate.holds(value, fuel)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Every(list), value) => {
                for predicate in list {
                    if !predicate.holds(value, fuel)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Range(range), Scalar::Number(number)) => {
                Ok(Number::parse(number).is_some_and(|number| range.contains(number)))
            }
            (predicate, Scalar::Text(text)) => predicate.holds_for_text(text, fuel),
            _ => Ok(false),
        }
    }

    fn holds_for_text(&self, text: &[u8], fuel: &mut Fuel) -> Result<bool, Exhausted> {
        match self {
            Self::Address(network) => {
                Ok(address::parse(text).is_some_and(|address| network.contains(address)))
            }
            Self::Prefix(start) => Ok(text.starts_with(start.as_bytes())),
            Self::Suffix(end) => Ok(text.ends_with(end.as_bytes())),
            Self::EqualsFold(folded) => {
                fuel.spend(text.len() / SEARCHED_PER_STEP)?;
                Ok(fold::equals(folded, text))
            }
            Self::PrefixFold(folded) => {
                fuel.spend(text.len() / SEARCHED_PER_STEP)?;
                Ok(fold::begins(folded, text))
            }
            Self::SuffixFold(folded) => {
                fuel.spend(text.len() / SEARCHED_PER_STEP)?;
                Ok(fold::ends(folded, text))
            }
            Self::Contains(part) => {
                fuel.spend((text.len() + part.len()) / SEARCHED_PER_STEP)?;
                Ok(memmem::find(text, part.as_bytes()).is_some())
            }
            Self::Wildcard(glob) => {
                fuel.spend(glob.parts.len() + text.len() / SEARCHED_PER_STEP)?;
                Ok(glob.holds(text))
            }
            Self::Matches(regular) => regular.is_match(text, fuel),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regular::Budget;

    fn text(text: &str) -> Predicate {
        Predicate::Equals(Literal::Text(text.into()))
    }

    fn number(literal: &str) -> Predicate {
        Predicate::Equals(Literal::Number(Number::parse(literal.as_bytes()).unwrap()))
    }

    fn holds(predicate: &Predicate, value: Scalar<'_>) -> bool {
        predicate.holds(value, &mut Fuel::new()).unwrap()
    }

    #[test]
    fn each_question_has_its_kind_of_value() {
        use Predicate as P;
        let regular = Regular::compile("^a.c$", &mut Budget::new()).unwrap();
        let network = Network::new("10.0.0.0".parse().unwrap(), 8);
        let any = Range { lower: None, upper: None };
        let values = [
            Scalar::Null,
            Scalar::Bool(true),
            Scalar::Number(b"300"),
            Scalar::Text(b"aBc"),
            Scalar::Text(b"10.1.2.3"),
            Scalar::Text(b"300"),
        ];
        let table = [
            (P::Equals(Literal::Null), "y....."),
            (P::Equals(Literal::Bool(true)), ".y...."),
            (P::Equals(Literal::Bool(false)), "......"),
            (number("3.0e2"), "..y..."),
            (text("300"), ".....y"),
            (text("abc"), "......"),
            (P::Address(network), "....y."),
            (P::Prefix("a".into()), "...y.."),
            (P::Prefix("".into()), "...yyy"),
            (P::Suffix("3".into()), "....y."),
            (P::EqualsFold("abc".into()), "...y.."),
            (P::PrefixFold("ab".into()), "...y.."),
            (P::SuffixFold("bc".into()), "...y.."),
            (P::Contains("B".into()), "...y.."),
            (P::Wildcard(Glob::parse("*0*").unwrap()), "....yy"),
            (P::Range(any), "..y..."),
            (P::Exists, "yyyyyy"),
            (P::AnythingBut([text("300"), number("300")].into()), "yy.yy."),
            (P::AnythingBut([P::Prefix("".into())].into()), "yyy..."),
            (P::Every([P::Exists, P::Prefix("".into()), P::Suffix("c".into())].into()), "...y.."),
            (P::Every([].into()), "yyyyyy"),
            (P::Matches(regular), "...y.."),
        ];
        for (predicate, expected) in table {
            let found = values.map(|value| if holds(&predicate, value) { 'y' } else { '.' });
            assert_eq!(found.iter().collect::<String>(), expected, "{predicate:?}");
        }
    }

    #[test]
    fn what_cannot_be_paid_for_is_not_answered() {
        let mut fuel = Fuel::new();
        let long = vec![b'a'; 64 * 1024];
        let predicate = Predicate::Contains("b".into());
        let answers = (0..1_000).map(|_| predicate.holds(Scalar::Text(&long), &mut fuel));
        assert!(answers.into_iter().any(|answer| answer == Err(Exhausted)));
    }
}
