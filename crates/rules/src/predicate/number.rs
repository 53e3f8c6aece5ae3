//! Numbers by their exact value, in an order that an index can search. It must stay true that this order agrees with
//! [`crate::exact`], which compares the numbers of conditions.

/// A number of JSON: integers of 64 bits exactly, others as the nearest double. The derived order is that of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number {
    /// The bits of the nearest double, turned so that they sort.
    double: u64,
    /// What an integer has more than that double.
    rest: i16,
}

/// Every integer up to here is a double.
const EXACT_MAX: u64 = 1 << 53;

impl Number {
    /// Reads a number as JSON writes it; `None` for what is no number or beyond a double.
    pub(crate) fn parse(literal: &[u8]) -> Option<Self> {
        let (is_negative, magnitude) = match literal {
            [b'-', magnitude @ ..] => (true, magnitude),
            magnitude => (false, magnitude),
        };
        match integer(magnitude) {
            Some(whole) if whole <= EXACT_MAX => {
                let double = whole as f64;
                Some(Self::double(if is_negative { -double } else { double }))
            }
            Some(whole) if !is_negative => Some(Self::whole(i128::from(whole))),
            Some(whole) if whole <= i64::MIN.unsigned_abs() => {
                Some(Self::whole(-i128::from(whole)))
            }
            _ => Self::fraction(literal, magnitude),
        }
    }

    /// The number as JSON writes it.
    pub(crate) fn text(self) -> String {
        const SIGN: u64 = 1 << 63;
        let bits = if self.double & SIGN == 0 { !self.double } else { self.double ^ SIGN };
        let double = f64::from_bits(bits);
        if double.fract() == 0.0 && double.abs() < 1e19 {
            return (double as i128 + i128::from(self.rest)).to_string();
        }
        serde_json::Value::from(double).to_string()
    }

    fn fraction(literal: &[u8], magnitude: &[u8]) -> Option<Self> {
        if !is_magnitude(magnitude) {
            return None;
        }
        let double: f64 = std::str::from_utf8(literal).ok()?.parse().ok()?;
        double.is_finite().then(|| Self::double(double))
    }

    fn whole(whole: i128) -> Self {
        let double = whole as f64;
        // The doubles around an integer of 64 bits lie 2,048 apart at most.
        Self { rest: (whole - double as i128) as i16, ..Self::double(double) }
    }

    fn double(double: f64) -> Self {
        const SIGN: u64 = 1 << 63;
        // Zero has two forms, and one value.
        let bits = (double + 0.0).to_bits();
        let double = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self { double, rest: 0 }
    }
}

/// An integer as JSON writes it, without a sign.
fn integer(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Whether it is a number of JSON without a sign.
fn is_magnitude(text: &[u8]) -> bool {
    let (whole, rest) = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let rest = match rest {
        [b'.', rest @ ..] => match digits(rest) {
            (0, _) => return false,
            (_, rest) => rest,
        },
        rest => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] => {
            matches!(digits(rest), (1.., []))
        }
        _ => false,
    }
}

/// How many digits a text begins with, and what follows them.
fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, &text[count..])
}

/// Numbers from a lower to an upper bound; a missing bound is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) lower: Option<Bound>,
    pub(crate) upper: Option<Bound>,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bound {
    pub(crate) number: Number,
    /// Whether the number itself is in the range.
    pub(crate) inclusive: bool,
}

impl Range {
    /// Whether a number is in the range.
    pub(crate) fn contains(&self, number: Number) -> bool {
        let above = self.lower.is_none_or(|bound| {
            number > bound.number || (bound.inclusive && number == bound.number)
        });
        above
            && self.upper.is_none_or(|bound| {
                number < bound.number || (bound.inclusive && number == bound.number)
            })
    }

    /// Whether its bounds leave no number between them.
    pub(crate) fn is_empty(&self) -> bool {
        match (self.lower, self.upper) {
            (Some(lower), Some(upper)) => {
                lower.number > upper.number
                    || (lower.number == upper.number && !(lower.inclusive && upper.inclusive))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{exact, fuel::Fuel};

    fn number(text: &str) -> Number {
        Number::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no number"))
    }

    #[test]
    fn numbers_sort_by_their_exact_value() {
        let ordered = [
            "-1.7e308",
            "-18446744073709551615",
            "-9223372036854775809",
            "-9223372036854775807",
            "-9007199254740993",
            "-9007199254740992",
            "-2",
            "-1.5",
            "-5e-324",
            "0",
            "5e-324",
            "0.1",
            "1",
            "1.0000000000000002",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "9007199254740994",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn one_value_has_many_forms() {
        for (a, b) in [
            ("300", "3.0e2"),
            ("300", "3e+2"),
            ("0", "-0"),
            ("0", "-0.0E5"),
            ("1", "1.000"),
            ("9007199254740992", "9007199254740992.0"),
            ("18446744073709551616", "18446744073709551617"),
            ("-9223372036854775808", "-9223372036854775808.0"),
            ("0", "1e-400"),
        ] {
            assert_eq!(number(a), number(b), "{a} {b}");
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in [
            "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1e5.0", "0x10", "inf", "NaN",
            "1_000", " 1", "1 ", "--1", "1e400", "-1e400", "\"1\"", "1.5e", "00", "١",
        ] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn the_ends_of_a_range_are_in_it_when_they_are_inclusive() {
        let bound = |text: &str, inclusive| Some(Bound { number: number(text), inclusive });
        let range = Range { lower: bound("0", false), upper: bound("10", true) };
        for (text, inside) in [("0", false), ("0.1", true), ("1e1", true), ("10.1", false)] {
            assert_eq!(range.contains(number(text)), inside, "{text}");
        }
        assert!(!range.is_empty());
        assert!(Range { lower: bound("1", true), upper: bound("0", true) }.is_empty());
        assert!(Range { lower: bound("1", true), upper: bound("1.0", false) }.is_empty());
        assert!(!Range { lower: bound("1", true), upper: bound("1.0", true) }.is_empty());
        assert!(Range { lower: None, upper: None }.contains(number("-7")));
    }

    proptest! {
        #[test]
        fn conditions_order_numbers_the_same_way(a in any_number(), b in any_number()) {
            let of = |value: &Value| number(&value.to_string());
            let expected = exact::order(&a, &b, &mut Fuel::new()).unwrap();
            prop_assert_eq!(Some(of(&a).cmp(&of(&b))), expected);
            prop_assert_eq!(of(&a) == of(&b), expected == Some(Ordering::Equal));
        }

        #[test]
        fn a_number_survives_being_written(value in any_number()) {
            let once = number(&value.to_string());
            prop_assert_eq!(number(&once.text()), once, "{} {}", value, once.text());
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes in "[-+0-9.eE]{0,12}") {
            let json: Result<serde_json::Number, _> = serde_json::from_str(&bytes);
            prop_assert_eq!(Number::parse(bytes.as_bytes()).is_some(), json.is_ok());
        }
    }

    fn any_number() -> impl Strategy<Value = Value> {
        let near = (-1200..1200_i64, 53..64_u32)
            .prop_map(|(off, bits)| (1_u64 << bits).wrapping_add_signed(off));
        let float = prop_oneof![any::<f64>(), any::<i64>().prop_map(|n| n as f64)];
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            near.prop_map(Value::from),
            (-1000..1000_i64).prop_map(|n| Value::from(i64::MIN.wrapping_add(n.abs()))),
            float.prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        ]
    }
}
